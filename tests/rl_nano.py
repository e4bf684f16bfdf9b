"""A nano policy with random weights and a small task, shared by the tests of the RL core."""

import numpy as np
import torch

from tests.tiny import small_model
from workflow_scripts.generation import EngineSettings, make_engine
from workflow_scripts.models.tokenizer import train_tokenizer
from workflow_scripts.rewards import RewardBatch, RewardResult
from workflow_scripts.rl.advantages import compute_advantages
from workflow_scripts.rl.batch import Rollouts
from workflow_scripts.rl.rollout import Questions, sample
from workflow_scripts.rl.settings import Settings

ARCHITECTURE = {"layers": 2, "width": 32, "heads": 2, "mlp": 64, "positions": 64}
COUNT = 12
PROMPTS = [f"{a}+{a + 3}=?" for a in range(COUNT)]


def nano_policy(seed=0, tied=False):
    """(model, tokenizer); equal seeds give equal weights. `tied`: the embedding is the head, too."""
    tokenizer = train_tokenizer([f"{prompt}\n{index}" for index, prompt in enumerate(PROMPTS)] * 2, 300, 64)
    model = small_model(ARCHITECTURE, tokenizer, seed)
    if tied:
        model.config.tie_word_embeddings = True
        model.tie_weights()
    return model, tokenizer


def nano_questions(tokenizer):
    columns = {
        "question_id": [f"q{index}" for index in range(COUNT)],
        "subject": ["even" if index % 2 == 0 else "odd" for index in range(COUNT)],
        "prompt": PROMPTS,
        "reference": [str(2 * index + 3) for index in range(COUNT)],
    }
    return Questions(columns, tokenizer, "policy_nano")


def many_letters(batch: RewardBatch) -> RewardResult:
    """A reward that an untrained policy varies in: the share of ASCII letters; right from a quarter on."""
    shares = [sum(c.isascii() and c.isalpha() for c in text) / max(1, len(text)) for text in batch.responses]
    values = np.array(shares, dtype=np.float32)
    return RewardResult(values, values >= 0.25, values)


def nano_settings(**changes):
    """Settings of a short run; a change is a top-level section, merged into it where both are dicts."""
    config = {
        "seed": 3,
        "steps": 4,
        "template": "policy_nano",
        "rollout": {"prompts": 4, "samples": 4, "max_tokens": 8},
        "update": {"minibatches": 2, "lr": 1e-3},
        "advantage": {"name": "grpo", "options": {}},
        "loss": {"name": "ppo_clip", "options": {}},
    }
    for name, value in changes.items():
        config[name] = {**config[name], **value} if isinstance(config.get(name), dict) else value
    return Settings.from_config(config)


def nano_rollouts():
    """32 rollouts of another policy than the one that is updated, so that ratios differ from one."""
    model, tokenizer = nano_policy()
    questions = nano_questions(tokenizer)
    engine = make_engine(EngineSettings(), model, tokenizer)
    sampled = sample(engine, questions, list(range(8)), samples=4, max_tokens=8, temperature=1.0, seed=0)
    generation, groups = sampled.generation, torch.arange(32) // 4
    result = many_letters(sampled.reward_batch(questions))
    rewards = torch.from_numpy(result.values)
    noise = 0.1 * torch.randn(generation.mask.shape, generator=torch.Generator().manual_seed(0))
    return Rollouts(
        prompts=sampled.prompts,
        tokens=generation.tokens,
        mask=generation.mask,
        groups=groups,
        truncated=generation.truncated,
        old_log_probs=generation.log_probs + noise * generation.mask,
        entropy=generation.entropy,
        rewards=rewards,
        verdicts=torch.from_numpy(result.verdicts),
        advantages=compute_advantages("grpo", rewards=rewards, groups=groups, mask=generation.mask),
        ref_log_probs=generation.log_probs - noise * generation.mask,
    )
