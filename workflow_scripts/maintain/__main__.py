"""Look after a results folder: `python -m workflow_scripts.maintain VERB`.

watch     what is running now, with step, total and figures
jobs      from each artifact to its state, SLURM job, host and logs
verify    checksums, tables and inputs of every artifact; names what is damaged and what no config refers to
repair    restores what is damaged or missing, or computes it again; nothing else runs
prune     removes what no config of the same results root refers to, after asking
lock      writes lock.json: the checksum of every present artifact, made to be kept in git
accept    records the present code of a stage as equal to the code its artifacts were made with
headline  prints the headline table and where the report is
"""

import argparse
import importlib
import shlex
import sys
from pathlib import Path

from workflow_scripts.artifacts.errors import StageError
from workflow_scripts.artifacts.fingerprint import ROOT
from workflow_scripts.config.load import ConfigError
from workflow_scripts.maintain.graphs import load_graph

VERBS = ("watch", "jobs", "verify", "repair", "prune", "lock", "accept", "headline")


def main(argv: list[str] | None = None) -> int:
    """Each verb is the function of that name in the module of that name: (graph, results root, options) -> status."""
    args = _parse(argv)
    try:
        verb = getattr(importlib.import_module(f"workflow_scripts.maintain.{args.verb}"), args.verb)
        graph = load_graph(args.config)
        return verb(graph, Path(graph.config.results), args)
    except (ConfigError, StageError, ValueError, OSError) as error:
        print(f"{args.verb}: {error}", file=sys.stderr)
        return 1


def _parse(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m workflow_scripts.maintain", description=__doc__.splitlines()[0])
    parser.add_argument("verb", choices=VERBS)
    parser.add_argument("--config", type=Path, default=ROOT / "config" / "nano.yaml", help="default: config/nano.yaml")
    parser.add_argument("--every", type=float, default=2.0, help="seconds between two looks (watch)")
    parser.add_argument("--name", default="*", help="shell pattern of the artifacts to list (jobs)")
    parser.add_argument("--stage", default="", help="stage whose code is accepted (accept)")
    parser.add_argument("--yes", action="store_true", help="do not ask (prune)")
    parser.add_argument("--stale", action="store_true", help="also what was made from another content (repair)")
    parser.add_argument("--snakemake", type=shlex.split, default=[], metavar="OPTIONS", help="for snakemake (repair)")
    return parser.parse_args(argv)


if __name__ == "__main__":
    raise SystemExit(main())
