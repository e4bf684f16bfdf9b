"""The gate: each threshold alone shuts it, what was not measured does not pass, and the line names the numbers."""

from types import SimpleNamespace

import pytest

from workflow_scripts.artifacts import StageError
from workflow_scripts.evaluation.gate import Figure, gate_figures, gate_rows
from workflow_scripts.evaluation.passed import missed, require_passed_gate

FIGURES = {
    "balanced_accuracy": Figure(0.9, 100),
    "kappa": Figure(0.7, 100),
    "accuracy": Figure(0.95, 100),
    "ece": Figure(0.04, 100),
    "kappa_truth": Figure(0.6, 100),
    "false_positive_rate": Figure(0.1, 40),
    "flipped": Figure(0.2, 50),
}
REACHED = {name: figure.value for name, figure in FIGURES.items()}  # reached exactly is passed
TOO_MUCH = {
    name: value + (0.01 if name not in ("ece", "flipped", "false_positive_rate") else -0.01)
    for name, value in REACHED.items()
}


@pytest.mark.parametrize("name", FIGURES)
def test_each_threshold_shuts_the_gate_alone(name):
    assert missed(gate_rows(FIGURES, REACHED)) == ""
    rows = gate_rows(FIGURES, REACHED | {name: TOO_MUCH[name]})
    assert [row["threshold"] for row in rows if not row["passed"]] == [name]


def test_a_threshold_that_is_not_set_is_not_asked_for():
    assert [row["threshold"] for row in gate_rows(FIGURES, {"kappa": 0.5, "ece": None})] == ["kappa"]


def test_a_figure_that_was_not_measured_does_not_pass():
    figures = gate_figures([], Figure(float("nan"), 0), Figure(float("nan"), 0))
    assert set(figures) == set(FIGURES)
    assert not any(row["passed"] for row in gate_rows(figures, REACHED))


def test_figures_are_those_of_the_distilled_judge_on_everything():
    def row(judge, versus, metric, value, subject="all"):
        return {"judge": judge, "versus": versus, "subject": subject, "metric": metric, "value": value, "n": 9}

    audit = [row("base", "teacher", "kappa", 0.1), row("distilled", "teacher", "kappa", 0.2, "dates")]
    audit += [row("distilled", "teacher", "kappa", 0.3), row("distilled", "truth", "kappa", 0.4)]
    figures = gate_figures(audit, Figure(0.0, 1), Figure(0.0, 1))
    assert figures["kappa"] == (0.3, 9) and figures["kappa_truth"] == (0.4, 9)


def test_an_arm_stops_with_one_line_that_says_which_number_missed():
    class Table(list):
        def to_pylist(self):
            return list(self)

    def stage(gate):
        return SimpleNamespace(read=lambda *_: Table(gate_rows(FIGURES, gate)))

    require_passed_gate(stage(REACHED))
    with pytest.raises(StageError) as error:
        require_passed_gate(stage(REACHED | {"kappa": 0.85, "ece": 0.01}))
    line = "the judge failed its audit (kappa 0.7, at least 0.85 asked for; ece 0.04, at most 0.01 asked for): "
    assert str(error.value) == line + "no arm may train on it"
