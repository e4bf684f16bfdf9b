"""The settings of a study: which differ between its arms, and which they share."""

import json

from workflow_scripts.analysis.arms import FIELDS, Arm
from workflow_scripts.analysis.report.blocks import Column, Table, Text
from workflow_scripts.analysis.report.data import ReportData

# field of an arm -> where the config keeps the settings of that name
_KEPT_IN = {"policy": "models", "algorithm": "algorithms", "reward": "rewards", "entropy": "entropy"}


def settings_of(arm: Arm, settings: dict) -> dict[str, object]:
    """Dotted path -> value of everything that the config says about an arm: reward, reward.kind, ..."""
    found: dict[str, object] = {}
    for name in FIELDS:
        value = getattr(arm, name)
        found |= {name: value} | _flat(name, settings.get(_KEPT_IN.get(name, ""), {}).get(value, {}))
    return found


def _flat(path: str, value: object) -> dict[str, object]:
    if isinstance(value, dict):
        return {k: v for name, inner in value.items() for k, v in _flat(f"{path}.{name}", inner).items()}
    return {path: value}


def settings_blocks(data: ReportData, study: str, arms: dict[str, Arm]) -> list[Table | Text]:
    """A table of what differs, one column per label of an arm, and what is common to all as folded text."""
    found = {label: settings_of(arm, data.config.get("settings") or {}) for label, arm in arms.items()}
    paths = list(dict.fromkeys(path for one in found.values() for path in one))
    paths.sort(key=lambda path: FIELDS.index(path.partition(".")[0]))
    differing = [path for path in paths if len({_cell(one.get(path)) for one in found.values()}) > 1]
    blocks: list[Table | Text] = []
    if differing:
        columns = [Column("setting", "code"), *(Column(label) for label in found)]
        rows = [[path, *(_cell(one.get(path)) for one in found.values())] for path in differing]
        caption = "What differs between the arms of this study; a dash where an arm has no such setting."
        sources = [data.origin(f"policy:{arm.role}") for arm in arms.values()]
        blocks.append(Table(f"settings_{study}", "Settings that differ", caption, columns, rows, sources, folded=True))
    common = {path: _cell(next(iter(found.values())).get(path)) for path in paths if path not in differing}
    text = "\n".join(f"{path}: {value}" for path, value in common.items() if value is not None)
    return [*blocks, Text(text, "Settings in common")] if text else blocks


def _cell(value: object) -> str | None:
    return value if value is None or isinstance(value, str) else json.dumps(value)
