"""The judge on a real network with random weights: numbers of a plain forward pass, whatever the batch."""

import copy

import numpy as np
import pytest
import torch
from tokenizers import AddedToken

from tests.tiny import small_model
from workflow_scripts.artifacts import StageError
from workflow_scripts.data.prompts import render
from workflow_scripts.models.fused import FusedDecoder
from workflow_scripts.models.loading import encode_chat, save_model
from workflow_scripts.models.tokenizer import train_tokenizer
from workflow_scripts.ranks import Ranks
from workflow_scripts.rewards import RewardBatch
from workflow_scripts.rewards.judge import CUT, Judge, Scores, judge_answers
from workflow_scripts.rewards.judge_engines import EngineSettings, Job, make_judge_engine
from workflow_scripts.rewards.judge_engines.inprocess import LEAST_SHARED, InProcessEngine, shared_length
from workflow_scripts.rewards.judge_reward import from_judge
from workflow_scripts.rewards.verdict_tokens import resolve_verdict_tokens

ARCHITECTURE = {"layers": 2, "width": 32, "heads": 2, "mlp": 64, "positions": 256}
QUESTIONS = ["1+2=?", "how many legs have three cats and a hen?", "5>3?", "1+2=?", "1+2=?"]
ANSWERS = ["3", "fourteen", "yes", "three", "3"]
REFERENCES = ["three", "14", "no", "3", "three"]


@pytest.fixture(scope="module")
def tokenizer():
    return train_tokenizer([*QUESTIONS, *ANSWERS, *["YES", "NO"] * 9], 300, 256)


@pytest.fixture(scope="module")
def judge(tokenizer):
    """Weights are spread out so that P(YES) and P(NO) are far from uniform and differ between triples."""
    model = small_model(ARCHITECTURE, tokenizer, seed=3)
    with torch.no_grad():
        model.lm_head.weight.mul_(20)
        for token in (*resolve_verdict_tokens(tokenizer).yes, *resolve_verdict_tokens(tokenizer).no):
            model.lm_head.weight[token].mul_(3)
    return Judge(InProcessEngine(model, batch=2), tokenizer, "judge_nano")


def plain_probabilities(judge, question, answer, reference):
    text = render("judge_nano", question=question, answer=answer, reference=reference)
    ids = torch.tensor([encode_chat(judge.tokenizer, text)])
    with torch.inference_mode():
        return judge.model(ids).logits[0, -1].softmax(-1)


def test_scores_are_those_of_an_unpadded_forward_pass(judge):
    scores = judge.score(QUESTIONS, ANSWERS, REFERENCES)
    assert scores.p_yes.std() > 0.01
    for index, triple in enumerate(zip(QUESTIONS, ANSWERS, REFERENCES, strict=True)):
        probabilities = plain_probabilities(judge, *triple)
        assert scores.yes[index] == pytest.approx(float(probabilities[list(judge.tokens.yes)].sum()), abs=1e-5)
        assert scores.no[index] == pytest.approx(float(probabilities[list(judge.tokens.no)].sum()), abs=1e-5)
    assert scores.p_yes == pytest.approx(scores.yes / (scores.yes + scores.no))


def test_batches_and_order_change_nothing_but_rounding(judge):
    whole = Judge(InProcessEngine(judge.model, batch=64), judge.tokenizer, "judge_nano")
    whole = whole.score(QUESTIONS, ANSWERS, REFERENCES)
    back = judge.score(QUESTIONS[::-1], ANSWERS[::-1], REFERENCES[::-1])
    assert back.p_yes[::-1] == pytest.approx(whole.p_yes, abs=1e-5)


