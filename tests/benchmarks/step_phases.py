"""Where the time of an RL step goes, by backend and rollout engine: `python tests/benchmarks/step_phases.py [STEPS]`

Needs vLLM and DeepSpeed in one environment (.venv-vllm). Each case trains the same small policy, 256 responses of 32
tokens a step, for 2 steps to warm up and STEPS (10) that count; prints milliseconds per step by phase, then how far the
engine's log-probabilities were from the trainer's.
"""

import json
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.ranks import launch, work

WARM_UP, WORKER = 2, "tests.benchmarks.step_phases"
CASES = (("single", 1, "inprocess"), ("single", 1, "vllm"), ("zero3", 2, "inprocess"), ("zero3", 2, "vllm"))


def main(steps: int) -> None:
    found = []
    with tempfile.TemporaryDirectory() as folder:
        for backend, world, engine in CASES:
            out = Path(folder) / f"{backend}-{engine}"
            case = {"backend": backend, "engine": engine, "steps": steps, "out": str(out)}
            launch(WORKER, Path(f"{out}.jsonl"), world, [case])
            found.append(json.loads((out / "found.json").read_text()))
    names = [f"{backend} x {world}, {engine}" for backend, world, engine in CASES]
    phases = sorted({phase for one in found for phase in one["phases"]}, key=lambda p: -found[-1]["phases"].get(p, 0))
    print("ms per step".ljust(24) + "".join(f"{name:>24}" for name in names))
    for phase in phases:
        print(f"{phase:24}" + "".join(f"{1000 * one['phases'].get(phase, 0) / steps:24.1f}" for one in found))
    print(f"{'all':24}" + "".join(f"{1000 * one['seconds'] / steps:24.1f}" for one in found))
    for name, one in zip(names, found, strict=True):
        if one["mismatch"]:
            print(f"{name}: " + ", ".join(f"{figure} {value:.3g}" for figure, value in one["mismatch"].items()))


def run(case: dict, ranks) -> None:
    from tests.rl_nano import many_letters, nano_questions, nano_settings
    from tests.vllm.policies import policy
    from workflow_scripts.artifacts import Stage
    from workflow_scripts.artifacts.workdir import WorkDir
    from workflow_scripts.rl.mismatch import FIGURES
    from workflow_scripts.rl.trainer import Trainer

    class Timed(Stage):
        def progress(self, step, *_, **__) -> None:
            if step == WARM_UP:
                self.before, self.started = dict(self.timings), time.perf_counter()

    place = WorkDir(Path(case["out"]), "train_policy", "nano-0000000000")
    if ranks.first:
        place.start()
    stage = Timed({}, {}, place, None, ranks, 10**6)
    settings = nano_settings(
        steps=WARM_UP + case["steps"],
        rollout={"prompts": 8, "samples": 32, "max_tokens": 32, "engine": case["engine"]},
        update={"minibatches": 4, "backend": case["backend"]},
        filter_groups=False,
    )
    model, tokenizer = policy(tied=False)
    trainer = Trainer(
        model=model,
        tokenizer=tokenizer,
        questions=nano_questions(tokenizer),
        settings=settings,
        reward=many_letters,
        stage=stage,
    )
    metrics = trainer.train().metrics[WARM_UP:]
    seconds = time.perf_counter() - stage.started
    if ranks.first:
        phases = {phase: value - stage.before.get(phase, 0.0) for phase, value in stage.timings.items()}
        rows = {figure: [row[figure] for row in metrics] for figure in FIGURES}
        mismatch = {figure: max(values) for figure, values in rows.items()} if case["engine"] == "vllm" else {}
        found = {"phases": phases, "seconds": seconds, "mismatch": mismatch}
        (Path(case["out"]) / "found.json").write_text(json.dumps(found))


if __name__ == "__main__":
    if sys.argv[1:] and Path(sys.argv[1]).is_file():
        work(run)
    else:
        main(int(sys.argv[1]) if sys.argv[1:] else 10)
