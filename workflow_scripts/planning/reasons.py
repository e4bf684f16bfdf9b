"""Why a job runs: how its spec differs from that of the nearest earlier artifact."""

import re
from functools import cache
from pathlib import Path

from workflow_scripts.artifacts.fingerprint import ROOT, fingerprint_parts
from workflow_scripts.artifacts.keys import file_digest, identity_of
from workflow_scripts.planning.differences import code_changes, differences, setting_changes, shortened
from workflow_scripts.planning.dry_run import Job
from workflow_scripts.planning.labels import Labels, plain_name
from workflow_scripts.planning.records import Record, Records, stem

GONE = "its output is gone"
NEW = dict.fromkeys(("train_policy", "sample_answers", "grade_answers"), "new arm")

manifest_digest = cache(file_digest)


class Reasons:
    """The reason of each planned job."""

    def __init__(self, jobs: list[Job], records: Records, labels: Labels):
        self._records, self._labels = records, labels
        self._planned = {job.output for job in jobs}
        self._names = records.names | {job.key: (job.stage, job.name) for job in jobs}
        self._parts: dict[str, dict] = {}

    def of(self, job: Job) -> str:
        """The reason in one line. Where the manifest stands, it is Snakemake's own, without its paths."""
        if job.output.is_file():
            return self._snakemakes(job)
        published = next(job.output.parent.glob("manifest-*.json"), None)  # of another key, on a stable path
        if published is None and (job.key in self._records.referenced or self._records.find(job.stage, job.identity)):
            return GONE
        record = published and self._records.find(job.stage, identity_of(published))
        record = record or self._nearest(job)
        return self._difference(job, record) if record else self._novelty(job)

    def _snakemakes(self, job: Job) -> str:
        if job.reason.startswith("Missing output files"):  # beside the manifest
            return GONE
        updated = [job.spec["inputs"][role] for role, manifest in job.inputs.items() if manifest in self._planned]
        if job.reason.startswith("Input files updated by another job") and updated:
            return self._following(job, updated)
        return re.sub(r": .*?(?=; [A-Z]|$)", "", job.reason).lower()

    def _nearest(self, job: Job) -> Record | None:
        """The earlier artifact of this name whose spec differs least; of several the latest."""
        named = [record for record in self._records.of_stage(job.stage) if record.name == job.name]
        latest = sorted(named, key=lambda record: record.provenance.get("started") or "", reverse=True)
        return min(latest, key=lambda record: _distance(record.spec, job.spec), default=None)

    # ------------------------------------------------------------------------------ same name, other spec
    def _difference(self, job: Job, record: Record) -> str:
        settings = setting_changes(job.stage, record.spec["config"], job.spec["config"])
        code = self._code(job, record, not settings) if record.spec["code"] != job.spec["code"] else []
        parts = [shortened(settings), shortened(code), self._upstream(job, record, bool(settings or code))]
        return "; ".join(part for part in parts if part) or GONE

    def _code(self, job: Job, record: Record, same_settings: bool) -> list[str]:
        code = job.spec["code"]
        if code not in self._parts:
            lock = ROOT / "envs" / f"{job.environment}.txt"
            self._parts[code] = fingerprint_parts(job.stage, job.spec["config"], lock)
        changes = code_changes(record.provenance.get("code"), self._parts[code], same_settings)
        return changes or (["code changed"] if same_settings else [])

    def _upstream(self, job: Job, record: Record, explained: bool) -> str:
        """The inputs under other keys that are made anew or have other bytes; all of them if nothing else explains."""
        rekeyed = [role for role, key in job.spec["inputs"].items() if record.spec["inputs"].get(role) != key]
        changed = [role for role in rekeyed if self._has_changed(job.inputs[role], record.digests.get(role))]
        roles = changed or ([] if explained else rekeyed)
        return self._following(job, [job.spec["inputs"][role] for role in roles])

    def _has_changed(self, manifest: Path, digest: str | None) -> bool:
        return manifest in self._planned or not manifest.is_file() or manifest_digest(manifest) != digest

    def _following(self, job: Job, keys: list[str]) -> str:
        """`follows train_policy`; jobs of another name than this one's are named, and counted where there are many."""
        stages: dict[str, list[str]] = {}
        for stage, name in sorted(self._names.get(key, ("an input", "")) for key in keys):
            stages.setdefault(stage, []).append(name)
        words, own = [], plain_name(job.stage, job.name)
        for stage, names in stages.items():
            others = {self._labels.of(stage, name) for name in names if plain_name(stage, name) != own}
            shown = f"({len(names)} jobs)" if len(others) > 2 else " and ".join(sorted(others))
            words.append(f"{stage} {shown}".strip())
        return f"follows {shortened(words)}" if words else ""

    # --------------------------------------------------------------------------------------- another name
    def _novelty(self, job: Job) -> str:
        others = {stem(record.name) for record in self._records.of_stage(job.stage)}
        if not others:
            return "new"
        if stem(job.name) in others:
            return "new seed"
        nearest = min(sorted(others), key=lambda name: _name_distance(stem(job.name), name))
        return f"{NEW.get(job.stage, 'new')}, nearest is {self._labels.of(job.stage, nearest)}"


def _distance(old: dict, new: dict) -> tuple[int, bool, int]:
    settings = sum(1 for _ in differences(old["config"], new["config"]))
    return settings, old["code"] != new["code"], sum(old["inputs"].get(r) != key for r, key in new["inputs"].items())


def _name_distance(one: str, other: str) -> int:
    ours, theirs = one.split("."), other.split(".")
    return max(len(ours), len(theirs)) - sum(a == b for a, b in zip(ours, theirs, strict=False))
