"""The headline table of the report and where the page is; the last lines of `make run`."""

import argparse
from pathlib import Path

from workflow_scripts.artifacts.errors import StageError
from workflow_scripts.config.graph import Graph


def headline(graph: Graph, results: Path, args: argparse.Namespace) -> int:
    """Print the headline table of the report."""
    table = results / "report" / "headline.txt"
    if not table.is_file():
        raise StageError(f"{table}: no report yet")
    print(f"\n{table.read_text()}\nReport: {results / 'report' / 'index.html'}")
    return 0
