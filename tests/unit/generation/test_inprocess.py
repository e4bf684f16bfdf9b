"""The in-process engine samples from the model's own distribution, whatever else is in the batch."""

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from tests.tiny import small_model
from workflow_scripts.generation import EngineSettings, decoder, make_engine
from workflow_scripts.generation.decoder import Pace, Work
from workflow_scripts.generation.inprocess import InProcessEngine
from workflow_scripts.models.tokenizer import train_tokenizer
from workflow_scripts.rl.policy import Policy, all_log_probs

PROMPTS = [[30, 31, 32], [40], [50, 51, 52, 53, 54, 55], [60, 61]]


@pytest.fixture(scope="module")
def policy():
    """A random model whose end token is likely, so that responses differ in length."""
    tokenizer = train_tokenizer([f"{i}+{i}" for i in range(50)], 300, 64)
    model = small_model({"layers": 2, "width": 32, "heads": 2, "mlp": 64, "positions": 64}, tokenizer, 0)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(3)  # a peaked distribution: greedy and sampled decoding have something to get wrong
        model.lm_head.weight[tokenizer.eos_token_id] = model.lm_head.weight.abs().mean(dim=0) * 2
    return model, tokenizer


def generate(policy, prompts=PROMPTS, samples=16, max_tokens=10, temperature=1.0, seed=0):
    return make_engine(EngineSettings(), *policy).generate(
        prompts, samples=samples, max_tokens=max_tokens, temperature=temperature, seed=seed
    )


