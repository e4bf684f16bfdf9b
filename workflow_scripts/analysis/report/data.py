"""What the report reads, once: the tables of law and comparison, the arms' curves, audits, manifests, provenance."""

import re
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa

from workflow_scripts.analysis.arms import Arm, by_setting
from workflow_scripts.analysis.curves import Curve
from workflow_scripts.analysis.report.sampling import Sampled
from workflow_scripts.analysis.report.style import Look

Rows = list[dict]


@dataclass
class ReportData:
    """Rows by table; curves, metrics by role of the arm; audits by (judge, seed); input folders by role."""

    config: dict
    arms: list[Arm]
    baselines: list[Arm]
    look: Look
    inputs: dict[str, Path]
    tables: dict[str, Rows] = field(default_factory=dict)
    curves: dict[str, Curve] = field(default_factory=dict)
    metrics: dict[str, pa.Table] = field(default_factory=dict)
    audits: dict[tuple[str, int], dict[str, Rows]] = field(default_factory=dict)
    manifests: dict[str, dict] = field(default_factory=dict)
    provenance: dict[str, dict] = field(default_factory=dict)
    sampled: dict[str, Sampled] = field(default_factory=dict)
    questions: dict[str, dict[str, dict]] = field(default_factory=dict)

    @property
    def seeds(self) -> list[int]:
        return sorted({arm.seed for arm in self.arms})

    @property
    def settings(self) -> dict[str, list[Arm]]:
        return by_setting(self.arms)

    def label(self, setting: str) -> str:
        """A setting, or an untrained policy, as the reader knows it; the name as it is where this run has neither."""
        arm = next((arm for arm in self.arms + self.baselines if arm.setting == setting), None)
        return self.look.label(arm) if arm else setting

    def rows_of(self, table: str, arm: Arm, entropy_of: str = "training") -> Rows:
        """Rows of one arm in a table of the law, under one reading of the entropy."""
        wanted = (arm.setting, arm.seed, entropy_of)
        return [row for row in self.tables[table] if (row["arm"], row["seed"], row["entropy_of"]) == wanted]

    def contexts(self) -> dict[str, list[str]]:
        """Settings that share policy, data and algorithm, under a title ("" where there is only one such group)."""
        groups: dict[str, list[str]] = {}
        for name, arms in self.settings.items():
            groups.setdefault(self.look.context(arms[0]), []).append(name)
        return groups

    def origin(self, role: str) -> str:
        """An input as the reader finds it below the results folder: folder/name-key, or a manifest with the key."""
        folder = self.inputs.get(role)
        if not folder:
            return role
        path = f"{folder.parent.name}/{folder.name}"
        key = "" if split_name(folder)[1] else self.provenance.get(role, {}).get("key", "")
        return f"{path}/manifest-{key}.json" if key else path

    def origins(self, prefix: str) -> list[str]:
        """The inputs whose role is `prefix` or starts with `prefix:`."""
        return [self.origin(role) for role in sorted(self.inputs) if role == prefix or role.startswith(f"{prefix}:")]


def split_name(folder: Path) -> tuple[str, str]:
    """Name and key of an artifact's folder; analysis and report have stable paths without a key."""
    found = re.fullmatch(r"(.+)-([0-9a-f]{10})", folder.name)
    return (found[1], found[2]) if found else (folder.name, "")


def seed_of(role: str) -> tuple[str, int]:
    """Name and seed of a role like audit:judge.s0."""
    name, _, seed = role.partition(":")[2].rpartition(".s")
    return name, int(seed)
