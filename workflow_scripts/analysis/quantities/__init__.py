"""The quantities that claims are judged by: each maps a claim's `quantity` and the results to one estimate.

A quantity is a dict from config/claims.yaml: `kind` names the function below, the rest are its options. All of them
select arms by `where` (fields of the arm, or `study`), pair arms by seed and average over what else varies.
"""

from collections.abc import Callable

from workflow_scripts.analysis.intervals import Estimate, missing
from workflow_scripts.analysis.quantities import answers, curves, judges, law, steps
from workflow_scripts.analysis.results import Results

KINDS: dict[str, Callable[[Results, dict], Estimate]] = {
    "accuracy_difference": answers.accuracy_difference,
    "entropy_ratio": curves.entropy_ratio,
    "length_ratio": curves.length_ratio,
    "plateau_accuracy_difference": curves.plateau_accuracy_difference,
    "spent_early": curves.spent_early,
    "late_gain": curves.late_gain,
    "law_error": law.error,
    "law_r2": law.r2,
    "law_ceiling_gap": law.ceiling_gap,
    "law_ceiling_difference": law.ceiling_difference,
    "step_correlation": steps.correlation,
    "step_mean": steps.mean,
    "step_ratio": steps.ratio,
    "audit": judges.audit,
    "votes_difference": judges.votes_difference,
    "probe_difference": judges.probe_difference,
}


def measure(results: Results, quantity: dict) -> Estimate:
    """The estimate of a claim's quantity; the estimate without seeds where the run has no data for it."""
    return KINDS[quantity["kind"]](results, quantity) if results.arms or results.audits else missing()
