"""What enters the judge's training: counts as weights, balanced verdicts, no probe, no right answer labelled NO."""

import numpy as np
import yaml

from workflow_scripts.evaluation.probes import CONTENT_FREE, MASTER_KEYS, PROBES, is_probe
from workflow_scripts.rewards.card import model_card
from workflow_scripts.rewards.distillation import balanced_share, sample_balanced, systematic_sample, trainable
from workflow_scripts.rewards.negatives import FILLERS, adversarial_negatives, first_sentence
from workflow_scripts.stages.distill_judge import training_examples


def label(answer, verdict, count=1, split="train", mass=1.0, reference="21"):
    return {
        "prompt": "q",
        "answer": answer,
        "reference": reference,
        "verdict": verdict,
        "count": count,
        "split": split,
        "mass": mass,
    }


def test_systematic_sample_draws_floor_or_ceil_of_what_is_expected():
    expected = np.array([0.4, 2.0, 0.0, 3.6])
    for seed in range(20):
        drawn = np.bincount(systematic_sample(expected, np.random.default_rng(seed)), minlength=4)
        assert drawn.sum() == 6 and (abs(drawn - expected) < 1).all()


def test_verdicts_are_balanced_as_far_as_the_upsampling_limit_allows():
    assert balanced_share(0.3) == 0.5 and balanced_share(0.8) == 0.5
    assert balanced_share(0.0625) == 0.25 and balanced_share(0.9375) == 0.75
    assert balanced_share(0.0) == 0.0 and balanced_share(1.0) == 1.0


def test_frequent_answers_are_drawn_in_proportion_to_their_counts():
    rows = [label("21", True, 30), label("22", False, 60), label("23", False, 10)]
    drawn = [row["answer"] for row in sample_balanced(rows, np.random.default_rng(0))]
    assert len(drawn) == 100
    assert abs(drawn.count("21") - 50) <= 1 and abs(drawn.count("22") - 43) <= 1


def test_only_answered_training_rows_without_probes_are_trained_on():
    rows = [label("21", True), label("a", True, split="audit"), label("", False, mass=0.0), label("solution:", False)]
    assert [row["answer"] for row in trainable(rows)] == ["21"]


def test_the_ten_master_keys_never_enter_training():
    assert len(MASTER_KEYS) == 10 and len(set(PROBES)) == len(PROBES) == len(MASTER_KEYS) + len(CONTENT_FREE)
    assert not any(is_probe(text) for text in FILLERS)
    labels = [label("20", False, 400), *(label(key, False, 5) for key in MASTER_KEYS)]
    openers = ["Thought Process", "SOLUTION", *MASTER_KEYS, "We add 3 and 4."]
    config = {"seed": 0, "adversarial_negatives": True}
    triples, verdicts, counts = training_examples(labels, openers, config)
    answers = {answer for _, answer, _ in triples}
    assert not any(is_probe(answer) for answer in answers)
    assert {"20", "We add 3 and 4."} <= answers and answers & set(FILLERS)
    assert counts["adversarial_negatives"] > 40 and not any(verdicts)


def test_a_line_that_its_first_sentence_makes_a_probe_never_enters_training():
    """Cutting comes before the guard: whole, none of these lines is a probe."""
    openers = [f"{key} First, 3 + 4 is 7." for key in MASTER_KEYS if key.endswith((".", ":"))]
    openers += ["Solution. We add.", "解。先", "I don't know. It is late."]
    assert len(openers) >= 6 and not any(is_probe(line) for line in openers if line[0] not in ".,:")
    rows = [label("20", False, 400)]
    dealt = {answer for _, answer, _ in adversarial_negatives(rows, openers, 400, np.random.default_rng(0))}
    assert dealt and dealt <= set(FILLERS)
    assert not any(is_probe(answer) for answer in dealt)


def test_what_a_solution_opens_with_is_its_first_sentence():
    assert first_sentence("We add 3.5 and 4. Then we stop.") == "We add 3.5 and 4."
    assert first_sentence("Step one: look") == "Step one:" and first_sentence("なぜ？次に") == "なぜ？"
    assert first_sentence("no end") == "no end"


def test_negatives_can_be_switched_off():
    config = {"seed": 0, "adversarial_negatives": False}
    triples, _, counts = training_examples([label("20", False, 40)], ["x y"], config)
    assert counts["adversarial_negatives"] == 0 and {answer for _, answer, _ in triples} == {"20"}


def test_a_right_answer_is_never_dealt_as_a_negative():
    rows = [label("1", True, reference="21")]
    dealt = adversarial_negatives(rows, ["12 + 9 = 21", "twenty-one", "21"], 200, np.random.default_rng(0))
    assert dealt and not {"12 + 9 = 21", "twenty-one", "21"} & {answer for _, answer, _ in dealt}


def test_the_card_is_a_hub_card_and_gives_data_agreement_and_limits():
    training = {"batch": 128, "lr": 5e-6, "weight_decay": 0.0, "epochs": 1}
    counts = {"train_rollouts": 160, "distinct": 90, "examples": 150, "examples_yes": 70, "steps": 2}
    config = {"template": "judge_paper", "training": training, "seed": 0}
    card = model_card(config, counts | {"adversarial_negatives": 18}, {"accuracy": 0.5}, {"accuracy": 0.9})
    front, _, text = card.removeprefix("---\n").partition("---\n")
    assert yaml.safe_load(front)["library_name"] == "transformers"
    assert "| accuracy | 0.5 | 0.9 |" in text and "learning rate\n5e-06" in text and "18 strings" in text
    assert {line for line in text.splitlines() if line.startswith("## ")} >= {"## Data", "## Limits"}
    assert "no validation split" in model_card(config, counts | {"adversarial_negatives": 0}, {}, {})
