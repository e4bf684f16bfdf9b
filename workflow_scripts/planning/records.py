"""Earlier artifacts below a results root, by their provenance: finished work directories and what is published."""

import json
import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from workflow_scripts.artifacts.keys import KEY_DIGITS, identity_of, name_of

SEED = re.compile(r"\.s\d+$")
KEYED = re.compile(rf"-[0-9a-f]{{{KEY_DIGITS}}}$")


@dataclass(frozen=True)
class Record:
    """One earlier artifact: its identity, where it stands, and what is known of the computation that made it.

    An artifact adopted from an equal one carries that one's provenance; its own name and key stand in its path.
    """

    name: str
    key: str
    folder: Path
    provenance: dict

    @property
    def spec(self) -> dict:
        return self.provenance["spec"]

    @property
    def stage(self) -> str:
        return self.spec["stage"]

    @property
    def digests(self) -> dict[str, str]:
        """sha256 of the manifests that it was made from, by role."""
        return self.provenance["inputs"]

    @property
    def finished(self) -> bool:
        return (self.folder / "manifest.json").is_file() and self.folder.name == "done"


class Records:
    """All earlier artifacts of one results root; what has no readable provenance is left out."""

    def __init__(self, work: Path):
        self._by_stage: dict[str, dict[str, Record]] = defaultdict(dict)
        for record in _read(work):
            self._by_stage[record.stage].setdefault(f"{record.name}-{record.key}", record)

    @property
    def all(self) -> list[Record]:
        return [record for records in self._by_stage.values() for record in records.values()]

    def of_stage(self, stage: str) -> list[Record]:
        return list(self._by_stage[stage].values())

    def find(self, stage: str, identity: str) -> Record | None:
        return self._by_stage[stage].get(identity)

    @cached_property
    def names(self) -> dict[str, tuple[str, str]]:
        """Stage and name of every key that is known."""
        return {record.key: (record.stage, record.name) for record in self.all}

    @cached_property
    def referenced(self) -> set[str]:
        """Keys that an earlier artifact was made from: these existed, whatever became of them."""
        return {key for record in self.all for key in record.spec["inputs"].values()}


def stem(name: str) -> str:
    """A name without its seed: what the seeds of one setting share."""
    return SEED.sub("", name)


def _read(work: Path) -> Iterator[Record]:
    seen = set()
    for path in work.glob("*/*/done/provenance.json"):
        seen.add(path.parents[1].name)
        yield from _record(path, path.parents[1].name)
    root = work.parent
    for path in [*root.glob("*/*/provenance.json"), *root.glob("*/provenance.json")]:
        identity = _published(path.parent)
        if identity and identity not in seen:
            yield from _record(path, identity)


def _published(folder: Path) -> str | None:
    """`name-key` of a published artifact's folder; on a stable path the key stands in the manifest's name."""
    if KEYED.search(folder.name):
        return folder.name
    manifest = next(folder.glob("manifest-*.json"), None)
    return identity_of(manifest) if manifest else None


def _record(path: Path, identity: str) -> Iterator[Record]:
    try:
        provenance = json.loads(path.read_text())
        known = {"stage", "config", "code", "inputs"} <= provenance["spec"].keys() and "inputs" in provenance
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return
    if known:
        yield Record(name_of(identity), identity[-KEY_DIGITS:], path.parent, provenance)
