"""What becomes of a planned job: restored from what was finished, computed, or computed only if an input changes.

The same rules as `artifacts.stage`, without verifying: that a finished artifact's manifest stands is enough for a plan.
"""

from functools import cache
from pathlib import Path

from workflow_scripts.artifacts.keys import content_id, deciding
from workflow_scripts.planning.dry_run import Job
from workflow_scripts.planning.reasons import manifest_digest
from workflow_scripts.planning.records import Records

RESTORED = "restored"
COMPUTED = "computed"
UNLESS = "computed unless its inputs come out equal"


class Outcomes:
    """The outcome of each planned job."""

    def __init__(self, jobs: list[Job], records: Records):
        self._jobs, self._records = {job.output: job for job in jobs}, records
        self._found: dict[Path, tuple[str, Path | None]] = {}

    def of(self, job: Job) -> str:
        return self._outcome(job)[0]

    def _outcome(self, job: Job) -> tuple[str, Path | None]:
        """The outcome, and the manifest that a restored job will publish."""
        if job.output not in self._found:
            self._found[job.output] = self._look(job)
        return self._found[job.output]

    def _look(self, job: Job) -> tuple[str, Path | None]:
        if job.done.is_file():
            return RESTORED, job.done
        digests = {role: self._digest(manifest) for role, manifest in deciding(job.inputs).items()}
        if None in digests.values():
            return (UNLESS if self._may_be_equal(job, digests) else COMPUTED), None
        twin = _twin(job.work, content_id(job.spec, digests))
        return (RESTORED, twin) if twin else (COMPUTED, None)

    def _digest(self, manifest: Path) -> str | None:
        """sha256 of the manifest that the job will read, None where only running tells."""
        source = self._outcome(self._jobs[manifest])[1] if manifest in self._jobs else manifest
        return manifest_digest(source) if source and source.is_file() else None

    def _may_be_equal(self, job: Job, digests: dict[str, str | None]) -> bool:
        """Whether an earlier artifact of the name has the same settings, code, and inputs as far as they are known."""
        known = {role: found for role, found in digests.items() if found}
        return any(
            record.name == job.name
            and record.finished
            and deciding(record.digests).keys() == digests.keys()
            and known.items() <= record.digests.items()
            and _own(record.spec) == _own(job.spec)
            for record in self._records.of_stage(job.stage)
        )


def _own(spec: dict) -> dict:
    return {part: spec[part] for part in ("stage", "config", "code")}


@cache
def _twin(work: Path, content: str) -> Path | None:
    """The manifest of the finished artifact with this content, if one stands."""
    pointer = work / "same" / content
    if not pointer.is_file():
        return None
    manifest = work / pointer.read_text().strip() / "done" / "manifest.json"
    return manifest if manifest.is_file() else None
