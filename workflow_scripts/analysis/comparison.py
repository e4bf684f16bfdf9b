"""Tables of the comparison: accuracy by setting, subject and grader, paired differences, pass@k, entropy."""

from collections.abc import Callable, Iterator
from math import exp, log, nan

from workflow_scripts.analysis.arms import FIELDS, Arm, by_setting, contrasts, pairs
from workflow_scripts.analysis.averages import AVERAGES, average_difference, average_of, common_graders
from workflow_scripts.analysis.curves import EqualAccuracy, at_equal_accuracy, entropy_ratio, plateau
from workflow_scripts.analysis.grades import ALL, difference, pass_at_k_by_question, powers_of_two
from workflow_scripts.analysis.intervals import ONE_SEED, Estimate, of_runs, over_seeds
from workflow_scripts.analysis.results import Results

Row = dict[str, object]


def accuracy_rows(results: Results, per_subject: bool) -> list[Row]:
    """Accuracy (avg@k) of each setting by benchmark and grader, over all questions or by subject."""
    rows = []
    for setting, arms in by_setting(results.baselines + results.arms).items():
        for benchmark, subject, grader, estimate in _accuracies(results, arms, per_subject):
            where = {"benchmark": benchmark, "subject": subject, "grader": grader}
            rows.append({"arm": setting, **settings_of(arms[0]), **where, **figures_of(estimate)})
        for average, grader, estimate in [] if per_subject else _averages(results, arms):
            where = {"benchmark": average, "subject": ALL, "grader": grader}
            rows.append({"arm": setting, **settings_of(arms[0]), **where, **figures_of(estimate)})
    return rows


def _averages(results: Results, arms: list[Arm]) -> Iterator[tuple[str, str, Estimate]]:
    graded = [results.grades[arm.role] for arm in arms if arm.role in results.grades]
    for grader in common_graders(graded):
        for average in AVERAGES:
            yield average, grader, average_of(graded, grader, average)


def _accuracies(results: Results, arms: list[Arm], per_subject: bool) -> Iterator[tuple[str, str, str, Estimate]]:
    graded = [results.grades[arm.role] for arm in arms if arm.role in results.grades]
    for benchmark in results.benchmarks():
        for subject in subjects_of(results, benchmark) if per_subject else [ALL]:
            chosen = None if subject == ALL else {subject}
            for grader in graded[0].graders(benchmark) if graded else []:
                estimate = of_runs([one.accuracy(benchmark, grader, chosen) for one in graded])
                if estimate.seeds:
                    yield benchmark, subject, grader, estimate


def difference_rows(results: Results) -> list[Row]:
    """Paired differences in accuracy of settings that differ in the reward or in the entropy setting alone."""
    rows = []
    for field, value, versus in contrasts(results.arms):
        for one, other in _paired_settings(pairs(results.arms, field, value, versus)):
            for benchmark in results.benchmarks():
                grader = _main_grader(results, benchmark)
                for subject in [ALL, *subjects_of(results, benchmark)]:
                    estimate = accuracy_difference(results, one, other, benchmark, grader, subject)
                    if estimate.seeds:
                        where = {"benchmark": benchmark, "subject": subject, "grader": grader}
                        names = {"field": field, "arm": one[0].setting, "versus": other[0].setting}
                        rows.append({**names, **where, **figures_of(estimate)})
            names = {"field": field, "arm": one[0].setting, "versus": other[0].setting}
            rows += [{**names, **row} for row in _average_differences(results, one, other)]
    return rows


def _average_differences(results: Results, one: list[Arm], other: list[Arm]) -> list[Row]:
    both = [(results.grades.get(a.role), results.grades.get(b.role)) for a, b in zip(one, other, strict=True)]
    pairs = [pair for pair in both if all(pair)]
    rows = []
    for grader in common_graders([graded for pair in pairs for graded in pair])[:1]:
        for average in AVERAGES:
            where = {"benchmark": average, "subject": ALL, "grader": grader}
            rows.append({**where, **figures_of(average_difference(pairs, grader, average))})
    return rows


