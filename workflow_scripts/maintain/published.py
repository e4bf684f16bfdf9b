"""What stands below a results root."""

from collections.abc import Iterable
from pathlib import Path

from workflow_scripts.artifacts.errors import StageError
from workflow_scripts.artifacts.keys import KEY_DIGITS
from workflow_scripts.artifacts.lock import is_held
from workflow_scripts.artifacts.parts import used_parts
from workflow_scripts.artifacts.provenance import read_provenance
from workflow_scripts.config.artifact import FOLDERS, STABLE, Artifact
from workflow_scripts.config.stages import STAGES

KEYED = "*-" + "[0-9a-f]" * KEY_DIGITS


def published_manifests(results: Path, stage: str | None = None) -> list[Path]:
    """All published manifests below a results root, or those of a stage."""
    stages = [stage] if stage else STAGES
    found = set()
    for name in stages:
        pattern = "manifest-*.json" if name in STABLE else "*/manifest.json"
        found |= set((results / FOLDERS[name] / STABLE.get(name, "")).glob(pattern))
    return sorted(manifest for manifest in found if stage is None or _stage_of(manifest) == stage)


def _stage_of(manifest: Path) -> str | None:
    """What made an artifact; None where its provenance is damaged."""
    try:
        return read_provenance(manifest.parent)["stage"]
    except (StageError, KeyError, TypeError):
        return None


def published_folders(results: Path) -> list[Path]:
    """Folders of keyed artifacts, whole or not."""
    names = sorted({FOLDERS[stage] for stage in STAGES if stage not in STABLE})
    return [path for name in names for path in sorted((results / name).glob(KEYED))]


def work_folders(results: Path) -> list[Path]:
    """Work directories of artifacts."""
    return sorted((results / "work").glob(f"*/{KEYED}"))


def part_folders(results: Path) -> list[Path]:
    """Parts that artifacts share, and what killed jobs left of parts."""
    return sorted(path for path in (results / "work" / "parts").glob("*/*") if path.is_dir())


def parts_in_use(results: Path, work: Iterable[Path]) -> set[Path]:
    """The parts that these work directories are made of."""
    return {results / "work" / "parts" / path.parent.name / name for path in work for name in used_parts(path)}


def known_folders(results: Path, known: dict[Path, Artifact]) -> set[Path]:
    """Published folders and work directories of the artifacts that configs refer to, by manifest."""
    work = {results / "work" / artifact.stage / artifact.identity for artifact in known.values()}
    return work | {manifest.parent for manifest in known}


def refuse_running(folders: Iterable[Path]) -> None:
    """Raises StageError where a live job holds one of these work directories."""
    for work in folders:
        if is_held(work / "lock"):
            raise StageError(f"{work}: in use; wait for it, or end it")
