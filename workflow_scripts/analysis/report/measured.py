"""What a run measured in the place of a published number: one estimate per setting or judge that stands for the row.

A kind is named by `kind` in config/published.yaml; the rest of a cell's options are its own. Accuracies and shares are
in 0..1, entropies in nats.
"""

import re
from collections.abc import Callable
from dataclasses import replace
from math import isfinite, nan

import numpy as np

from workflow_scripts.analysis.arms import Arm, by_setting
from workflow_scripts.analysis.curves import spent_early
from workflow_scripts.analysis.grades import ALL
from workflow_scripts.analysis.intervals import Estimate, mean_by_seed, missing, over_seeds
from workflow_scripts.analysis.law import ceiling, last_quarter
from workflow_scripts.analysis.law_prediction import predict_end
from workflow_scripts.analysis.report.data import ReportData
from workflow_scripts.analysis.results import LawPoints, law_points
from workflow_scripts.evaluation.probes import MASTER_KEYS

Estimates = dict[str, Estimate]  # by setting, by name of the judge, or by "" where there is one for the whole run
COUNTED = "counted, no interval"
# a number of one term: sign, digits with separators, decimals, fraction, per cent; TeX's dollars around it do not count
_NUMBER = re.compile(r"\$?\s*[-+−]?\d[\d,]*(\.\d+)?(\s*/\s*\d+)?\s*\\?%?\s*\$?\.?")


def measured(data: ReportData, options: dict, arms: list[Arm]) -> Estimates:
    """The estimates of a cell: `options` with their `kind`, and the arms (trained, or untrained) that stand for it."""
    kind, pool = options["kind"], options.get("pool")
    if kind in OF_RUN:
        found = OF_RUN[kind](data, options)
    elif kind in OF_ARM and pool == "mean":
        found = {"": _over_arms(data, OF_ARM[kind], options, arms)}
    elif kind in OF_ARM:
        found = {s: _over_arms(data, OF_ARM[kind], options, group) for s, group in by_setting(arms).items()}
    else:
        found = {setting: OF_SETTING[kind](data, options, setting) for setting in by_setting(arms)}
    found = {name: estimate for name, estimate in found.items() if isfinite(estimate.value)}
    return _extreme(found, pool) if pool in ("least", "greatest") else found


def _extreme(found: Estimates, pool: str) -> Estimates:
    """The least or the greatest of the settings' values, which as such has no interval."""
    values = [estimate.value for estimate in found.values()]
    if not values:
        return {}
    value = min(values) if pool == "least" else max(values)
    return {"": Estimate(value, nan, nan, f"{pool} of {len(values)} settings", max(e.seeds for e in found.values()))}


# -------------------------------------------------------------------------------------------- of one arm
def _over_arms(data: ReportData, value: Callable[[ReportData, dict, Arm], float], options: dict, arms: list[Arm]):
    """Mean over the arms of each seed, then over seeds."""
    figures = [(arm.seed, value(data, options, arm)) for arm in arms if arm.role in data.curves]
    return over_seeds(mean_by_seed(pair for pair in figures if isfinite(pair[1])))


def _spent_early(data: ReportData, options: dict, arm: Arm) -> float:
    curve = data.curves[arm.role]
    return spent_early(getattr(curve, options["of"]), curve.step, options["share"])


def _points(data: ReportData, arm: Arm) -> LawPoints:
    return law_points(data.metrics[arm.role], data.curves[arm.role])


def _early_error(data: ReportData, options: dict, arm: Arm) -> float:
    """Error of the law fitted to the early points: RMSE on the late ones, or of the final one (2505.22617, Fig. 5)."""
    found = [one for one in predict_end(_points(data, arm), options["early_share"]) if one.predictor == "exp"]
    return nan if not found else found[0].error_final if options["at"] == "final" else found[0].rmse_late


def _law(data: ReportData, options: dict, arm: Arm) -> float:
    fitted = _points(data, arm).fit()
    return ceiling("exp", fitted).value if options["of"] == "ceiling" else getattr(fitted, options["of"])


def _training(data: ReportData, options: dict, arm: Arm) -> float:
    """A column of the training metrics `at` the first step that has it, the last quarter, or between two shares."""
    table = data.metrics[arm.role]
    pairs = zip(table["step"].to_pylist(), table[options["column"]].to_pylist(), strict=True)
    return _at([pair for pair in pairs if pair[1] is not None], options["at"])


def _validation(data: ReportData, options: dict, arm: Arm) -> float:
    curve = data.curves[arm.role]
    return _at(list(zip(curve.step, getattr(curve, options["column"]), strict=True)), options["at"])


def _at(points: list[tuple[float, float]], place: str | list[float]) -> float:
    if not points:
        return nan
    step, values = np.array(points, dtype=float).T
    if place == "first":
        return float(values[0])
    if place == "plateau":
        return float(last_quarter(values, step).mean())
    low, high = (share * step.max() for share in place)
    within = (step >= low) & (step <= high)
    return float(values[within].mean()) if within.any() else nan


# ---------------------------------------------------------------------------------------- of one setting
def _accuracy(data: ReportData, options: dict, setting: str) -> Estimate:
    """Accuracy on a benchmark or one subject of it, by `grader`, or by the first grader that the benchmark has."""
    subject = options.get("subject", ALL)
    wanted = {"arm": setting, "benchmark": options["benchmark"], "subject": subject}
    rows = _where(data.tables["comparison" if subject == ALL else "by_subject"], wanted)
    rows = [row for row in rows if row["grader"] == options.get("grader", rows[0]["grader"])]
    return _estimate(rows[0]) if rows else missing()