def accuracy_difference(
    results: Results, one: list[Arm], other: list[Arm], benchmark: str, grader: str, subjects: str | list[str]
) -> Estimate:
    """Accuracy of `one` less that of `other`, arm by arm (equal seeds) and question by question."""
    chosen = None if subjects == ALL else {subjects} if isinstance(subjects, str) else set(subjects)
    runs = []
    for a, b in zip(one, other, strict=True):
        if a.role in results.grades and b.role in results.grades:
            first, second = (results.grades[arm.role].accuracy(benchmark, grader, chosen) for arm in (a, b))
            runs.append(difference(first, second))
    return of_runs(runs)


def pass_at_k_rows(results: Results) -> list[Row]:
    """pass@k for k = 1, 2, 4, ... by the main grader, over all questions and by subject."""
    rows = []
    for setting, arms in by_setting(results.baselines + results.arms).items():
        graded = [results.grades[arm.role] for arm in arms if arm.role in results.grades]
        for benchmark in results.benchmarks():
            grader = _main_grader(results, benchmark)
            for subject in [ALL, *subjects_of(results, benchmark)]:
                chosen = None if subject == ALL else {subject}
                samples = [one.samples(benchmark, grader, chosen) for one in graded]
                for k in powers_of_two(samples[0]) if samples else []:
                    estimate = of_runs([pass_at_k_by_question(one, k) for one in samples])
                    where = {"benchmark": benchmark, "subject": subject, "grader": grader, "k": k}
                    rows.append({"arm": setting, **settings_of(arms[0]), **where, **figures_of(estimate)})
    return rows


def grader_error_rows(results: Results) -> list[Row]:
    """What each grader misses and lets through, measured by the truth, where a benchmark has both."""
    rows = []
    for setting, arms in by_setting(results.baselines + results.arms).items():
        graded = [results.grades[arm.role] for arm in arms if arm.role in results.grades]
        for benchmark in results.benchmarks():
            for subject in [ALL, *subjects_of(results, benchmark)]:
                chosen = None if subject == ALL else {subject}
                for grader in ("rule", "contains", "teacher", "judge"):
                    runs = [one.against_truth(benchmark, grader, chosen) for one in graded]
                    if any(right or wrong for right, wrong in runs):
                        names = {"arm": setting, "benchmark": benchmark, "subject": subject, "grader": grader}
                        rows.append({**names, **_error_figures(runs)})
    return rows


def _error_figures(runs: list[tuple[list[bool], list[bool]]]) -> Row:
    recalls, false = ([sum(part) / len(part) for part in side if part] for side in zip(*runs, strict=True))
    counts = {"right": sum(len(right) for right, _ in runs), "wrong": sum(len(wrong) for _, wrong in runs)}
    return {"recall": over_seeds(recalls).value, "false_positive_rate": over_seeds(false).value, **counts}


# ------------------------------------------------------------------------------------------------ entropy
def entropy_rows(results: Results) -> list[Row]:
    """Entropy of each entropy setting relative to "none", equal in all else: per seed, and over seeds (seed null)."""
    rows = []
    for field, value, versus in contrasts(results.arms):
        if field != "entropy":
            continue
        for one, other in _paired_settings(pairs(results.arms, field, value, versus)):
            names = {"arm": one[0].setting, "versus": other[0].setting}
            for quantity, make, is_ratio in QUANTITIES:
                couples = [(a, b) for a, b in zip(one, other, strict=True) if _has(results, a, b)]
                values = [(a.seed, *make(results, a, b)) for a, b in couples]
                rows += [{**names, "quantity": quantity, **row} for row in _seed_rows(values, is_ratio)]
    return rows


