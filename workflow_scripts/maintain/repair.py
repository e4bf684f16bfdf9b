"""`make repair`: restores what is damaged or missing from its intact copy, or computes it again; nothing else runs."""

import argparse
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from workflow_scripts.artifacts.errors import StageError
from workflow_scripts.artifacts.fingerprint import ROOT
from workflow_scripts.artifacts.keys import file_digest
from workflow_scripts.artifacts.manifest import LOCK, read_json
from workflow_scripts.artifacts.provenance import read_provenance
from workflow_scripts.artifacts.workdir import WorkDir
from workflow_scripts.config.graph import Graph
from workflow_scripts.maintain.findings import Inspection, made_from_others
from workflow_scripts.maintain.graphs import artifacts_of, sharing_graphs
from workflow_scripts.maintain.published import refuse_running, work_folders


def repair(graph: Graph, results: Path, args: argparse.Namespace) -> int:
    """Exit status 1 where something could not be made again."""
    refuse_running(work_folders(results))
    graphs, _ = sharing_graphs(args.config, graph)
    inspection = Inspection(results, artifacts_of(graphs, results))
    kinds = {"damaged", "missing", "misfit"} | ({"stale"} if args.stale else set())
    found = [finding for finding in inspection.findings if finding.kind in kinds]
    print("\n".join(map(str, found)) or "nothing to repair", flush=True)
    _mend_work(inspection, {finding.work for finding in found if finding.work})
    for part in [finding.part for finding in found if finding.part]:
        shutil.rmtree(part)
        print(f"removed: {part}")
    _forget_work(inspection, {finding.manifest for finding in found if finding.kind in ("misfit", "stale")})
    wanted = {finding.manifest for finding in found if finding.manifest}
    made = _make_again(graphs, inspection, wanted & inspection.known.keys(), args.snakemake)
    return 0 if made == wanted else 1


def _mend_work(inspection: Inspection, damaged: set[Path]) -> None:
    """Take damaged finished artifacts from their published files where these are intact; let the others go."""
    intact = {inspection.work_of(inspection.known[m]): m for m in inspection.manifests if m in inspection.known}
    for path in sorted(damaged):
        work = WorkDir(path.parent.parent, path.parent.name, path.name)
        with work.lock():
            if path in intact:
                work.keep(intact[path])
            else:
                shutil.rmtree(work.done)
        print(f"{'restored' if path in intact else 'removed'}: {work.done}")


def _forget_work(inspection: Inspection, manifests: set[Path]) -> None:
    """A finished artifact is restored by its key: to be computed again, it must go."""
    for manifest in manifests:
        shutil.rmtree(inspection.work_of(inspection.known[manifest]) / "done", ignore_errors=True)


def _make_again(graphs: dict[Path, Graph], inspection: Inspection, wanted: set[Path], options: list[str]) -> set[Path]:
    """Let snakemake make these manifests, each under the first config that refers to it; those that it made."""
    results, before, began = inspection.results, _checksums(inspection), datetime.now(UTC).isoformat(timespec="seconds")
    rest = set(wanted)
    with _set_aside(wanted):
        for config, graph in graphs.items():
            own = [artifact.manifest for artifact in graph.artifacts if results / artifact.manifest in rest]
            rest -= {results / manifest for manifest in own}
            if own:
                _snakemake(config, [f"{graph.config.results}/{manifest}" for manifest in own], options)
        made = {manifest for manifest in wanted if manifest.is_file()}
    for manifest in sorted(made):
        print(_outcome(manifest, before.get(manifest), began))
    for manifest in sorted(wanted - made):
        print(f"not repaired: {manifest.parent}")
    for manifest, upstream in made_from_others(results, inspection.known, inspection.unreadable - made, file_digest):
        if upstream in made:
            print(f"{manifest.parent} was made from the old content; make repair ARGS=--stale makes it again")
    return made


def _outcome(manifest: Path, before: str | None, began: str) -> str:
    done = "computed" if read_provenance(manifest.parent)["started"] >= began else "restored"
    after = {None: "", file_digest(manifest): ": the same bytes as before"}
    return f"{done}: {manifest.parent}{after.get(before, ': other bytes than before')}"


def _checksums(inspection: Inspection) -> dict[Path, str]:
    """sha256 of the manifests as they were: of those that are readable, else as lock.json has them."""
    try:
        noted = {inspection.results / path: checksum for path, checksum in read_json(inspection.results / LOCK).items()}
    except (StageError, AttributeError):
        noted = {}
    return noted | {manifest: file_digest(manifest) for manifest in inspection.manifests.keys() - inspection.unreadable}


@contextmanager
def _set_aside(manifests: set[Path]) -> Iterator[None]:
    """Out of snakemake's sight, and back where nothing has taken their place."""
    aside = {manifest: manifest.with_name(f".{manifest.name}.damaged") for manifest in manifests if _stands(manifest)}
    try:
        for manifest, hidden in aside.items():
            manifest.rename(hidden)
        yield
    finally:
        for manifest, hidden in aside.items():
            if manifest.is_file():
                hidden.unlink(missing_ok=True)
            elif _stands(hidden):
                hidden.rename(manifest)


def _stands(path: Path) -> bool:
    """Whether there is a file, or a link that leads nowhere."""
    return path.is_file() or path.is_symlink()


def _snakemake(config: Path, targets: list[str], options: list[str]) -> None:
    command = [sys.executable, "-m", "snakemake", *targets, "--snakefile", str(ROOT / "Snakefile")]
    command += ["--configfile", str(config), "--quiet", "reason", "host"]
    profile = ["--workflow-profile", str(ROOT / "config" / "profiles" / "local")]
    subprocess.run([*command, *profile, *options])
