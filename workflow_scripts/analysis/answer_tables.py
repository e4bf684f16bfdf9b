"""Tables of what the answers' texts tell: maj@k, and the rates of truncated answers and of responses without one."""

from workflow_scripts.analysis.answers import RATES, Answered
from workflow_scripts.analysis.arms import Arm, by_setting
from workflow_scripts.analysis.comparison import Row, figures_of, settings_of, subjects_of
from workflow_scripts.analysis.grades import ALL, Graded
from workflow_scripts.analysis.intervals import of_runs
from workflow_scripts.analysis.results import Results


def majority_rows(results: Results) -> list[Row]:
    """maj@k for k = 1, 2, 4, ... by the main grader, over all questions and by subject."""
    rows = []
    for setting, arms in by_setting(results.baselines + results.arms).items():
        runs = _answered(results, arms)
        keys = dict.fromkeys(key for _, answered in runs for key in answered.majority)
        for benchmark, k in keys:
            grader = runs[0][0].main_grader(benchmark)
            for subject in [ALL, *subjects_of(results, benchmark)]:
                estimate = of_runs([_of_subject(answered, graded, benchmark, k, subject) for graded, answered in runs])
                if estimate.seeds:
                    where = {"benchmark": benchmark, "subject": subject, "grader": grader, "k": k}
                    rows.append({"arm": setting, **settings_of(arms[0]), **where, **figures_of(estimate)})
    return rows


def rate_rows(results: Results) -> list[Row]:
    """Share of the answers cut by the length limit, and of responses without an answer, per setting and benchmark."""
    rows = []
    for setting, arms in by_setting(results.baselines + results.arms).items():
        runs = [answered for _, answered in _answered(results, arms)]
        for benchmark in dict.fromkeys(name for answered in runs for _, name in answered.rates):
            for rate in RATES:
                estimate = of_runs([answered.rates.get((rate, benchmark), {}) for answered in runs])
                names = {"arm": setting, **settings_of(arms[0]), "benchmark": benchmark, "rate": rate}
                rows.append({**names, **figures_of(estimate)})
    return rows


def _answered(results: Results, arms: list[Arm]) -> list[tuple[Graded, Answered]]:
    return [(results.grades[arm.role], results.answers[arm.role]) for arm in arms if arm.role in results.answers]


def _of_subject(answered: Answered, graded: Graded, benchmark: str, k: int, subject: str) -> dict[str, float]:
    values = answered.majority.get((benchmark, k), {})
    return {q: v for q, v in values.items() if subject == ALL or graded.subject[q] == subject}
