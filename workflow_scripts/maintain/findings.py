"""Everything that is wrong, or referred to by nobody, below a results root, each with what to do about it."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from workflow_scripts.artifacts.keys import deciding
from workflow_scripts.artifacts.manifest import NAME, PROVENANCE, is_intact, read_json
from workflow_scripts.artifacts.parts import fault_of
from workflow_scripts.config.artifact import Artifact
from workflow_scripts.maintain.contents import Checksums, faults, misfits, unlisted
from workflow_scripts.maintain.published import (
    known_folders,
    part_folders,
    parts_in_use,
    published_folders,
    published_manifests,
    work_folders,
)

KINDS = ("damaged", "missing", "misfit", "stale", "unlisted", "orphaned")


@dataclass(frozen=True)
class Finding:
    """One thing found. `manifest`: of the artifact that `make repair` makes again; `work`: directory that it mends."""

    kind: str  # one of KINDS
    path: Path
    why: str
    manifest: Path | None = None
    work: Path | None = None
    part: Path | None = None  # the folder of a damaged part

    def __str__(self) -> str:
        return f"{self.kind}: {self.path} ({self.why})"


class Inspection:
    """One look at all artifacts below a results root, `known` of which a config refers to, by manifest."""

    def __init__(self, results: Path, known: dict[Path, Artifact]):
        self.results, self.known, self.checksum = results, known, Checksums()
        self.manifests = dict.fromkeys(published_manifests(results))
        self.unreadable: set[Path] = set()  # manifests that are, or whose provenance is
        self._damaged: set[Path] = set()  # manifests of artifacts of which a file is damaged
        looks = (self._published, self._missing, self._stale, self._work, self._parts, self._orphaned)
        self.findings = [finding for look in looks for finding in look()]

    def work_of(self, artifact: Artifact) -> Path:
        return self.results / "work" / artifact.stage / artifact.identity

    def _published(self) -> Iterator[Finding]:
        for manifest in self.manifests:
            artifact = self.known.get(manifest)
            wrong = faults(manifest, self.checksum)
            if wrong:
                self._damaged.add(manifest)
            if {manifest, manifest.parent / PROVENANCE} & wrong.keys():
                self.unreadable.add(manifest)
            for path, why in wrong.items():
                yield Finding("damaged", path, f"{why}; {self._remedy(artifact)}", manifest)
            for path in misfits(manifest, artifact.stage) if artifact and not wrong else ():
                why = f"not a table of {artifact.stage} in artifacts/schemas.py; make repair computes it again"
                yield Finding("misfit", path, why, manifest)
            for path in unlisted(manifest) if manifest not in wrong else ():
                yield Finding("unlisted", path, "no part of the artifact: remove it")

    def _remedy(self, artifact: Artifact | None) -> str:
        if artifact is None:
            return "no config refers to it: make prune removes it"
        restorable = is_intact(self.work_of(artifact) / "done")
        return "make repair restores it" if restorable else "make repair computes it again"

    def _missing(self) -> Iterator[Finding]:
        """Manifests that are gone although their files stand, or something that was made from them."""
        reported = set()
        for manifest, artifact in self.known.items():
            if manifest.name == NAME and manifest not in self.manifests and manifest.parent.is_dir():
                reported.add(manifest)
                yield Finding("missing", manifest, f"its files stand; {self._remedy(artifact)}", manifest)
        for manifest, artifact in self.known.items():
            for upstream in artifact.inputs.values() if manifest in self.manifests else ():
                path = self.results / upstream.manifest
                if path not in self.manifests and path not in reported:
                    reported.add(path)
                    why = f"{manifest.parent} was made from it; {self._remedy(upstream)}"
                    yield Finding("missing", path, why, path)

    def _stale(self) -> Iterator[Finding]:
        """Artifacts made from another content of an input than the one that stands now."""
        for manifest, upstream in made_from_others(self.results, self.known, self.unreadable, self.checksum):
            why = f"made from another content of {upstream.parent}; make repair ARGS=--stale makes it again"
            yield Finding("stale", manifest.parent, why, manifest)

    def _work(self) -> Iterator[Finding]:
        """Damaged finished artifacts in work directories; one whose published files are damaged too is named once."""
        published = {self.work_of(artifact): manifest for manifest, artifact in self.known.items()}
        for work in work_folders(self.results):
            if not (work / "done").is_dir() or published.get(work) in self._damaged:
                continue
            wrong = faults(work / "done" / NAME, self.checksum)
            is_published = published.get(work) in self.manifests
            remedy = "make repair takes it from the published files" if is_published else "make repair removes it"
            for path, why in wrong.items():
                yield Finding("damaged", path, f"{why}; {remedy}", work=work)

    def _parts(self) -> Iterator[Finding]:
        """Damaged parts. What they are parts of has been checked for itself."""
        for folder in part_folders(self.results):
            is_leftover = folder.name.startswith(".")  # of a killed job: orphaned, not damaged
            if why := "" if is_leftover else fault_of(folder, self.checksum):
                yield Finding("damaged", folder, f"{why}; make repair removes it", part=folder)

    def _orphaned(self) -> Iterator[Finding]:
        folders = known_folders(self.results, self.known)
        work = work_folders(self.results)
        folders |= parts_in_use(self.results, (path for path in work if path in folders))
        for folder in published_folders(self.results) + work + part_folders(self.results):
            if folder not in folders:
                yield Finding("orphaned", folder, "no config refers to it: make prune removes it")
        for manifest in self.manifests:
            if manifest.name != NAME and manifest not in self.known:
                yield Finding("orphaned", manifest, "no config refers to it: the next run replaces it")


def made_from_others(
    results: Path, known: dict[Path, Artifact], unreadable: set[Path], checksum: Callable[[Path], str]
) -> Iterator[tuple[Path, Path]]:
    """(manifest, manifest of an input) where the input's manifest was another one when the artifact was made."""
    standing = {manifest for manifest in known if manifest.is_file()} - unreadable
    for manifest in (manifest for manifest in known if manifest in standing):
        made_from = read_json(manifest.parent / PROVENANCE)["inputs"]
        for role, upstream in deciding(known[manifest].inputs).items():
            path = results / upstream.manifest
            if path in standing and made_from.get(role) != checksum(path):
                yield manifest, path