@pytest.mark.parametrize("own", [[[7], [8, 9, 7], [8, 9, 10], [9]], [[], [7, 8], [7]]], ids=["apart", "one in all"])
@pytest.mark.parametrize("shared", [0, LEAST_SHARED, 2 * LEAST_SHARED + 1])
@pytest.mark.parametrize("built", [False, True], ids=["its own layers", "as a stage builds it"])
def test_what_all_prompts_begin_with_changes_nothing_but_rounding(judge, tmp_path, own, shared, built):
    prompts, engine = [[*range(5, 5 + shared + 1), *ids] for ids in own], judge.engine
    assert bool(shared_length(prompts)) == bool(shared)
    if built:
        save_model(judge.model, judge.tokenizer, tmp_path)
        engine = make_judge_engine(tmp_path, EngineSettings(batch=2), Job())
    yes, no = engine.probabilities(prompts, judge.tokens)
    for index, prompt in enumerate(prompts):
        with torch.inference_mode():
            expected = judge.model(torch.tensor([prompt])).logits[0, -1].softmax(-1)
        assert yes[index] == pytest.approx(float(expected[list(judge.tokens.yes)].sum()), abs=1e-5)
        assert no[index] == pytest.approx(float(expected[list(judge.tokens.no)].sum()), abs=1e-5)


def test_tokens_that_all_prompts_begin_with_run_once_per_batch(judge, monkeypatch):
    prompts, read = [[*range(5, 5 + LEAST_SHARED), 7, *range(8, 8 + own)] for own in range(1, 5)], []
    hidden = FusedDecoder.hidden

    def counted(decoder, tokens, *others):
        read.append(len(tokens))
        return hidden(decoder, tokens, *others)

    monkeypatch.setattr(FusedDecoder, "hidden", counted)
    engine = InProcessEngine(judge.model, batch=2, decoder=FusedDecoder(copy.deepcopy(judge.model)))
    engine.probabilities(prompts, judge.tokens)
    assert shared_length(prompts) == LEAST_SHARED + 1
    assert read == [LEAST_SHARED + 1 + 1 + 2, LEAST_SHARED + 1 + 3 + 4]


def test_every_prompt_keeps_a_token_of_its_own():
    start = list(range(LEAST_SHARED))
    assert shared_length([[*start, 1], [*start, 2]]) == shared_length([[*start, 1], [*start, 1]]) == LEAST_SHARED
    assert shared_length([start, [*start, 1]]) == shared_length([[*start, 1]]) == shared_length([]) == 0


def test_equal_triples_are_run_once(judge):
    rows = []
    handle = judge.model.model.register_forward_pre_hook(
        lambda module, _, named: rows.append(len(named["input_ids"])), with_kwargs=True
    )
    scores = judge.score(QUESTIONS, ANSWERS, REFERENCES)
    handle.remove()
    assert sum(rows) == 4 and scores.yes[0] == scores.yes[4]


def test_content_free_answers_are_not_asked_about(judge):
    scores = judge_answers(judge, ["q"] * 3, ["", " . ", "3"], ["3"] * 3)
    assert scores.mass[:2].tolist() == [0.0, 0.0] and scores.mass[2] > 0
    assert scores.p_yes[:2].tolist() == [0.0, 0.0] and not scores.verdicts[:2].any()
    assert len(judge.score([], [], []).p_yes) == 0


def test_verdict_and_soft_values_by_hand():
    scores = Scores(yes=np.array([0.6, 0.2, 0.1, 0.4]), no=np.array([0.3, 0.7, 0.2, 0.4]))
    assert scores.answered.tolist() == [True, True, False, True]  # 0.3 of mass: it said something else
    assert scores.verdicts.tolist() == [True, False, False, True]
    assert scores.low_mass.tolist() == [False, False, True, False]
    assert scores.eq4 == pytest.approx([0.6, 0.3, 0.0, 0.4])  # P(YES), 1 - P(NO), neither, a tie is YES
    assert scores.p_yes == pytest.approx([2 / 3, 2 / 9, 1 / 3, 0.5])


@pytest.mark.parametrize(("form", "soft"), [("normalized", True), ("eq4", True), ("eq4", False)])
def test_reward_judges_the_last_line_and_filters_by_the_verdict(judge, form, soft):
    responses = ["steps\n3\n", "", "3"]
    batch = RewardBatch(["a", "b", "c"], ["s"] * 3, ["1+2=?"] * 3, responses, ["three"] * 3)
    result = from_judge(judge, {"soft": soft, "form": form})(batch)
    scores = judge.score(["1+2=?"], ["3"], ["three"])
    assert result.values[0] == result.values[2] and result.values[1] == 0.0 and not result.verdicts[1]
    soft_value = {"normalized": scores.p_yes, "eq4": scores.eq4}[form][0] if scores.answered[0] else 0.0
    value = soft_value if soft else scores.verdicts[0]
    assert result.values[0] == pytest.approx(float(value), abs=1e-5)
    assert result.values.dtype == np.float32 and result.verdicts.dtype == bool


