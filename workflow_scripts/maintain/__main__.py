"""Look after a results folder: `python -m workflow_scripts.maintain VERB`.

watch     what is running now, with step, total and figures
verify    checksums of every artifact; names what is damaged and what no config refers to
prune     removes artifacts and work directories that this config does not refer to, after asking
accept    records the present code of a stage as equal to the code its artifacts were made with
headline  prints the headline table and where the report is
"""

import argparse
import importlib
import sys
from pathlib import Path

import yaml

from workflow_scripts.artifacts.errors import StageError
from workflow_scripts.artifacts.fingerprint import ROOT
from workflow_scripts.config.graph import Graph
from workflow_scripts.config.load import ConfigError, load_config

VERBS = ("watch", "verify", "prune", "accept", "headline")


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


def load_graph(path: Path) -> Graph:
    """The graph of artifacts of one config file."""
    claims = yaml.safe_load((ROOT / "config" / "claims.yaml").read_text())
    return Graph(load_config(yaml.safe_load(path.read_text())), ROOT, claims)


def _parse(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m workflow_scripts.maintain", description=__doc__.splitlines()[0])
    parser.add_argument("verb", choices=VERBS)
    parser.add_argument("--config", type=Path, default=ROOT / "config" / "nano.yaml", help="default: config/nano.yaml")
    parser.add_argument("--every", type=float, default=2.0, help="seconds between two looks (watch)")
    parser.add_argument("--stage", default="", help="stage whose code is accepted (accept)")
    parser.add_argument("--yes", action="store_true", help="do not ask (prune)")
    return parser.parse_args(argv)


if __name__ == "__main__":
    raise SystemExit(main())