@torch.no_grad()
def recompute(policy, generation, samples, temperature):
    """Log-probabilities and entropy by one plain forward pass per response."""
    log_probs, entropy = torch.zeros(generation.mask.shape), torch.zeros(generation.mask.shape)
    for row in range(len(generation.text)):
        prompt, length = PROMPTS[row // samples], int(generation.lengths[row])
        sequence = torch.tensor([prompt + generation.tokens[row, :length].tolist()])
        logits = policy[0](input_ids=sequence).logits[0, len(prompt) - 1 : -1]
        plain = torch.log_softmax(logits, dim=-1)
        entropy[row, :length] = -(plain.exp() * plain).sum(dim=-1)
        chosen = torch.log_softmax(logits / temperature, dim=-1)
        log_probs[row, :length] = chosen.gather(1, generation.tokens[row, :length, None]).squeeze(1)
    return log_probs, entropy


@pytest.mark.parametrize("temperature", [1.0, 0.7])
def test_log_probs_and_entropy_are_those_of_the_model(policy, temperature):
    generation = generate(policy, temperature=temperature)
    log_probs, entropy = recompute(policy, generation, 16, temperature)
    torch.testing.assert_close(generation.log_probs, log_probs, rtol=1e-4, atol=2e-5)
    torch.testing.assert_close(generation.entropy, entropy, rtol=1e-4, atol=2e-5)


def test_shape_of_the_result(policy):
    """Samples of a prompt are adjacent; the mask covers the end token; what did not end is truncated."""
    model, tokenizer = policy
    generation = generate(policy)
    assert len(generation.text) == 64 and generation.tokens.shape == generation.mask.shape
    assert generation.tokens.dtype == torch.int64 and generation.mask.dtype == torch.bool
    assert len(set(generation.lengths.tolist())) > 3 and 0 < generation.truncated.sum() < 64
    for tokens, length, cut, text in zip(
        generation.tokens.tolist(),
        generation.lengths.tolist(),
        generation.truncated.tolist(),
        generation.text,
        strict=True,
    ):
        ends = [t for t, token in enumerate(tokens) if token == tokenizer.eos_token_id]
        assert ends == [] and length == 10 if cut else ends == [length - 1]
        assert all(token == tokenizer.pad_token_id for token in tokens[length:])
        assert text == tokenizer.decode(tokens[:length], skip_special_tokens=True)


@torch.no_grad()
def test_greedy_follows_the_most_likely_token(policy):
    generation = generate(policy, samples=1, temperature=0.0)
    for prompt, tokens, length in zip(PROMPTS, generation.tokens.tolist(), generation.lengths.tolist(), strict=True):
        sequence = list(prompt)
        for token in tokens[:length]:
            assert token == int(policy[0](input_ids=torch.tensor([sequence])).logits[0, -1].argmax())
            sequence.append(token)


def test_equal_seeds_repeat_and_others_do_not(policy):
    one, two, other = generate(policy), generate(policy), generate(policy, seed=1)
    assert torch.equal(one.tokens, two.tokens) and torch.equal(one.log_probs, two.log_probs)
    assert one.text != other.text


@pytest.mark.parametrize(
    "pace",
    [
        Pace(slots=512, stride=1, rounding=1, keep=0.0, powers=False),
        Pace(slots=512, stride=1, rounding=1, keep=1.0, powers=False),
        Pace(slots=16, stride=1, rounding=1, keep=0.8, powers=False),
        Pace(slots=20, stride=1, rounding=1, keep=0.5, powers=False),  # slots are filled again before all are free
        Pace(slots=7, stride=2, rounding=4, keep=0.8, powers=True),  # the samples of a prompt do not fit together
        Pace(slots=40, stride=8, rounding=128, keep=0.5, powers=True),
        decoder.PACES["cuda"],
    ],
)
def test_slots_refill_and_dropping_ended_rows_change_nothing(policy, monkeypatch, pace):
    expected = generate(policy)
    monkeypatch.setitem(decoder.PACES, "cpu", pace)
    ours = generate(policy)
    assert torch.equal(ours.tokens, expected.tokens) and torch.equal(ours.truncated, expected.truncated)
    torch.testing.assert_close(ours.log_probs, expected.log_probs, rtol=1e-4, atol=2e-5)


def test_a_prompt_alone_gives_what_it_gives_in_company(policy):
    """Padding to longer prompts is seen by nobody."""
    together = generate(policy, samples=1, temperature=0.0)
    for row, prompt in enumerate(PROMPTS):
        assert generate(policy, [prompt], samples=1, temperature=0.0).text == [together.text[row]]


def test_first_tokens_follow_the_distribution(policy):
    """Frequencies of 4000 first tokens against the model's probabilities, by chi-square."""
    prompt, count = [PROMPTS[0]], 4000
    tokens = generate(policy, prompt, samples=count, max_tokens=1).tokens[:, 0]
    with torch.no_grad():
        probabilities = torch.softmax(policy[0](input_ids=torch.tensor(prompt)).logits[0, -1], dim=-1)
    likely = probabilities * count >= 5
    seen = torch.bincount(tokens, minlength=len(probabilities)).double()
    observed = torch.cat([seen[likely], seen[~likely].sum()[None]])
    expected = torch.cat([probabilities[likely], probabilities[~likely].sum()[None]]).double() * count
    freedom = len(observed) - 1
    statistic = float(((observed - expected) ** 2 / expected).sum())
    assert freedom > 5 and statistic < freedom + 4 * (2 * freedom) ** 0.5


def test_it_reads_the_weights_anew(policy):
    """The engine shares the trainer's weights: an update shows in the next rollout."""
    model, tokenizer = policy
    engine = make_engine(EngineSettings(), model, tokenizer)
    arguments = {"samples": 4, "max_tokens": 6, "temperature": 1.0, "seed": 0}
    before = engine.generate(PROMPTS, **arguments)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(0.5)
    after = engine.generate(PROMPTS, **arguments)
    again = make_engine(EngineSettings(), model, tokenizer).generate(PROMPTS, **arguments)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(2)
    assert before.text != after.text and after.text == again.text
    assert engine.generate(PROMPTS, **arguments).text == before.text


def test_slots_are_kept_from_call_to_call_and_their_past_is_not_seen(policy):
    """Rollouts and validation alternate: more rows or fewer, longer responses or shorter, in the slots of the last."""
    engine = make_engine(EngineSettings(), *policy)
    calls = [(PROMPTS, 16, 10), (PROMPTS[:2], 3, 4), (PROMPTS[2:] * 9, 8, 12), (PROMPTS, 16, 10)]
    for prompts, samples, max_tokens in calls:
        arguments = {"samples": samples, "max_tokens": max_tokens, "temperature": 1.0, "seed": 5}
        ours = engine.generate(prompts, **arguments)
        fresh = make_engine(EngineSettings(), *policy).generate(prompts, **arguments)
        assert torch.equal(ours.tokens, fresh.tokens) and torch.equal(ours.truncated, fresh.truncated)
        torch.testing.assert_close(ours.log_probs, fresh.log_probs, rtol=1e-4, atol=2e-5)
    kept = ours.tokens.clone(), ours.log_probs.clone(), ours.entropy.clone()
    engine.sleep()
    engine.generate(PROMPTS, samples=16, max_tokens=10, temperature=1.0, seed=6)
    assert all(map(torch.equal, kept, (ours.tokens, ours.log_probs, ours.entropy)))  # a result is its caller's own
    engine.close()
    assert engine.decoder.slots is None
    assert engine.generate([], samples=2, max_tokens=4, temperature=1.0, seed=0).text == []


def test_a_part_of_a_batch_gives_what_it_gives_in_the_whole(policy):
    whole = generate(policy)
    part = make_engine(EngineSettings(), *policy).generate(
        PROMPTS[2:], samples=16, max_tokens=10, temperature=1.0, seed=0, first=2
    )
    assert part.text == whole.text[32:]


class OnTheDevice(TorchDispatchMode):
    """Raises where an operation reads or writes a tensor of the host."""

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        result = function(*args, **(kwargs or {}))
        found = [value for value in tree_leaves((args, kwargs, result)) if isinstance(value, torch.Tensor)]
        assert all(tensor.device.type == "meta" for tensor in found), function
        return result


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
def test_a_step_stays_on_its_device(policy, dtype):
    """On a device without values, where reading one raises, in the way that a GPU takes: what a CUDA graph needs."""
    tokenizer = policy[1]
    with torch.device("meta"):
        model = small_model({"layers": 2, "width": 32, "heads": 2, "mlp": 64, "positions": 64}, tokenizer, 0)
    engine = InProcessEngine(model, tokenizer, dtype)
    with torch.no_grad():
        engine.decoder._prepare([Work(PROMPTS[0], 0, 16)], (16, 10))
        with OnTheDevice():
            with pytest.raises(AssertionError, match="aten.lift_fresh"):
                engine.decoder.slots.row[torch.tensor([0])]
            with pytest.raises(RuntimeError, match="item"):
                int(engine.decoder.slots.row.sum())
            for temperature in (1.0, 0.7, 0.0):
                engine.decoder._step(8, 128, temperature)


def test_the_cache_takes_its_share_of_the_memory_and_no_more(policy, monkeypatch):
    """With room for five slots, the samples of a prompt take turns, and what they become is the same."""
    expected = generate(policy)
    engine = make_engine(EngineSettings(), *policy)
    slot = 16 * 2 * 2 * 32 * 4  # places, keys and values, layers, width, bytes
    monkeypatch.setattr(engine.decoder, "_memory", lambda: int(5.5 * slot / decoder.CACHE))
    ours = engine.generate(PROMPTS, samples=16, max_tokens=10, temperature=1.0, seed=0)
    assert engine.decoder.slots.cache.bytes() == 5 * slot
    assert torch.equal(ours.tokens, expected.tokens)
    engine.generate(PROMPTS, samples=16, max_tokens=26, temperature=1.0, seed=0)  # twice the places: half the slots
    assert engine.decoder.slots.cache.bytes() == 2 * 2 * slot


def test_in_bfloat16_it_is_the_trainer_under_autocast(policy):
    """The same rounding where it counts: nearer to the trainer's own passes than these are to single precision."""
    model, tokenizer = policy
    engine = make_engine(EngineSettings(precision="bfloat16"), model, tokenizer)
    for scale in (1.0, 0.5):  # copies of the weights follow them, where they lie
        with torch.no_grad():
            for parameter in model.parameters():
                parameter.mul_(scale)
        places = [layer.qkv.data_ptr() for layer in engine.decoder.passes._weights]
        generation = engine.generate(PROMPTS, samples=16, max_tokens=10, temperature=1.0, seed=0)
        exact, _ = recompute(policy, generation, 16, 1.0)
        with torch.autocast("cpu", torch.bfloat16):
            rows = [prompt for prompt in PROMPTS for _ in range(16)]
            trained, _ = all_log_probs(Policy(model), rows, generation.tokens, generation.mask, budget=1000)
        gap = (generation.log_probs - trained).abs().mean()
        assert 0 < gap < (trained - exact).abs().mean()
    assert [layer.qkv.data_ptr() for layer in engine.decoder.passes._weights] == places
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(2)


def test_unknown_engine_is_refused(policy):
    with pytest.raises(ValueError, match="unknown rollout engine 'magic', allowed: inprocess"):
        make_engine(EngineSettings("magic"), *policy)
