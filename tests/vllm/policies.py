"""A policy that vLLM's CPU build can run (heads of width 32), tied or not, with more rows in its head than tokens."""

import torch
from transformers.models.qwen2.modeling_qwen2 import Qwen2Config, Qwen2ForCausalLM

from tests.rl_nano import PROMPTS, nano_settings
from workflow_scripts.models.tokenizer import train_tokenizer
from workflow_scripts.ranks import Ranks
from workflow_scripts.rl.backends import make_backend
from workflow_scripts.rl.policy import Policy, all_log_probs
from workflow_scripts.rl.policy_engine import PolicyEngine, sharded_engine

SPARE = 16  # rows of the head that stand for nothing
TOLERANCE = 1e-4


def policy(tied, seed=0):
    """(model, tokenizer); equal seeds give equal weights."""
    tokenizer = train_tokenizer([f"{prompt}\n{index}" for index, prompt in enumerate(PROMPTS)] * 2, 300, 64)
    torch.manual_seed(seed)
    config = Qwen2Config(
        vocab_size=len(tokenizer) + SPARE,
        hidden_size=64,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=1,
        max_position_embeddings=256,
        tie_word_embeddings=tied,
        initializer_range=0.1,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    return Qwen2ForCausalLM(config).eval(), tokenizer


def vocabulary(model, tokenizer):
    return torch.arange(model.config.vocab_size) < len(tokenizer)


def prompts(tokenizer, count=6, length=70):
    """Token ids, over two blocks of the prefix cache long."""
    generator = torch.Generator().manual_seed(count)
    return torch.randint(5, len(tokenizer), (count, length), generator=generator).tolist()


def settings(**changes):
    rollout = {"engine": "vllm"} | changes.pop("rollout", {})
    return nano_settings(rollout=rollout, **changes)


def engine_of(model, tokenizer, ranks=None, backend="single", **rollout):
    """A `PolicyEngine` on a backend for `model`."""
    ranks, chosen = ranks or Ranks(), settings(rollout=rollout, update={"backend": backend})
    made = make_backend(model, chosen.update, ranks, vocabulary(model, tokenizer))
    engine = sharded_engine(chosen, model, tokenizer, ranks)
    return PolicyEngine(engine, made, chosen, ranks, prompts(tokenizer))


def gap(engine, model, tokenizer, temperature=1.0, **changes):
    """Largest |log p engine - log p transformers| of sampled tokens, and the generation."""
    asked = prompts(tokenizer)
    generation = engine.generate(asked, samples=2, max_tokens=20, temperature=temperature, seed=5, **changes)
    rows = [prompt for prompt in asked for _ in range(2)]
    forward = Policy(model, vocabulary=vocabulary(model, tokenizer))
    own, _ = all_log_probs(
        forward, rows, generation.tokens, generation.mask, budget=4096, temperature=temperature or 1.0
    )
    return float((own - generation.log_probs).abs().max()), generation


@torch.no_grad()
def disturb(model, seed=1):
    """Another policy in the same parameters."""
    generator = torch.Generator().manual_seed(seed)
    for parameter in model.parameters():
        parameter.add_(0.03 * torch.randn(parameter.shape, generator=generator))
