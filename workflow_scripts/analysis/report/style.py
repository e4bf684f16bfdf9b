"""How arms look and are called, the same in every table and figure: hue by reward, dash by entropy setting."""

from dataclasses import dataclass, field

from workflow_scripts.analysis.arms import FIELDS, UNTRAINED, Arm
from workflow_scripts.analysis.svg import HUES, Style

HUE = {UNTRAINED: 0, "rule": 1, "judge_soft": 2, "judge_binary": 3, "truth": 4, "teacher": 5, "rule_soft": 6}
DASHES = {"none": "", "kl_cov": "7 4", "clip_cov": "2 3", "clip_higher": "9 3 2 3"}
SPARE_DASHES = ("12 3", "4 2 1 2", "1 4", "6 2 6 6")
NAMES = {
    "none": "no control",
    "kl_cov": "KL-Cov",
    "clip_cov": "Clip-Cov",
    "clip_higher": "clip-higher",
    "judge_soft": "judge, soft",
    "judge_binary": "judge, binary",
    "rule_soft": "rule, soft",
}
FORM_STYLES = {
    "exp": Style(2, "", "exp(H)"),
    "linear": Style(4, "7 4", "H"),
    "log": Style(5, "2 3", "log H"),
    "log_step": Style(6, "9 3 2 3", "log step"),
}
FORM_NAMES = {name: style.label for name, style in FORM_STYLES.items()}
FORM_NAMES |= {"last_value": "last value (naive)", "mean": "mean so far (naive)"}


def pretty(name: str) -> str:
    """The reader's name of a setting."""
    return NAMES.get(name, name.replace("_", " "))


@dataclass(frozen=True)
class Look:
    """Styles and labels of the settings of one report."""

    hues: dict[str, int]
    dashes: dict[str, str]
    varying: tuple[str, ...] = field(default=())

    def style(self, arm: Arm, short: bool = False) -> Style:
        return Style(self.hues.get(arm.reward, 0), self.dashes.get(arm.entropy, ""), self.label(arm, short))

    def label(self, arm: Arm, short: bool = False) -> str:
        """Reward + entropy setting; unless short, in brackets what else varies between the arms of this report."""
        if arm.reward == UNTRAINED:
            return f"{arm.setting} ({'no RL' if arm.studies else 'untrained'})"
        name = f"{pretty(arm.reward)} + {pretty(arm.entropy)}"
        more = self.context(arm)
        return f"{name} ({more})" if more and not short else name

    def context(self, arm: Arm) -> str:
        """What else than reward and entropy setting varies between the arms of this report."""
        return ", ".join(getattr(arm, field) for field in self.varying)


def make_look(arms: list[Arm]) -> Look:
    """Fixed hues and dashes for the known names, the next free ones for the others, in alphabetical order."""
    hues, dashes = dict(HUE), dict(DASHES)
    spare = list(range(7, HUES)) + list(range(1, 7))
    for index, name in enumerate(sorted({arm.reward for arm in arms} - set(hues))):
        hues[name] = spare[index % len(spare)]
    for index, name in enumerate(sorted({arm.entropy for arm in arms} - set(dashes))):
        dashes[name] = SPARE_DASHES[index % len(SPARE_DASHES)]
    varying = tuple(name for name in FIELDS[:3] if len({getattr(arm, name) for arm in arms}) > 1)
    return Look(hues, dashes, varying)


def study_styles(arms: dict[str, Arm], look: Look) -> dict[str, Style]:
    """Styles of the settings of one study, told apart by what varies there and named by it.

    Reward and entropy setting keep the hue and dash that they have everywhere; where others vary, hue and dash follow
    the first two of the varying fields.
    """
    varying = [name for name in FIELDS if len({getattr(arm, name) for arm in arms.values()}) > 1] or ["reward"]
    labels = {key: " + ".join(pretty(getattr(arm, name)) for name in varying) for key, arm in arms.items()}
    if not set(varying) - {"reward", "entropy"}:
        styles = {key: look.style(arm) for key, arm in arms.items()}
        return {key: Style(style.hue, style.dash, labels[key]) for key, style in styles.items()}
    orders = [list(dict.fromkeys(getattr(arm, name) for arm in arms.values())) for name in varying]
    hues, dashes = list(range(1, HUES)), ["", *list(DASHES.values())[1:], *SPARE_DASHES]
    found = {}
    for key, arm in arms.items():
        places = [order.index(getattr(arm, name)) for name, order in zip(varying, orders, strict=True)]
        rounds, hue = divmod(places[0], len(hues))
        found[key] = Style(hues[hue], dashes[(sum(places[1:]) + rounds) % len(dashes)], labels[key])
    return found