def test_unknown_form_is_named(judge):
    with pytest.raises(StageError, match="reward form: 'logit'"):
        from_judge(judge, {"form": "logit"})


def test_a_tokenizer_without_the_verdicts_is_refused_in_one_line():
    with pytest.raises(StageError, match="'YES' is 3 tokens"):
        resolve_verdict_tokens(train_tokenizer(["abc abc"] * 9, 300, 64))


def test_variants_of_the_verdicts_are_disjoint_and_start_with_the_trained_one(tokenizer):
    tokens = resolve_verdict_tokens(tokenizer)
    assert not set(tokens.yes) & set(tokens.no)
    assert tokenizer.decode([tokens.yes[0]]) == "YES" and tokenizer.decode([tokens.no[0]]) == "NO"


def test_where_yes_is_no_token_the_spelling_that_is_one_of_both_is_trained():
    """As in SmolLM2's vocabulary."""
    capitals = train_tokenizer([*QUESTIONS, *["Yes", "No", "NO"] * 9], 320, 64)
    tokens = resolve_verdict_tokens(capitals)
    assert capitals.decode([tokens.yes[0]]) == "Yes" and capitals.decode([tokens.no[0]]) == "No"
    assert capitals.convert_tokens_to_ids("NO") in tokens.no


def test_a_variant_that_melts_into_the_chat_template_is_no_verdict_token():
    """Resolved behind the template's end: " YES" by itself is one token, behind "A:" it is part of another."""
    melting = train_tokenizer([*QUESTIONS, *["YES", "NO"] * 9], 300, 256)
    melting.chat_template = "{{ messages[0].content }} A:"
    melting.add_tokens([AddedToken(" YES", normalized=False)])
    variant = melting.convert_tokens_to_ids(" YES")
    assert variant in resolve_verdict_tokens(melting).yes
    melting.add_tokens([AddedToken("A: YES", normalized=False)])
    assert variant not in resolve_verdict_tokens(melting).yes
    melting.add_tokens([AddedToken("A:YES", normalized=False)])
    with pytest.raises(StageError, match="'YES' is part of the chat template's last token"):
        resolve_verdict_tokens(melting)


def test_a_long_question_loses_its_middle_and_nothing_else(judge):
    short = Judge(judge.engine, judge.tokenizer, "judge_nano", limit=120)
    question = "first words " + "and so on " * 50 + " last words?"
    ids = short.encode(question, "an answer of some length", "its reference")
    text = judge.tokenizer.decode(ids)
    assert 90 < len(ids) <= 120  # no more is cut than needs be
    assert "<|user|>first words and" in text and CUT in text
    assert "so on  last words?\nan answer of some length\nits reference" in text
    assert short.encode("1+2=?", "3", "three") == judge.encode("1+2=?", "3", "three")


def test_what_does_not_fit_without_its_question_is_not_asked_about(judge):
    short = Judge(judge.engine, judge.tokenizer, "judge_nano", limit=40)
    scores = short.score(["1+2=?"] * 2, ["3", "x" * 60], ["three"] * 2)
    assert scores.mass[0] > 0 and scores.mass[1] == 0 and not scores.verdicts[1]


def test_a_prompt_fits_the_positions_of_the_model(judge, tmp_path):
    """One place is left for the verdict; a smaller `max_length` counts."""
    save_model(judge.model, judge.tokenizer, tmp_path)
    assert Judge.load(tmp_path, "judge_nano").limit == ARCHITECTURE["positions"] - 1
    assert Judge.load(tmp_path, "judge_nano", settings=EngineSettings(max_length=64)).limit == 63


def test_engines_are_chosen_by_name_and_refuse_in_one_line(tmp_path):
    with pytest.raises(ValueError, match="unknown judge engine 'tgi', allowed: inprocess, vllm, served"):
        make_judge_engine(tmp_path, EngineSettings(engine="tgi"), Job())
    with pytest.raises(StageError, match="judge engine vllm runs in one process"):
        make_judge_engine(tmp_path, EngineSettings(engine="vllm"), Job(Ranks(0, 2)))
