"""Tests with the real vLLM, on a CPU: `make vllm-test`. Without vLLM they are skipped."""

import pytest
import torch

from tests.tiny import small_model

ARCHITECTURE = {"layers": 2, "width": 64, "heads": 2, "mlp": 64, "positions": 256}
COUNT = 200
QUESTIONS = [f"how many are {index} and {index % 7}?" for index in range(COUNT)]
ANSWERS = [str(index + index % 5) for index in range(COUNT)]
REFERENCES = [str(index + index % 7) for index in range(COUNT)]


@pytest.fixture(scope="session")
def model_dir(tmp_path_factory):
    """A judge with random weights that says YES to about half of the triples, and now and then neither."""
    pytest.importorskip("vllm", reason="needs vLLM: make vllm-test")
    from workflow_scripts.models.loading import save_model
    from workflow_scripts.models.tokenizer import train_tokenizer

    tokenizer = train_tokenizer(["how many are three and 4?", *["YES", "NO"] * 9], 300, 256)
    model = small_model(ARCHITECTURE, tokenizer, seed=3)
    give_opinions(model, tokenizer)
    folder = tmp_path_factory.mktemp("judge")
    save_model(model, tokenizer, folder)
    return folder


@torch.no_grad()
def give_opinions(model, tokenizer) -> None:
    """Let the rows of YES and NO in the head look along the direction in which the triples differ most."""
    from workflow_scripts.rewards.judge import Judge
    from workflow_scripts.rewards.judge_engines.inprocess import InProcessEngine

    judge = Judge(InProcessEngine(model), tokenizer, "judge_nano")
    triples = zip(QUESTIONS, ANSWERS, REFERENCES, strict=True)
    hidden = torch.stack([model.base_model(torch.tensor([judge.encode(*t)])).last_hidden_state[0, -1] for t in triples])
    mean = hidden.mean(0)
    direction = torch.linalg.svd(hidden - mean).Vh[0]
    spread = ((hidden - mean) @ direction).std()
    across = 2 * (direction - direction @ mean / (mean @ mean) * mean) / spread
    along = 4.5 * mean / (mean @ mean)  # a logit of about 4.5 for both: most of the mass, not always
    model.lm_head.weight[judge.tokens.yes[0]] = along + across
    model.lm_head.weight[judge.tokens.no[0]] = along - across
