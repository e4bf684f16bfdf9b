"""The decomposition of the starting entropy books every nat exactly once and knows the generating process."""

import math
from random import Random

import pytest
import torch

from workflow_scripts.data.nano_world.entropy import model_entropy, process_entropy, style_entropy, token_parts
from workflow_scripts.data.nano_world.questions import draw_problems
from workflow_scripts.data.nano_world.settings import Settings
from workflow_scripts.models.scratch import build_model
from workflow_scripts.models.tokenizer import train_tokenizer


def test_parts_follow_the_layout_of_the_styles():
    response = ">12>9\n9"
    assert token_parts(response, "brief", [0, 1, 3, 4, 5, 6]) == [
        "layout",
        "value",
        "layout",
        "value",
        "layout",
        "answer",
    ]
    response = "#12+4=16\n16"
    assert token_parts(response, "careful", [0, 1, 3, 5, 6, 8, 9]) == ["layout"] * 4 + ["value", "layout", "answer"]
    assert token_parts("twenty-one", "direct", [0, 6, 7]) == ["answer"] * 3


def test_style_entropy_groups_everything_that_opens_no_worked_style():
    probabilities = torch.tensor([0.25, 0.25, 0.2, 0.3])
    expected = -(0.25 * math.log(0.25) * 2 + 0.5 * math.log(0.5))
    assert style_entropy(probabilities, [0, 1]) == pytest.approx(expected)


def test_process_without_choice_or_noise_has_no_entropy():
    quiet = Settings(
        style_shares=(("direct", 1.0),), noise=(("direct", 0.0), ("brief", 0.0), ("careful", 0.0)), second_form=0.0
    )
    problem = next(draw_problems(Random(1), "held_out", ["sorting"], quiet.level_shares))
    assert process_entropy(problem, quiet) == {"style": 0.0, "form": 0.0, "noise": 0.0}


def test_style_entropy_of_the_process_is_that_of_its_shares():
    problem = next(draw_problems(Random(1), "held_out", ["arithmetic"], Settings().level_shares))
    shares = [share for _, share in Settings().style_shares]
    parts = process_entropy(problem, Settings())
    assert parts["style"] == pytest.approx(-sum(share * math.log(share) for share in shares))
    assert parts["form"] == 0.0  # the control subject answers in digits only
    assert parts["noise"] > 0.1


def test_parts_of_an_untrained_model_are_positive_and_sum_up():
    tokenizer = train_tokenizer(["12+4=?", ">16\n16", "#12+4=16\n16"] * 20, 320, 64)
    model = build_model({"layers": 1, "width": 16, "heads": 2, "mlp": 32, "positions": 64}, tokenizer, 0).eval()
    parts = model_entropy(model, tokenizer, "policy_nano", Settings(), questions=6)
    assert parts["all"] == pytest.approx(sum(value for part, value in parts.items() if part != "all"))
    assert all(value > 0 for value in parts.values())
    assert parts["all"] > 3 * math.log(len(tokenizer)) * 0.5  # nearly uniform over at least three tokens
