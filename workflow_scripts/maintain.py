"""Look after a results folder: `python -m workflow_scripts.maintain watch|verify|prune|accept|headline`.

watch     what is running now, with step, total and figures
verify    checksums of every artifact; names what is damaged and what no config refers to
prune     removes artifacts and work directories that this config does not refer to, after asking
accept    records the present code of a stage as equal to the code its artifacts were made with
headline  prints the headline table and where the report is
"""

import argparse
import shutil
import sys
import time
from pathlib import Path

import yaml

from workflow_scripts.artifacts.errors import StageError
from workflow_scripts.artifacts.fingerprint import ROOT
from workflow_scripts.artifacts.lock import is_held
from workflow_scripts.artifacts.manifest import damage, read_json
from workflow_scripts.artifacts.provenance import read_provenance
from workflow_scripts.config.graph import FOLDERS, STABLE, Graph
from workflow_scripts.config.load import ConfigError, load_config
from workflow_scripts.config.references import STAGES


def main(argv: list[str] | None = None) -> int:
    args = _parse(argv)
    try:
        graph = load_graph(args.config)
        return VERBS[args.verb](graph, Path(graph.config.results), args)
    except (ConfigError, StageError, ValueError, OSError) as error:
        print(f"{args.verb}: {error}", file=sys.stderr)
        return 1


def load_graph(path: Path) -> Graph:
    """The graph of artifacts of one config file."""
    claims = yaml.safe_load((ROOT / "config" / "claims.yaml").read_text())
    return Graph(load_config(yaml.safe_load(path.read_text())), ROOT, claims)


def watch(graph: Graph, results: Path, args: argparse.Namespace) -> int:
    """Every few seconds, one line per running stage, until none runs."""
    while running := [lock for lock in sorted((results / "work").glob("*/*/lock")) if is_held(lock)]:
        for lock in running:
            progress = lock.parent / "progress.json"
            state = read_json(progress) if progress.is_file() else {}
            figures = " ".join(f"{name} {value:.4g}" for name, value in state.items() if name not in ("step", "total"))
            steps = f"{state['step']}/{state['total']}" if state else "starting"
            print(f"{lock.parent.parent.name:16} {lock.parent.name:60} {steps:>9} {figures}")
        print()
        time.sleep(args.every)
    print("nothing is running")
    return 0


def verify(graph: Graph, results: Path, args: argparse.Namespace) -> int:
    """Exit status 1 when an artifact is damaged."""
    known, damaged, orphaned, intact = _known(graph, results), 0, 0, 0
    for manifest in _manifests(results):
        wrong = damage(manifest.parent, read_json(manifest))
        damaged, intact = damaged + bool(wrong), intact + (not wrong)
        for name in wrong:
            print(f"damaged: {manifest.parent / name}")
        if manifest not in known:
            orphaned += 1
            print(f"orphaned: {manifest.parent} (this config does not refer to it)")
    print(f"{intact} artifacts intact, {damaged} damaged, {orphaned} orphaned")
    return 1 if damaged else 0


def prune(graph: Graph, results: Path, args: argparse.Namespace) -> int:
    """Ask, then remove what this config does not refer to."""
    known = _known(graph, results)
    work = {results / "work" / artifact.stage / artifact.identity for artifact in graph.artifacts}
    orphans = [m.parent for m in _manifests(results) if m not in known and m.name == "manifest.json"]
    orphans += [path for path in sorted((results / "work").glob("*/*-??????????")) if path not in work]
    if held := [path for path in orphans if is_held(path / "lock")]:
        raise StageError(f"{held[0]}: in use; wait for it, or end it")
    if not orphans:
        print("nothing to prune")
        return 0
    for path in orphans:
        print(path)
    size = sum({f.stat().st_ino: f.stat().st_size for p in orphans for f in p.rglob("*") if f.is_file()}.values())
    question = f"Remove these {len(orphans)} folders ({size / 1e6:.0f} MB)? [y/N] "
    if not args.yes and input(question).strip().lower() != "y":
        print("nothing removed")
        return 1
    for path in orphans:
        shutil.rmtree(path)
    for pointer in (results / "work" / "same").glob("*"):
        if not (results / "work" / pointer.read_text().strip()).is_dir():
            pointer.unlink()
    return 0


def accept(graph: Graph, results: Path, args: argparse.Namespace) -> int:
    """For each missing artifact of the stage, accept the code of a present one of equal name and config."""
    if args.stage not in STAGES:
        raise StageError(f"STAGE={args.stage!r} is not one of {', '.join(STAGES)}")
    pairs = {}
    for artifact in graph.of_stage(args.stage).values():
        if (results / artifact.manifest).is_file():
            continue
        for manifest in _manifests(results, args.stage):
            made = read_provenance(manifest.parent)
            if made["spec"]["config"] == artifact.config and made["name"] == artifact.name:
                pairs[artifact.here] = made["spec"]["code"]
    for new, old in pairs.items():
        graph.accepted.accept(args.stage, new, old)
        print(f"{args.stage}: code {new[:10]} accepted as equal to {old[:10]}")
    if not pairs:
        print(f"{args.stage}: no present artifact differs in code alone; nothing to accept")
    return 0


def headline(graph: Graph, results: Path, args: argparse.Namespace) -> int:
    """Print the headline table of the report."""
    table = results / "report" / "headline.txt"
    if not table.is_file():
        raise StageError(f"{table}: no report yet")
    print(f"\n{table.read_text()}\nReport: {results / 'report' / 'index.html'}")
    return 0


VERBS = {"watch": watch, "verify": verify, "prune": prune, "accept": accept, "headline": headline}


def _known(graph: Graph, results: Path) -> set[Path]:
    return {results / artifact.manifest for artifact in graph.artifacts}


def _manifests(results: Path, stage: str | None = None) -> list[Path]:
    """All published manifests below a results root, or those of a stage."""
    stages = [stage] if stage else STAGES
    found = set()
    for name in stages:
        pattern = "manifest-*.json" if name in STABLE else "*/manifest.json"
        found |= set((results / FOLDERS[name] / STABLE.get(name, "")).glob(pattern))
    return sorted(m for m in found if stage is None or read_provenance(m.parent)["stage"] == stage)


def _parse(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m workflow_scripts.maintain", description=__doc__.splitlines()[0])
    parser.add_argument("verb", choices=list(VERBS))
    parser.add_argument("--config", type=Path, default=ROOT / "config" / "nano.yaml", help="default: config/nano.yaml")
    parser.add_argument("--every", type=float, default=2.0, help="seconds between two looks (watch)")
    parser.add_argument("--stage", default="", help="stage whose code is accepted (accept)")
    parser.add_argument("--yes", action="store_true", help="do not ask (prune)")
    return parser.parse_args(argv)


if __name__ == "__main__":
    raise SystemExit(main())
