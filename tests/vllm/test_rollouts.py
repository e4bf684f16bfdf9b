"""vLLM's engine in the trainer's process: the trainer's log-probabilities, before and after every update."""

import pytest
import torch

pytest.importorskip("vllm", reason="needs vLLM: make vllm-test")

from tests.rl_nano import nano_settings
from tests.unit.rl.test_trainer import assert_same, make_trainer, outcome
from tests.vllm.policies import SPARE, TOLERANCE, disturb, engine_of, gap, policy, prompts
from workflow_scripts.artifacts import StageError
from workflow_scripts.generation import EngineSettings, make_engine, open_engine, vllm_api
from workflow_scripts.models.loading import save_model
from workflow_scripts.ranks import Ranks
from workflow_scripts.rl.sharded import ShardedEngine


@pytest.fixture(scope="module", params=[False, True], ids=["untied", "tied"])
def started(request):
    """(model, tokenizer, engine), the engine started once and loaded."""
    model, tokenizer = policy(request.param)
    engine = engine_of(model, tokenizer)
    engine.follow()
    yield model, tokenizer, engine
    engine.close()


@pytest.fixture
def ready(started):
    """The same with engine and model in agreement, whatever a test before has done."""
    started[2].follow()
    return started


@pytest.mark.parametrize("temperature", [1.0, 0.7])
def test_log_probs_are_the_trainers_before_and_after_an_update(ready, temperature):
    model, tokenizer, engine = ready
    before, _ = gap(engine, model, tokenizer, temperature)
    disturb(model)
    stale, _ = gap(engine, model, tokenizer, temperature)
    engine.follow()
    after, generation = gap(engine, model, tokenizer, temperature)
    assert before < TOLERANCE and after < TOLERANCE < 1e-2 < stale
    assert generation.entropy is None and generation.mask.sum() > 100


def test_after_an_update_and_a_sleep_too(ready):
    model, tokenizer, engine = ready
    engine.sleep()
    with pytest.raises(RuntimeError, match="no weights"):
        gap(engine, model, tokenizer)
    disturb(model)
    engine.follow()
    assert gap(engine, model, tokenizer)[0] < TOLERANCE


def test_the_prefix_cache_is_used_and_does_not_outlive_the_weights(ready, monkeypatch):
    model, tokenizer, engine = ready
    inner = engine.engine.engine
    requests = [{"prompt_token_ids": prompt} for prompt in prompts(tokenizer)]
    from vllm import SamplingParams

    inner._llm.generate(requests, SamplingParams(max_tokens=1, detokenize=False), use_tqdm=False)
    again = inner._llm.generate(requests, SamplingParams(max_tokens=1, detokenize=False), use_tqdm=False)
    assert all(request.num_cached_tokens >= 64 for request in again)
    disturb(model)
    engine.follow()
    assert gap(engine, model, tokenizer)[0] < TOLERANCE
    monkeypatch.setattr(vllm_api, "forget_prefixes", lambda llm: None)
    disturb(model)
    with pytest.raises(StageError, match="does not run the trainer's weights"):
        engine.follow()
    assert gap(engine, model, tokenizer)[0] > 100 * TOLERANCE


@pytest.mark.parametrize("missing", ["embed_tokens", "down_proj", "lm_head"])
def test_the_probe_catches_a_load_that_leaves_old_weights(ready, missing, monkeypatch):
    model, tokenizer, engine = ready
    if missing == "lm_head" and model.config.tie_word_embeddings:
        monkeypatch.setattr(engine.engine.engine, "_other_names", {})  # what vLLM does to a tied head by itself
    elif missing == "embed_tokens" and model.config.tie_word_embeddings:
        pytest.skip("the head has the same name")
    whole = engine.backend.weights
    monkeypatch.setattr(
        engine.backend, "weights", lambda: ((name, value) for name, value in whole() if missing not in name)
    )
    disturb(model)
    with pytest.raises(StageError, match=r"vllm does not run the trainer's weights: after update 0 .* 0.0001 is"):
        engine.follow()


def test_rollouts_of_other_weights_than_the_trainers_are_refused(ready, monkeypatch):
    model, tokenizer, engine = ready
    monkeypatch.setattr(engine.backend, "updates", 3)
    with pytest.raises(StageError, match="after 0 updates, the trainer has made 3"):
        gap(engine, model, tokenizer)


