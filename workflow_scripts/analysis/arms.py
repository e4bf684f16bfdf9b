"""Arms and settings: an arm is one training run; the arms that differ only in their seed are one setting."""

from dataclasses import dataclass, field, replace

FIELDS = ("policy", "data", "algorithm", "reward", "entropy")
UNTRAINED = "untrained"


@dataclass(frozen=True)
class Arm:
    """One training run. `setting` is its name without the seed, unique among the arms of a config."""

    role: str
    seed: int
    policy: str = ""
    data: str = ""
    algorithm: str = ""
    reward: str = ""
    entropy: str = ""
    studies: tuple[str, ...] = field(default=(), compare=False)
    setting: str = ""

    @property
    def values(self) -> tuple[str, ...]:
        return tuple(getattr(self, name) for name in FIELDS)

    def matches(self, where: dict) -> bool:
        """Whether every field of `where` has the given value, or one of the given list.

        `study` means membership; `except_study` leaves out the arms that belong to nothing but these studies.
        """
        for name, wanted in where.items():
            allowed = set(wanted) if isinstance(wanted, list) else {wanted}
            if name == "except_study":
                if self.studies and not set(self.studies) - allowed:
                    return False
                continue
            found = set(self.studies) if name == "study" else {getattr(self, name)}
            if not found & allowed:
                return False
        return True


def read_arms(config: list[dict]) -> list[Arm]:
    """Arms of a stage's config, named by reward and entropy and by what else varies.

    Settings keep the order in which the config names them; the seeds of a setting are sorted.
    """
    arms = [_read_arm(entry) for entry in config]
    varying = [name for name in FIELDS[:3] if len({getattr(arm, name) for arm in arms}) > 1]
    named = [replace(arm, setting="-".join(getattr(arm, name) for name in [*varying, *FIELDS[3:]])) for arm in arms]
    order = list(dict.fromkeys(arm.setting for arm in named))
    return sorted(named, key=lambda arm: (order.index(arm.setting), arm.seed))


def read_baselines(config: list[dict]) -> list[Arm]:
    """The models that are evaluated as they are: untrained policies, and those that `studies` name."""
    arms = [replace(_read_arm(entry), reward=UNTRAINED, entropy="", setting=str(entry["name"])) for entry in config]
    return sorted(arms, key=lambda arm: (arm.setting, arm.seed))


def _read_arm(entry: dict) -> Arm:
    study = entry.get("study", entry.get("studies", []))
    names = {name: str(entry.get(name, "")) for name in FIELDS}
    studies = (study,) if isinstance(study, str) else tuple(study)
    return Arm(role=entry["role"], seed=int(entry["seed"]), studies=studies, **names)


def by_setting(arms: list[Arm]) -> dict[str, list[Arm]]:
    """Setting -> its arms, one per seed, in the order given."""
    groups: dict[str, list[Arm]] = {}
    for arm in arms:
        groups.setdefault(arm.setting, []).append(arm)
    return groups


def pairs(
    arms: list[Arm], vary: str, value: str | list[str], versus: str, where: dict | None = None
) -> list[tuple[Arm, Arm]]:
    """Pairs of arms that are equal, seed included, except that `vary` is `value` in one and `versus` in the other.

    Several values stand for one setting that differs in its details, as a ratio that depends on the policy's size.
    """
    if vary not in FIELDS:
        raise ValueError(f"vary: {vary!r} is not one of {', '.join(FIELDS)}")

    def rest(arm: Arm) -> tuple:
        return (*(getattr(arm, name) for name in FIELDS if name != vary), arm.seed)

    others = {rest(arm): arm for arm in arms if getattr(arm, vary) == versus}
    chosen = [arm for arm in arms if arm.matches({vary: value}) and arm.matches(where or {})]
    return [(arm, others[rest(arm)]) for arm in chosen if rest(arm) in others]


def contrasts(arms: list[Arm]) -> list[tuple[str, str, str]]:
    """(field, value, versus) of the tables of differences: each entropy setting against none, each reward to each."""
    entropies, rewards = sorted({arm.entropy for arm in arms}), sorted({arm.reward for arm in arms})
    found = [("entropy", name, "none") for name in entropies if name != "none" and "none" in entropies]
    for index, name in enumerate(rewards):
        for other in rewards[index + 1 :]:
            value, versus = (name, other) if other == "rule" or name == "truth" else (other, name)
            found.append(("reward", value, versus))
    return found
