"""What differs between two specs, in the words of the YAML.

A spec holds the slice of the config that its stage reads. `SETTINGS` leads from there back to the section of the YAML;
the setting's own name (`entropy.kl_cov`) is left out, since the job's name says it.
"""

import json
from collections import Counter
from collections.abc import Iterator
from typing import Any

SHOWN = 3
LONGEST = 48
ABSENT = object()
LISTED = ("arms.", "baselines.")  # counted, not named, where they come and go

_MODEL = {"template": "models.template", "judging": "models.judging"}
_ARM = {
    "split": "data",
    "seed": "seed",
    "template": "models.template",
    "loss.name": "entropy.loss",
    "loss.options": "entropy",
    "loss": "entropy",
    "update.entropy_coef": "entropy_coef",  # the algorithm's or the entropy control's
    "update.entropy_target": "entropy_target",
    "reward.template": "models.template",
    "reward.judging": "models.judging",
    "reward": "rewards",
    "grading": "datasets.grading",
    "monitors": "monitors",
    "validation": "validation",
    "": "algorithms",
}
# stage -> path in its slice -> path in the YAML; the longest that fits counts, and what fits none stays as it is
SETTINGS = {
    "fetch_model": {"": "models.source"},
    "fetch_dataset": {"": "datasets.source"},
    "sample_data": {"source": "datasets.source", "splits": "datasets.splits"},
    "prepare_model": {"source.template": "models.template", "source": "models.source"},
    "explore_policy": _ARM,
    "label_rollouts": _MODEL | {"seed": "seed", "jobs": "jobs", "job": "job", "": "judges.labels"},
    "distill_judge": _MODEL | {"seed": "seed", "": "judges"},
    "audit_judge": _MODEL
    | {"compare": "models", "wording_answers": "judges.audit.wording_answers", "gate": "judges.gate"}
    | {"second_rater": "judges.audit.second_rater", "grading": "datasets.grading"},
    "train_policy": _ARM,
    "grade_answers": _MODEL,
    "sample_answers": _MODEL,
    "render_report": {"settings": ""},
}


def setting_changes(stage: str, old: dict, new: dict) -> list[str]:
    """`path old → new` for each setting in which two config slices of a stage differ."""
    changes, listed = [], Counter()
    for path, before, after in differences(old, new):
        what = _shown(before, after)
        if path.startswith(LISTED) and what in ("added", "removed"):
            listed[path.partition("s.")[0], what] += 1
        else:
            changes.append(f"{_yaml_path(stage, path)} {what}")
    counted = [f"{count} {kind}{'s' * (count > 1)} {what}" for (kind, what), count in listed.items()]
    return counted + changes


def differences(old: Any, new: Any, path: str = "") -> Iterator[tuple[str, Any, Any]]:
    """(path, old, new) of what differs; ABSENT stands for what one side lacks. A subtree that is new is one entry."""
    old, new = _by_name(old), _by_name(new)
    if isinstance(old, dict) and isinstance(new, dict):
        for name in [*old, *(name for name in new if name not in old)]:
            inner = f"{path}.{name}" if path else name
            yield from differences(old.get(name, ABSENT), new.get(name, ABSENT), inner)
    elif old != new:
        yield path, old, new


def leaves(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """(path, value) of every single setting."""
    value = _by_name(value)
    if isinstance(value, dict):
        for name, item in value.items():
            yield from leaves(item, f"{path}.{name}" if path else name)
    else:
        yield path, value


def _by_name(value: Any) -> Any:
    """Lists of arms and of baselines are compared by role, claims and published tables by id, not by position."""
    for name in ("role", "id"):
        if isinstance(value, list) and value and all(isinstance(item, dict) and name in item for item in value):
            return {item[name]: item for item in value}
    return value


def _yaml_path(stage: str, path: str) -> str:
    names = SETTINGS.get(stage, {})
    fitting = [start for start in names if not start or path == start or path.startswith(start + ".")]
    if not fitting:
        return path
    start = max(fitting, key=len)
    rest = path[len(start) :].lstrip(".")
    return ".".join(part for part in (names[start], rest) if part)


def _shown(old: Any, new: Any) -> str:
    if isinstance(new, dict) and old is ABSENT:
        return "added"
    if isinstance(old, dict) and new is ABSENT:
        return "removed"
    return f"{_value(old)} → {_value(new)}"


def _value(value: Any) -> str:
    if value is None or value is ABSENT:
        return "none"
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"


def code_changes(old: dict | None, new: dict, same_settings: bool) -> list[str]:
    """Modules, schemas, files and libraries that changed between two sets of code parts (None: not on record).

    Parts that came or went are named only where the settings are the same: else they follow from these.
    """
    if old is None:
        return ["code changed"]
    changed = []
    for kind, parts in new.items():
        before = old.get(kind, {})
        for name in sorted(before.keys() & parts.keys()):
            if not parts[name].startswith(before[name]):
                changed.append(f"{_part(kind, name)}{_versions(kind, before[name], parts[name])}")
        if same_settings:
            changed += [f"{_part(kind, name)} added" for name in sorted(parts.keys() - before.keys())]
            changed += [f"{_part(kind, name)} removed" for name in sorted(before.keys() - parts.keys())]
    return changed


def _part(kind: str, name: str) -> str:
    if kind == "modules":
        return f"code of {name.removeprefix('workflow_scripts.')}"
    return {"schemas": f"schema {name}", "files": f"file {name}"}.get(kind, name)


def _versions(kind: str, old: str, new: str) -> str:
    return f" {old} → {new}" if kind == "libraries" else ""


def shortened(changes: list[str]) -> str:
    """The first changes and the number of the others."""
    more = [f"{len(changes) - SHOWN} more"] if len(changes) > SHOWN else []
    return ", ".join(changes[:SHOWN] + more)
