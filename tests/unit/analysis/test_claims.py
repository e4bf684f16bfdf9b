"""Protects the verdicts: each of the four can come out, and config/claims.yaml holds only claims that can be judged."""

from math import nan
from pathlib import Path

import pytest
import yaml

from workflow_scripts.analysis.claims import NEEDED, check_claims, claim_rows, verdict
from workflow_scripts.analysis.intervals import Estimate, missing
from workflow_scripts.analysis.quantities import KINDS
from workflow_scripts.config.claims import claims_at

RAW = yaml.safe_load((Path(__file__).parents[3] / "config" / "claims.yaml").read_text())
CLAIMS = claims_at("nano", RAW)["claims"]


def estimate(low: float, high: float, seeds: int = 5, questions: int = 200) -> Estimate:
    return Estimate((low + high) / 2, low, high, "t over seeds", seeds, questions)


@pytest.mark.parametrize(
    ("rule", "low", "high", "expected"),
    [
        ({"above": 0.0}, 0.01, 0.2, "holds"),
        ({"above": 0.0}, -0.2, -0.01, "does not hold"),
        ({"above": 0.0}, -0.01, 0.2, "undecided"),
        ({"below": 0.03}, -0.3, 0.02, "holds"),
        ({"below": 0.03}, 0.04, 0.2, "does not hold"),
        ({"between": [-0.03, 0.03]}, -0.02, 0.01, "holds"),
        ({"between": [-0.03, 0.03]}, -0.2, 0.3, "undecided"),
        ({"between": [-0.03, 0.03]}, 0.05, 0.3, "does not hold"),
    ],
)
def test_interval_and_region_decide(rule, low, high, expected):
    assert verdict(estimate(low, high), rule)[0] == expected


def test_too_few_data_are_not_testable():
    wide = {"above": 0.0, "seeds": 3, "questions": 100}
    assert verdict(missing(), wide) == ("not testable here", "no such arms in this run")
    assert verdict(estimate(0.1, 0.2, seeds=2), wide)[1] == "2 of at least 3 seeds"
    assert verdict(estimate(0.1, 0.2, questions=20), wide)[1] == "20 of at least 100 questions"
    assert verdict(estimate(0.0, 0.0), {"above": 0.0}) == ("undecided", "the data do not vary")
    assert verdict(Estimate(2.0, nan, nan, "one seed", 1), {"above": 1.0})[0] == "not testable here"


def test_committed_claims_are_complete_and_each_kind_has_code():
    check_claims(CLAIMS)
    assert set(NEEDED) == set(KINDS)
    rows = claim_rows(CLAIMS, lambda _: missing())
    assert [row["verdict"] for row in rows] == ["not testable here"] * len(CLAIMS)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"quantity": {"kind": "magic"}}, "kind: 'magic' is not one of"),
        ({"quantity": {"kind": "entropy_ratio"}}, "entropy_ratio needs at, value, vary, versus"),
        ({"rule": {"over": 1}}, "unknown keys over"),
        ({"rule": {"seeds": 1}}, "needs above, below or between"),
        ({"extra": 1}, "missing or unknown keys extra"),
    ],
)
def test_wrong_claims_are_named_in_one_line(change, message):
    with pytest.raises(ValueError, match=message) as caught:
        check_claims([CLAIMS[0] | change])
    assert CLAIMS[0]["id"] in str(caught.value) and "\n" not in str(caught.value)
