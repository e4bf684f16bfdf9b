"""Whether the entropy law holds for a setting: two conditions, both needed, judged over its seeds.

1. Out of sample exp(H) is no worse than any alternative: the fit on the early points predicts the late ones with an
   error that exceeds that of each other form and each naive predictor by less than MARGIN, paired by seed.
2. The accuracy reached lies in the interval of the ceiling -a + b. The ceiling is where entropy is spent: a run that
   ends with more than SPENT of its entropy was not to reach it, and is no test. An interval wider than all that the
   run gained decides nothing.

R^2 plays no part: two curves with a trend always correlate.
"""

from dataclasses import dataclass
from math import isfinite, nan

import numpy as np

from workflow_scripts.analysis.arms import by_setting
from workflow_scripts.analysis.claims import FAILS, HOLDS, UNDECIDED, UNTESTABLE, verdict
from workflow_scripts.analysis.intervals import Estimate, over_seeds
from workflow_scripts.analysis.law import FORMS, NAIVE, last_quarter
from workflow_scripts.analysis.law_contrasts import LawRun
from workflow_scripts.analysis.results import LawPoints

MARGIN = 0.01  # of accuracy, as in the claim law_against_alternatives of config/claims.yaml
SPENT = 0.1  # of the entropy at the start; the paper's ceilings are read after 94 % of it is gone
ALTERNATIVES = tuple(name for name in FORMS + NAIVE if name != "exp")
_GRAVITY = (FAILS, UNTESTABLE, UNDECIDED, HOLDS)  # the first of the parts' verdicts is the whole's


@dataclass(frozen=True)
class LawVerdict:
    """The two conditions of one setting, and what follows. Differences and gaps are shares of 1."""

    alternative: str
    excess: Estimate
    gap: Estimate
    entropy_left: float
    prediction: str
    ceiling: str
    verdict: str
    reason: str


def judge(runs: list[LawPoints], early_share: float, margin: float = MARGIN) -> LawVerdict:
    """The verdict on the runs of one setting, one per seed. `alternative` is the hardest one to match."""
    runs = [run for run in runs if len(run.step)]
    errors = [run.late_errors(early_share) for run in runs]
    excess = {name: over_seeds(_finite(e["exp"] - e[name] for e in errors)) for name in ALTERNATIVES}
    hardest = max(ALTERNATIVES, key=lambda name: excess[name].value if excess[name].seeds else -np.inf)
    parts = {name: verdict(estimate, {"below": margin})[0] for name, estimate in excess.items()}
    prediction = min(parts.values(), key=_GRAVITY.index)
    gap, left = _ceiling_gap(runs), _entropy_left(runs)
    meets = UNTESTABLE if not left <= SPENT else _meets(gap, runs)
    whole = min((prediction, meets), key=_GRAVITY.index)
    return LawVerdict(hardest, excess[hardest], gap, left, prediction, meets, whole, _reason(prediction, meets, left))


def verdict_rows(runs: list[LawRun], entropy_of: str, early_share: float, null_algorithms: list[str]) -> list[dict]:
    """LAW_VERDICTS rows, one per setting."""
    rows = []
    for setting, arms in by_setting([run.arm for run in runs]).items():
        found = judge([run.points for run in runs if run.arm.setting == setting], early_share)
        names = {"arm": setting, "entropy_of": entropy_of, "null_control": arms[0].algorithm in null_algorithms}
        excess, gap = found.excess, found.gap
        figures = {"excess": excess.value, "excess_low": excess.low, "excess_high": excess.high}
        figures |= {"gap": gap.value, "gap_low": gap.low, "gap_high": gap.high, "seeds": gap.seeds}
        figures["entropy_left"] = found.entropy_left
        texts = {name: getattr(found, name) for name in ("alternative", "prediction", "ceiling", "verdict", "reason")}
        rows.append({**names, **figures, **texts})
    return rows


def _ceiling_gap(runs: list[LawPoints]) -> Estimate:
    """Ceiling less accuracy reached: t over seeds, or with one seed the interval of the regression."""
    gaps = [run.ceiling_gap() for run in runs]
    if len(gaps) != 1:
        return over_seeds(_finite(gap.value for gap in gaps))
    return Estimate(**vars(gaps[0]), method="one seed: regression", seeds=1)


def _meets(gap: Estimate, runs: list[LawPoints]) -> str:
    if not gap.has_interval:
        return UNTESTABLE
    if gap.low > 0 or gap.high < 0:
        return FAILS
    gained = float(np.mean([run.reached - run.accuracy[0] for run in runs]))
    return HOLDS if gap.high - gap.low <= abs(gained) else UNDECIDED


def _entropy_left(runs: list[LawPoints]) -> float:
    """Entropy over the last quarter as a share of that at the first point, mean over the runs."""
    shares = [float(last_quarter(run.entropy, run.step).mean() / run.entropy[0]) for run in runs]
    return float(np.mean(shares)) if shares else nan


def _reason(prediction: str, meets: str, left: float) -> str:
    late = f"late error against the alternatives: {prediction}"
    return f"{late}; ceiling: {meets}" + (f", {100 * left:.0f} % of the entropy is left" if left > SPENT else "")


def _finite(values) -> list[float]:
    return [value for value in values if isfinite(value)]