def test_ids_beyond_the_tokenizer_are_never_sampled(ready, monkeypatch):
    model, tokenizer, engine = ready
    head = model.get_output_embeddings().weight
    kept = head.detach().clone()
    try:
        with torch.no_grad():  # logits of +-20 in the spare rows: one of two would be the likeliest by far
            head[-SPARE:] = torch.randn(SPARE, head.shape[1], generator=torch.Generator().manual_seed(0)) * 5
        engine.follow()
        difference, generation = gap(engine, model, tokenizer)
        assert difference < TOLERANCE and int(generation.tokens.max()) < len(tokenizer)
        monkeypatch.setattr(engine.engine.engine, "_bias", None)
        _, free = gap(engine, model, tokenizer)
        assert int(free.tokens.max()) >= len(tokenizer)
    finally:
        with torch.no_grad():
            head.copy_(kept)


def test_equal_seeds_give_equal_answers_on_any_number_of_engines(ready):
    _, tokenizer, engine = ready
    asked, options = prompts(tokenizer), {"samples": 3, "max_tokens": 12, "temperature": 1.0}
    whole = engine.generate(asked, seed=7, **options)
    engine.follow()
    parts = [engine.generate(asked[:2], seed=7, **options), engine.generate(asked[2:], seed=7, first=2, **options)]
    assert [text for part in parts for text in part.text] == whole.text
    assert engine.generate(asked, seed=8, **options).text != whole.text
    assert len(set(whole.text)) > 12  # samples of a prompt have seeds of their own
    assert ShardedEngine(engine.engine.engine, Ranks()).generate(asked[:0], seed=7, **options).text == []


def test_greedy_decoding_and_ends_are_those_of_the_engine_in_process(ready):
    model, tokenizer, engine = ready
    model.generation_config.eos_token_id = ends = [tokenizer.eos_token_id, 40, 41, 42, 43]
    try:
        for end in ends[1:]:
            assert end < len(tokenizer)
        own = make_engine(EngineSettings(), model, tokenizer)
        engine.engine.engine._ends = sorted(ends)
        options = {"samples": 1, "max_tokens": 40, "seed": 0}
        greedy = [one.generate(prompts(tokenizer), temperature=0.0, **options) for one in (own, engine)]
        assert greedy[0].text == greedy[1].text
        assert torch.allclose(greedy[0].log_probs, greedy[1].log_probs, atol=TOLERANCE)
        sampled = engine.generate(prompts(tokenizer) * 8, temperature=1.0, **options)
        last = sampled.tokens[torch.arange(48), sampled.lengths - 1]
        assert (
            torch.equal(~sampled.truncated, torch.isin(last, torch.tensor(ends))) and 0 < sampled.truncated.sum() < 48
        )
    finally:
        model.generation_config.eos_token_id = tokenizer.eos_token_id
        engine.engine.engine._ends = [tokenizer.eos_token_id]


def test_a_model_directory_answers_as_its_weights_say(tmp_path):
    model, tokenizer = policy(tied=True, seed=4)
    save_model(model, tokenizer, tmp_path)
    engine = open_engine(EngineSettings("vllm"), tmp_path, tokenizer)
    difference, _ = gap(engine, model, tokenizer)
    engine.close()
    assert difference < TOLERANCE


def test_a_resumed_run_repeats_itself_and_logs_the_mismatch(tmp_path, monkeypatch):
    monkeypatch.setattr("tests.unit.rl.test_trainer.nano_policy", lambda seed: policy(tied=True, seed=seed))

    def trainer(folder, steps, **extra):
        changes = {"rollout": {"engine": "vllm", "importance_cap": 2.0}, "steps": steps}
        return make_trainer(tmp_path / folder, nano_settings(**changes), **extra)

    straight = trainer("a", 4)
    expected = outcome(straight, straight.train())
    trainer("b", 2, checkpoint_every=2).train()
    resumed = trainer("b", 4)
    assert_same(outcome(resumed, resumed.train()), expected)
    for row in expected[1]:
        assert 0 < row["mismatch"] <= row["mismatch_max"] < TOLERANCE
        assert abs(row["mismatch_ratio"] - 1) < TOLERANCE and row["mismatch_outside"] == 0


def test_this_version_is_a_supported_one():
    assert vllm_api.import_vllm().__version__.startswith(vllm_api.SUPPORTED)
