"""Labels per second of the judge engines on this machine, and whether they give the same labels.

    .venv-vllm/bin/python tests/benchmarks/label_speed.py --model results/models/teacher.s0-KEY/model
        [--rows 4000] [--engines inprocess vllm served] [--template judge_nano] [--batch 256] [--seed 0]

Rows are pairs of the nano world, all different, content-free answers included. Loading the engine is timed apart: a
label run pays it once. The first engine is the measure of the others' labels.
"""

import argparse
import tempfile
import time
from pathlib import Path

import numpy as np

from workflow_scripts.data.nano_world import pair_table, read_settings
from workflow_scripts.rewards.judge import Judge, Scores, judge_answers
from workflow_scripts.rewards.judge_engines import JUDGE_ENGINES, EngineSettings, Job


def main() -> None:
    args = parse()
    columns, _ = pair_table(args.rows, "held_out", None, read_settings(None), args.seed)
    rows = [columns[name] for name in ("prompt", "answer", "reference")]
    print(f"{args.model}: {len(rows[0])} rows, {len(set(zip(*rows, strict=True)))} different, batch {args.batch}")
    first = None
    for engine in args.engines:
        seconds, scores = measure(engine, rows, args)
        first = first or scores
        speed = len(rows[0]) / seconds[1]
        print(f"{engine:10} start {seconds[0]:6.1f} s, {speed:8.0f} labels/s, {compare(first, scores)}")


def measure(engine: str, rows: list[list[str]], args: argparse.Namespace) -> tuple[tuple[float, float], Scores]:
    """((seconds to start, seconds to label), scores); a first call of one row is part of the start."""
    settings = EngineSettings(engine=engine, batch=args.batch)
    with tempfile.TemporaryDirectory() as folder:
        begun = time.perf_counter()
        with Judge.load(args.model, args.template, settings=settings, job=Job(log=Path(folder) / "log")) as judge:
            judge_answers(judge, *(column[:1] for column in rows))
            started = time.perf_counter()
            scores = judge_answers(judge, *rows)
            return (started - begun, time.perf_counter() - started), scores


def compare(first: Scores, scores: Scores) -> str:
    """How far the scores are from the first engine's."""
    differing = int((first.verdicts != scores.verdicts).sum())
    gap = max(np.abs(first.p_yes - scores.p_yes).max(), np.abs(first.mass - scores.mass).max())
    share = f"{scores.verdicts.mean():.3f} YES, {scores.low_mass.sum()} of low mass"
    return f"{differing} labels differ, P(YES) and mass by at most {gap:.1e} ({share})"


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--rows", type=int, default=4000)
    parser.add_argument("--engines", nargs="+", choices=JUDGE_ENGINES, default=["inprocess", "vllm", "served"])
    parser.add_argument("--template", default="judge_nano")
    parser.add_argument("--batch", type=int, default=256)
    parser.add_argument("--seed", type=int, default=0)
    return parser.parse_args()


if __name__ == "__main__":  # vLLM starts processes that import this module
    main()
