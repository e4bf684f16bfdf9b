"""Names of jobs as people say them: `grpo·rule·kl_cov s0` for `base.questions_train.grpo.rule.kl_cov.s0`."""

from collections.abc import Iterable

from workflow_scripts.planning.records import SEED, stem

PREFIXES = {
    "sample_answers": "answers.",
    "grade_answers": "grades.",
    "distill_judge": "judge.",
    "audit_judge": "audit.",
}
ARM_PARTS = 5  # policy, data, algorithm, reward, entropy
ALONE = ("fit_entropy_law", "compare_results", "render_report")  # the stage's name says it all


class Labels:
    """Labels of the jobs of one project; policy and data are left out where all arms share them."""

    def __init__(self, names: Iterable[tuple[str, str]]):
        arms = {tuple(_parts(stage, name)) for stage, name in names}
        self._shared = len({arm[:2] for arm in arms if len(arm) == ARM_PARTS}) <= 1

    def of(self, stage: str, name: str) -> str:
        """The label of a name without its seed; empty for a stage of one job."""
        parts = _parts(stage, name)
        if stage in ALONE:
            return ""
        return "·".join(parts[2:] if self._shared and len(parts) == ARM_PARTS else parts)

    def listed(self, stage: str, names: Iterable[str]) -> str:
        """The labels of several names, those of one setting's seeds together."""
        seeds: dict[str, list[int]] = {}
        for name in names:
            found = SEED.search(name)
            seeds.setdefault(self.of(stage, name), []).extend([int(found[0][2:])] if found else [])
        labels = [" ".join(part for part in (label, _ranges(numbers)) if part) for label, numbers in seeds.items()]
        return ", ".join(labels[:SHOWN] + ([f"{len(labels) - SHOWN} more"] if len(labels) > SHOWN else []))


SHOWN = 6


def _parts(stage: str, name: str) -> list[str]:
    return stem(name).removeprefix(PREFIXES.get(stage, "")).split(".")


def plain_name(stage: str, name: str) -> str:
    """The arm's or model's name, without seed and without what the stage puts before it."""
    return ".".join(_parts(stage, name))


def _ranges(seeds: list[int]) -> str:
    """`s0`, `s0 s2`, `s0–s4`."""
    seeds = sorted(set(seeds))
    if len(seeds) > 2 and seeds[-1] - seeds[0] == len(seeds) - 1:
        return f"s{seeds[0]}–s{seeds[-1]}"
    return " ".join(f"s{seed}" for seed in seeds)
