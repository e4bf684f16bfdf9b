"""Run the cases, each in a process of its own on one thread; print a line per row; write table and page."""

import argparse
import ast
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.benchmarks.suite import table
from tests.benchmarks.suite.measure import Row
from tests.benchmarks.suite.page import PAGE, render
from tests.project import ROOT

CASES = Path(__file__).parent / "cases"


def main() -> None:
    args = parse()
    shared, failed = table.circumstances(args.quick), []
    for module in args.only or case_names():
        print(f"{module}:", flush=True)
        try:
            for row in run(module, args.quick):
                rows = table.append(args.out, [table.record(row, module, shared)])
                print(f"  {line(row)}", flush=True)
                write_page(args.out, rows)
        except RuntimeError as error:
            failed.append(module)
            print(f"  {module} failed: {error}", file=sys.stderr, flush=True)
    if (args.out / PAGE).exists():
        print(f"{args.out / PAGE}, {args.out / table.TABLE}")
    if failed:
        sys.exit(f"bench: failed: {', '.join(failed)}")


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.suite", description=__doc__)
    parser.add_argument("--only", nargs="+", metavar="NAME", choices=case_names(), help=", ".join(case_names()))
    parser.add_argument("--quick", action="store_true", help="small sizes, few repetitions: does it work at all")
    parser.add_argument("--out", type=Path, help="folder of table and page (results/benchmarks; quick/ in it if quick)")
    args = parser.parse_args()
    args.out = args.out or ROOT / "results" / "benchmarks" / ("quick" if args.quick else "")
    return args


def case_names() -> list[str]:
    return sorted(path.stem for path in CASES.glob("[a-z]*.py"))


def run(module: str, quick: bool) -> Iterator[Row]:
    """The rows of a case as they come. RuntimeError with its last line if it fails; the rows before stand."""
    command = [sys.executable, "-m", "tests.benchmarks.suite.worker", module, *(["--quick"] if quick else [])]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT), "TOKENIZERS_PARALLELISM": "false"}
    with tempfile.TemporaryFile("w+") as log:
        with subprocess.Popen(
            command, cwd=ROOT, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=log, text=True
        ) as worker:
            for found in worker.stdout:
                yield Row(**json.loads(found))
        if worker.returncode != 0:
            log.seek(0)
            raise RuntimeError((log.read().strip().splitlines() or [f"exit status {worker.returncode}"])[-1])


def line(row: Row) -> str:
    """One line for the terminal."""
    name = f"{row.group} · {row.case} · {row.ours} against {row.other} ({row.device})"
    if row.median is None:
        return f"{name}: {row.note}"
    share = "" if row.peak_share is None else f", {row.peak_share:.1%} of the peak"
    met = {True: ", target met", False: ", target missed", None: ""}[row.met]
    target = f" ({row.target:g} x wanted)" if row.target is not None else ""
    return f"{name}: {row.median:.2f} x ({row.low:.2f} to {row.high:.2f}){share}{met}{target}"


def write_page(folder: Path, rows: list[dict[str, Any]]) -> None:
    docs = {name: ast.get_docstring(ast.parse((CASES / f"{name}.py").read_text())) or "" for name in case_names()}
    (folder / PAGE).write_text(render(table.newest(rows), docs), encoding="utf-8")


if __name__ == "__main__":
    main()