def _entropy_ratio(data: ReportData, options: dict, setting: str) -> Estimate:
    wanted = {"arm": setting, "quantity": options["quantity"], "seed": None}
    rows = _where(data.tables["entropy_at_equal_accuracy"], wanted)
    return _estimate(rows[0]) if rows else missing()


def _where(rows: list[dict], wanted: dict) -> list[dict]:
    return [row for row in rows if all(row[name] == value for name, value in wanted.items())]


def _estimate(row: dict) -> Estimate:
    return Estimate(row["value"], row["low"], row["high"], row["method"], row["seeds"], row.get("questions", 0))


# ------------------------------------------------------------------------------------------ of the run
def _audit(data: ReportData, options: dict) -> Estimates:
    """A metric of the audits against the first of the raters `versus` that there is."""

    def figure(tables: dict, versus: str) -> float:
        wanted = {name: options[name] for name in ("judge", "metric")}
        rows = _where(tables["audit"], wanted | {"versus": versus, "subject": options.get("subject", ALL)})
        return rows[0]["value"] if rows else nan

    return _first_rater(data, options, figure)


def _votes(data: ReportData, options: dict) -> Estimates:
    """Cohen's kappa of the majority of m of the teacher's votes."""

    def figure(tables: dict, versus: str) -> float:
        wanted, subjects = {"votes": options["votes"], "versus": versus}, options.get("subject", ALL)
        of = [subjects] if isinstance(subjects, str) else subjects  # several: the first that the audit has
        rows = [row for subject in of for row in _where(tables["votes"], wanted | {"subject": subject})]
        return rows[0]["kappa"] if rows else nan

    return _first_rater(data, options, figure)


def _first_rater(data: ReportData, options: dict, figure: Callable[[dict, str], float]) -> Estimates:
    for versus in options["versus"]:
        found = _over_audits(data, lambda tables, rater=versus: figure(tables, rater))
        if found:
            rater = f"against {versus}" if len(options["versus"]) > 1 else ""
            return {" ".join(part for part in (name, rater) if part): e for name, e in found.items()}
    return {}


def _probes(data: ReportData, options: dict) -> Estimates:
    """Mean or worst acceptance of the ten master keys (2507.08794)."""

    def figure(tables: dict) -> float:
        rows = _where(tables["probes"], {"judge": options["judge"], "subject": ALL})
        rates = [row["false_positive_rate"] for row in rows if row["probe"] in MASTER_KEYS]
        return nan if not rates else max(rates) if options["over"] == "worst" else float(np.mean(rates))

    return _over_audits(data, figure)


def _over_audits(data: ReportData, figure: Callable[[dict], float]) -> Estimates:
    """A figure of the audits' tables over the seeds of each judge; of a single one without its name."""
    values: dict[str, list[float]] = {}
    for (name, _), tables in sorted(data.audits.items()):
        if isfinite(value := figure(tables)):
            values.setdefault(name, []).append(value)
    return {name if len(values) > 1 else "": over_seeds(found) for name, found in values.items()}


def _references(data: ReportData, options: dict) -> Estimates:
    """Of the questions of a split: mean words of the reference, share with a number alone, share of `subjects`."""
    dataset, _, split = options["data"].partition(".")
    name = re.compile(rf"(data:)?{re.escape(dataset)}(\.s\d+)?[.:]{re.escape(split)}")
    tables = [list(table.values()) for key, table in sorted(data.questions.items()) if name.fullmatch(key)]
    values = [_of_references(rows, options["of"], options.get("subjects")) for rows in tables]
    values = [value for value in values if isfinite(value)]
    estimate = over_seeds(values)
    return {"": replace(estimate, method=COUNTED if len(values) == 1 else estimate.method)} if values else {}


def _of_references(rows: list[dict], of: str, subjects: list[str] | None) -> float:
    chosen = [row["reference"].strip() for row in rows if subjects is None or row["subject"] in subjects]
    if not chosen:
        return nan
    if of == "share":
        return len(chosen) / len(rows)
    if of == "numeric":
        return float(np.mean([bool(_NUMBER.fullmatch(reference)) for reference in chosen]))
    return float(np.mean([len(reference.split()) for reference in chosen]))


def _rows(data: ReportData, options: dict) -> Estimates:
    """Rows of a data set, by the counts in its manifest, of the first seed."""
    roles = sorted(role for role in data.manifests if role.startswith(f"data:{options['dataset']}.s"))
    counts = data.manifests[roles[0]].get("accounting", {}) if roles else {}
    if not set(options["counts"]) <= set(counts):
        return {}
    return {"": Estimate(float(sum(counts[name] for name in options["counts"])), nan, nan, COUNTED, 1)}


OF_ARM: dict[str, Callable[[ReportData, dict, Arm], float]] = {
    "spent_early": _spent_early,
    "early_error": _early_error,
    "law": _law,
    "training": _training,
    "validation": _validation,
}
OF_SETTING: dict[str, Callable[[ReportData, dict, str], Estimate]] = {
    "accuracy": _accuracy,
    "entropy_ratio": _entropy_ratio,
}
OF_RUN: dict[str, Callable[[ReportData, dict], Estimates]] = {
    "audit": _audit,
    "votes": _votes,
    "probes": _probes,
    "references": _references,
    "rows": _rows,
}
