"""Fine-tuning of a tiny judge under a backend, started by torchrun or python: one JSON case per line of the file.

A case: `backend`, `budget` (tokens per micro-batch), `folder` for checkpoints, `stop` (end after one step, saved) and
`out`, into which rank 0 writes the weights, and the table into `out`.json.
"""

import json
import random
from pathlib import Path

from safetensors.torch import save_file

from tests.ranks import work
from tests.tiny import small_model
from workflow_scripts.artifacts import Stage, StageError
from workflow_scripts.artifacts.workdir import WorkDir
from workflow_scripts.models.sft import BETAS, Schedule, fit
from workflow_scripts.models.tokenizer import train_tokenizer
from workflow_scripts.rl.backends import make_backend
from workflow_scripts.rl.settings import UpdateSettings

ARCHITECTURE = {"layers": 2, "width": 32, "heads": 2, "mlp": 64, "positions": 64}
YES, NO = [5], [6]


def make_stage(case: dict, ranks) -> Stage:
    work = WorkDir(Path(case["folder"]), "distill_judge", "nano-0000000000")
    if ranks.first:
        work.start()
    ranks.share(None)
    return Stage({}, {}, work, 0.0 if case.get("stop") else None, ranks)


def run(case: dict, ranks) -> None:
    draw = random.Random(0)
    prompts = [[draw.randrange(7, 200) for _ in range(draw.randrange(3, 20))] for _ in range(37)]
    examples = [(prompt, YES if sum(prompt) % 2 else NO) for prompt in prompts]
    model = small_model(ARCHITECTURE, train_tokenizer(["1+1", "YES", "NO"] * 20, 300, 64), seed=0)
    backend = make_backend(model, UpdateSettings(1, 1e-2, betas=BETAS, backend=case["backend"]), ranks)
    schedule = Schedule(steps=6, batch=9, lr=1e-2, warmup=2, seed=1, micro_batch_tokens=case["budget"])
    try:
        rows = fit(backend, examples, schedule, make_stage(case, ranks))
    except StageError:
        assert case.get("stop")
        return
    if ranks.first:
        weights = {name: values.detach().float().clone() for name, values in backend.rollout_model.named_parameters()}
        save_file(weights, case["out"])
        Path(case["out"]).with_suffix(".json").write_text(json.dumps(rows))


if __name__ == "__main__":
    work(run)
