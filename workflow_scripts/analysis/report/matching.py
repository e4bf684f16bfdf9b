"""Which arms of a run stand for a row of a paper: by the names of config/paper.yaml, or by those that mean the same."""

from statistics import mode

from workflow_scripts.analysis.arms import FIELDS, UNTRAINED, Arm
from workflow_scripts.analysis.published import Published
from workflow_scripts.analysis.report.data import ReportData
from workflow_scripts.analysis.report.style import pretty

_USUAL = ("policy", "data", "algorithm", "entropy")


class Matcher:
    """Selects the arms of a run, and says how they differ from what a paper did."""

    def __init__(self, data: ReportData, published: Published):
        self.data, self.scale = data, scale_of(published, {arm.policy for arm in data.arms})
        self.equivalents = published.equivalents.get(self.scale, {})
        self.usual = {field: mode(getattr(arm, field) for arm in data.arms) for field in _USUAL}

    @property
    def place(self) -> str:
        """Where the run measured, and what most of its arms have in common; empty at the scale of the papers."""
        common = ", ".join(f"{field} {self.usual[field]}" for field in _USUAL[:3])
        return f"at {self.scale} scale ({common}, unless a line says otherwise)" if self.scale else ""

    def arms(self, where: dict[str, str], baseline: str | None) -> list[Arm]:
        """The trained arms that match, those of the very names where there are such; or models that no RL changed."""
        if baseline is not None:
            return [arm for arm in self.data.baselines if arm.setting in self._names("policy", baseline)]
        wanted = {field: self._names(field, name) for field, name in where.items()}
        found = [arm for arm in self.data.arms if arm.matches(wanted)]
        for field in FIELDS:
            found = [arm for arm in found if getattr(arm, field) == where.get(field)] or found
        return found

    def _names(self, field: str, name: str) -> list[str]:
        return [name, *self.equivalents.get(field, {}).get(name, [])]

    def label(self, arms: list[Arm], where: dict[str, str], setting: str) -> str:
        """What a reader must know of one setting among those that stand for a row: names other than asked for, unless
        most arms of the run have them, and what varies between the settings.
        """
        arm = next(arm for arm in arms if arm.setting == setting)
        if arm.reward == UNTRAINED:
            return pretty(setting)
        varying = {field for field in FIELDS if len({getattr(other, field) for other in arms}) > 1}
        renamed = {field for field in FIELDS if where.get(field, getattr(arm, field)) != getattr(arm, field)}
        usual = {field for field, name in self.usual.items() if getattr(arm, field) == name}
        return " + ".join(pretty(getattr(arm, field)) for field in FIELDS if field in (renamed - usual) | varying)


def scale_of(published: Published, policies: set[str]) -> str:
    """The scale whose policies a run trains; empty for that of the papers."""
    for scale, fields in published.equivalents.items():
        if policies & {name for names in fields.get("policy", {}).values() for name in names}:
            return scale
    return ""
