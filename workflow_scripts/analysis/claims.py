"""Verdicts on claims, by rules that are data: config/claims.yaml, written down before the runs that they judge.

A rule is a region of values in which the claim is true (`above`, `below` or `between`) and the least number of seeds
and questions. The interval of the measured value decides: inside the region the claim holds, outside it does not,
across its border it is undecided. Too few data, or none, are not testable here.
"""

from collections.abc import Callable
from math import inf

from workflow_scripts.analysis.arms import FIELDS
from workflow_scripts.analysis.intervals import Estimate, missing

HOLDS, FAILS, UNDECIDED, UNTESTABLE = "holds", "does not hold", "undecided", "not testable here"
VERDICTS = (HOLDS, FAILS, UNDECIDED, UNTESTABLE)
_FIELDS = {"id", "text", "source", "published", "quantity", "rule"}
_RULE = {"above", "below", "between", "seeds", "questions"}
_PAIRED = {"vary", "value", "versus"}
# options that each kind of quantity needs
NEEDED = {
    "accuracy_difference": _PAIRED,
    "entropy_ratio": _PAIRED | {"at"},
    "length_ratio": _PAIRED,
    "plateau_accuracy_difference": _PAIRED,
    "spent_early": {"of", "share"},
    "late_gain": {"from", "subjects"},
    "law_error": {"early_share"},
    "law_r2": {"entropy"},
    "law_ceiling_gap": set(),
    "law_ceiling_difference": _PAIRED,
    "step_correlation": {"of", "with", "within"},
    "step_mean": {"of"},
    "step_ratio": {"of", "over"},
    "audit": {"judge", "versus", "metric"},
    "votes_difference": {"votes", "less", "versus"},
    "probe_difference": {"judge", "less"},
}


def check_claims(claims: list[dict]) -> None:
    """Raise ValueError, one line with the id, on a claim that could not be judged."""
    seen = set()
    for claim in claims:
        name = claim.get("id", "?")
        if wrong := set(claim) - {"untestable"} ^ _FIELDS:
            raise ValueError(f"claims.{name}: missing or unknown keys {', '.join(sorted(wrong))}")
        if name in seen:
            raise ValueError(f"claims.{name}: the id is used twice")
        seen.add(name)
        _check_quantity(name, claim["quantity"])
        _check_rule(name, claim["rule"])


def _check_quantity(name: str, quantity: dict) -> None:
    kind = quantity.get("kind")
    if kind not in NEEDED:
        raise ValueError(f"claims.{name}.quantity.kind: {kind!r} is not one of {', '.join(sorted(NEEDED))}")
    if lacking := NEEDED[kind] - set(quantity):
        raise ValueError(f"claims.{name}.quantity: {kind} needs {', '.join(sorted(lacking))}")
    if quantity.get("vary", FIELDS[0]) not in FIELDS:
        raise ValueError(f"claims.{name}.quantity.vary: {quantity['vary']!r} is not one of {', '.join(FIELDS)}")


def _check_rule(name: str, rule: dict) -> None:
    if wrong := set(rule) - _RULE:
        raise ValueError(f"claims.{name}.rule: unknown keys {', '.join(sorted(wrong))}")
    if not {"above", "below", "between"} & set(rule):
        raise ValueError(f"claims.{name}.rule: needs above, below or between")


def region(rule: dict) -> tuple[float, float]:
    """Lower and upper border of the values for which the claim is true."""
    if "between" in rule:
        return tuple(rule["between"])
    return rule.get("above", -inf), rule.get("below", inf)


def verdict(estimate: Estimate, rule: dict) -> tuple[str, str]:
    """The verdict and its reason in a few words."""
    seeds, questions = rule.get("seeds", 1), rule.get("questions", 0)
    if not estimate.seeds:
        return UNTESTABLE, "no such arms in this run"
    if estimate.seeds < seeds:
        return UNTESTABLE, f"{estimate.seeds} of at least {seeds} seeds"
    if estimate.questions < questions:
        return UNTESTABLE, f"{estimate.questions} of at least {questions} questions"
    if not estimate.has_interval:
        return UNTESTABLE, "no interval"
    if estimate.low == estimate.high:
        return UNDECIDED, "the data do not vary"
    lower, upper = region(rule)
    if lower < estimate.low and estimate.high < upper:
        return HOLDS, f"the whole interval is {describe(rule)}"
    if estimate.high <= lower or estimate.low >= upper:
        return FAILS, f"no value of the interval is {describe(rule)}"
    return UNDECIDED, f"only part of the interval is {describe(rule)}"


def describe(rule: dict) -> str:
    """The region in words."""
    lower, upper = region(rule)
    if upper == inf:
        return f"above {lower:g}"
    return f"below {upper:g}" if lower == -inf else f"between {lower:g} and {upper:g}"


def claim_rows(claims: list[dict], measure: Callable[[dict], Estimate]) -> list[dict[str, object]]:
    """One row per claim, in the order given, with what `measure(quantity)` found and the verdict."""
    check_claims(claims)
    rows = []
    for claim in claims:
        why_not = claim.get("untestable")
        estimate = missing() if why_not else measure(claim["quantity"])
        decision, reason = (UNTESTABLE, why_not) if why_not else verdict(estimate, claim["rule"])
        texts = {name: str(claim[name]) for name in ("id", "text", "source", "published")}
        figures = {**estimate.figures, "by_seed": list(estimate.by_seed), "questions": estimate.questions}
        rule = {"kind": claim["quantity"]["kind"], "rule": describe(claim["rule"])}
        rows.append({**texts, **rule, **figures, "verdict": decision, "reason": reason})
    return rows
