"""One case module in a process of its own: a JSON line per row, the last word on a failure to the standard error."""

import argparse
import importlib
import json
import os
import sys
from dataclasses import asdict


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("module", help="name of a module in cases/")
    parser.add_argument("--quick", action="store_true")
    args = parser.parse_args()
    lines = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what a library prints is no row
    case = importlib.import_module(f"tests.benchmarks.suite.cases.{args.module}")
    try:
        for row in case.rows(args.quick):
            print(json.dumps(asdict(row)), file=lines, flush=True)
    except Exception as error:
        import traceback

        traceback.print_exc()
        sys.exit(f"{type(error).__name__}: {' '.join(str(error).split())[:300]}")


if __name__ == "__main__":
    main()