def _seed_rows(values: list[tuple[int, float, float, float]], is_ratio: bool) -> list[Row]:
    rows = []
    if values:
        figures = [value for _, value, _, _ in values if value == value]
        low, high = (sum(column) / len(values) for column in list(zip(*values, strict=True))[2:])
        summary = ratio_over_seeds(figures) if is_ratio else over_seeds(figures)
        rows.append({"seed": None, **summary.figures, "accuracy_low": low, "accuracy_high": high})
    for seed, value, low, high in values if len(values) > 1 else []:
        figures = Estimate(value, nan, nan, ONE_SEED, 1).figures
        rows.append({"seed": seed, **figures, "accuracy_low": low, "accuracy_high": high})
    return rows


def ratio_over_seeds(ratios: list[float]) -> Estimate:
    """Geometric mean of ratios with the t interval of their logarithms."""
    logs = over_seeds([log(ratio) for ratio in ratios if ratio > 0])
    ratios = tuple(map(exp, logs.by_seed))
    return Estimate(exp(logs.value), exp(logs.low), exp(logs.high), logs.method, logs.seeds, by_seed=ratios)


def _equal_accuracy(results: Results, a: Arm, b: Arm) -> EqualAccuracy:
    return at_equal_accuracy(results.curves[a.role], results.curves[b.role])


def _ratio_over_range(results: Results, a: Arm, b: Arm) -> tuple[float, float, float]:
    equal = _equal_accuracy(results, a, b)
    return equal.ratio, equal.low, equal.high


def _ratio_at_top(results: Results, a: Arm, b: Arm) -> tuple[float, float, float]:
    equal = _equal_accuracy(results, a, b)
    return equal.ratio_top, equal.high, equal.high


def _ratio_on_plateau(results: Results, a: Arm, b: Arm) -> tuple[float, float, float]:
    one, other = plateau(results.curves[a.role]), plateau(results.curves[b.role])
    return entropy_ratio(one, other), *sorted((one.accuracy, other.accuracy))


def _accuracy_on_plateau(results: Results, a: Arm, b: Arm) -> tuple[float, float, float]:
    one, other = plateau(results.curves[a.role]), plateau(results.curves[b.role])
    return one.accuracy - other.accuracy, *sorted((one.accuracy, other.accuracy))


# (name, per-pair value with the accuracies it refers to, whether it is a ratio)
QUANTITIES: tuple[tuple[str, Callable, bool], ...] = (
    ("entropy ratio at equal accuracy", _ratio_over_range, True),
    ("entropy ratio at the highest common accuracy", _ratio_at_top, True),
    ("entropy ratio on the plateau", _ratio_on_plateau, True),
    ("accuracy difference on the plateau", _accuracy_on_plateau, False),
)


# ------------------------------------------------------------------------------------------------ helpers
def _paired_settings(paired: list[tuple[Arm, Arm]]) -> list[tuple[list[Arm], list[Arm]]]:
    """Group pairs of arms by setting: one list of arms per side, seeds aligned."""
    groups: dict[tuple[str, str], list[tuple[Arm, Arm]]] = {}
    for a, b in paired:
        groups.setdefault((a.setting, b.setting), []).append((a, b))
    return [([a for a, _ in group], [b for _, b in group]) for group in groups.values()]


def _has(results: Results, a: Arm, b: Arm) -> bool:
    return a.role in results.curves and b.role in results.curves


def subjects_of(results: Results, benchmark: str) -> list[str]:
    return sorted({name for graded in results.grades.values() for name in graded.subjects(benchmark)})


def _main_grader(results: Results, benchmark: str) -> str:
    return next(g.main_grader(benchmark) for g in results.grades.values() if benchmark in g.benchmarks())


def settings_of(arm: Arm) -> Row:
    return {name: getattr(arm, name) for name in FIELDS}


def figures_of(estimate: Estimate) -> Row:
    return {**estimate.figures, "questions": estimate.questions}
