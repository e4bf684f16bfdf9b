"""Arrow schemas of the analysis: tables of `fit_entropy_law` and `compare_results`, by name at the end."""

import pyarrow as pa

from workflow_scripts.artifacts.schemas import BOOL, F64, I32, I64, STR, table_schema

_LAW_ARM = {
    "arm": (STR, "name of the arm"),
    "seed": (I32, "seed of the arm"),
    "entropy_of": (STR, "training (before the update, 2505.22617, Eq. 5) or validation (the validated responses)"),
}
LAW = table_schema(
    **_LAW_ARM,
    form=(STR, "regressor of R: exp (R = -a exp(H) + b), linear (H), log (log H), log_step (log of the step)"),
    a=(F64, "slope, with the sign of R = -a x + b"),
    b=(F64, "intercept"),
    r2=(F64, "share of variance explained"),
    rmse=(F64, "root mean squared residual"),
    autocorrelation=(F64, "of neighbouring residuals; NaN for naive predictors"),
    n_effective=(F64, "independent points that the intervals count on"),
    rmse_late=(F64, "error on the late points of a fit on the early ones"),
    predicted_ceiling=(F64, "R predicted at H = 0 (exp: -a + b); NaN for forms without one"),
    accuracy_reached=(F64, "mean accuracy over the last quarter of the points"),
    n=(I32, "points"),
)
LAW_POINTS = table_schema(
    **_LAW_ARM,
    step=(I32, "rollout step t"),
    entropy=(F64, "entropy H, nats"),
    accuracy=(F64, "validation accuracy R after the update of step t"),
    early=(BOOL, "whether the early fit sees the point"),
    fitted=(F64, "R of the exp(H) fit on all points"),
    predicted=(F64, "R of the exp(H) fit on the early points"),
    noise=(F64, "binomial standard deviation of R"),
)
LAW_INTERVALS = table_schema(
    **_LAW_ARM,
    form=(STR, "regressor of R"),
    quantity=(STR, "a, b, ceiling (fit on all points) or early ceiling (fit on the early points)"),
    value=(F64, "the figure"),
    low=(F64, "lower end of the 95 % interval of the regression, NaN where there is none"),
    high=(F64, "upper end"),
)
_ESTIMATE = {
    "value": (F64, "mean over seeds of the mean over questions"),
    "low": (F64, "lower end of the 95 % interval, NaN where there is none"),
    "high": (F64, "upper end"),
    "method": (STR, "how the interval was made"),
    "seeds": (I32, "seeds behind the figure"),
}
_QUESTIONS = {"questions": (I32, "questions behind the figure; 0 where it is not a mean over questions")}
_SETTING = {
    "arm": (STR, "setting: the arms that differ in their seed alone"),
    "policy": (STR, "name of the base policy"),
    "data": (STR, "name of the training data"),
    "algorithm": (STR, "name of the algorithm"),
    "reward": (STR, "name of the reward, or untrained"),
    "entropy": (STR, "name of the entropy setting"),
}
_GRADED = {
    "benchmark": (STR, "name of the benchmark, or of an average over benchmarks"),
    "subject": (STR, "subject, or all"),
    "grader": (STR, "who graded: truth, rule, contains, teacher, judge"),
}
LAW_PREDICTION = table_schema(
    **_LAW_ARM,
    predictor=(STR, "form of the law fitted to the early points, or a naive predictor"),
    early=(I32, "points that it sees"),
    late=(I32, "points that it predicts"),
    value=(F64, "predicted accuracy at the last step, from the entropy of that step"),
    low=(F64, "lower end of its 95 % prediction interval, noise of R included; NaN where there is none"),
    high=(F64, "upper end"),
    actual=(F64, "accuracy at the last step"),
    inside=([BOOL], "whether it lies in the interval; null without one"),
    rmse_late=(F64, "root mean squared error over all late points"),
    error_final=(F64, "absolute error at the last step"),
    noise=(F64, "binomial standard deviation of the late accuracies: what no predictor can beat"),
)
LAW_VERDICTS = table_schema(
    arm=(STR, "setting"),
    entropy_of=_LAW_ARM["entropy_of"],
    null_control=(BOOL, "whether the arm trained on the starting policy's own right responses"),
    alternative=(STR, "alternative that is hardest to match out of sample"),
    excess=(F64, "late error of exp(H) less that of the alternative, mean over seeds"),
    excess_low=(F64, "lower end of the 95 % interval over seeds, NaN with one seed"),
    excess_high=(F64, "upper end"),
    gap=(F64, "ceiling less accuracy reached"),
    gap_low=(F64, "lower end of the 95 % interval: over seeds, or of the regression with one seed"),
    gap_high=(F64, "upper end"),
    entropy_left=(F64, "entropy over the last quarter as a share of that at the first point"),
    seeds=(I32, "seeds behind the figures"),
    prediction=(STR, "verdict on: no worse than any alternative out of sample"),
    ceiling=(STR, "verdict on: the accuracy reached lies in the ceiling's interval"),
    verdict=(STR, "holds, does not hold, undecided, not testable here"),
    reason=(STR, "why"),
)
_OVER_SEEDS = {name: _ESTIMATE[name] for name in ("low", "high", "method", "seeds")}
LAW_CONTRASTS = table_schema(
    study=(STR, "study whose arms are compared"),
    field=(STR, "what varies: policy, data or algorithm"),
    held=(STR, "the other settings, equal in all of them"),
    level=(STR, "value of the field"),
    parameters=([I64], "parameters without embeddings, where the policy varies and its architecture is known"),
    entropy_of=_LAW_ARM["entropy_of"],
    quantity=(STR, "a, b or ceiling of the exp(H) fit"),
    value=(F64, "mean over seeds"),
    **_OVER_SEEDS,
    difference=(F64, "from the first level, paired by seed"),
    difference_low=(F64, "lower end of its 95 % interval"),
    difference_high=(F64, "upper end"),
)
LAW_SIZES = table_schema(
    study=(STR, "study whose arms are compared"),
    held=(STR, "the other settings, equal in all of them"),
    entropy_of=_LAW_ARM["entropy_of"],
    quantity=(STR, "a, b or ceiling of the exp(H) fit"),
    value=(F64, "slope per ln(parameters without embeddings)"),
    **_OVER_SEEDS,
    sizes=(I32, "sizes behind it"),
)
COLLAPSE = table_schema(
    arm=(STR, "setting, or all arms without entropy control"),
    quantity=(STR, "training entropy, validation entropy or accuracy"),
    share=(F64, "share of the steps done"),
    value=(F64, "share of the whole change (start to the last quarter) that was done by then"),
    **_OVER_SEEDS,
)
COVARIANCE = table_schema(
    arm=(STR, "setting"),
    top=(F64, "share of the tokens with the largest covariance; 1 is all of them"),
    when=(STR, "step 1, or a third of the steps"),
    value=(F64, "mean covariance of these tokens (2505.22617, Eq. 10 and Table 1)"),
    **_OVER_SEEDS,
)
ENTROPY_CHANGE = table_schema(
    arm=(STR, "setting"),
    seed=([I32], "seed of the arm, null for the mean over seeds"),
    measured_on=(STR, "same responses (before and after an update) or fixed prompts (between validations)"),
    series=(STR, "levels, detrended (rolling mean taken off) or first differences"),
    value=(F64, "Spearman's correlation of the fall of entropy with the covariance (Eq. 9)"),
    low=(F64, "lower end of the 95 % interval: Fisher's at the independent pairs, or t over seeds"),
    high=(F64, "upper end"),
    n=(I32, "pairs"),
    n_effective=(F64, "independent pairs by Bartlett's formula"),
)
COMPARISON = table_schema(**_SETTING, **_GRADED, **_ESTIMATE, **_QUESTIONS)
PASS_AT_K = table_schema(**_SETTING, **_GRADED, k=(I32, "samples"), **_ESTIMATE, **_QUESTIONS)
ANSWER_RATES = table_schema(
    **_SETTING,
    benchmark=_GRADED["benchmark"],
    rate=(STR, "truncated: cut by the length limit; no_answer: without the form of answer that the prompt asks for"),
    **_ESTIMATE,
    **_QUESTIONS,
)
_PAIR = {"arm": (STR, "setting"), "versus": (STR, "setting that it is compared with, equal in all else")}
DIFFERENCES = table_schema(field=(STR, "reward or entropy"), **_PAIR, **_GRADED, **_ESTIMATE, **_QUESTIONS)
ENTROPY_AT_EQUAL_ACCURACY = table_schema(
    **_PAIR,
    quantity=(STR, "what is compared: entropy ratio or accuracy difference, and where on the curves"),
    seed=([I32], "seed of the pair, null for the mean over seeds"),
    **_ESTIMATE,
    accuracy_low=(F64, "lowest accuracy of the comparison, mean over seeds"),
    accuracy_high=(F64, "highest accuracy of the comparison"),
)
GRADER_ERRORS = table_schema(
    arm=(STR, "setting"),
    benchmark=(STR, "name of the benchmark"),
    subject=(STR, "subject, or all"),
    grader=(STR, "who is measured: rule, contains, teacher"),
    recall=(F64, "share of the truly right answers that it accepts, mean over seeds"),
    false_positive_rate=(F64, "share of the wrong answers that it accepts, mean over seeds"),
    right=(I64, "truly right answers, all seeds"),
    wrong=(I64, "wrong answers, all seeds"),
)
CLAIMS = table_schema(
    id=(STR, "name of the claim"),
    text=(STR, "the claim"),
    source=(STR, "where it is made"),
    published=(STR, "published value"),
    kind=(STR, "quantity that tests it"),
    rule=(STR, "region of the quantity in which the claim is true"),
    **_ESTIMATE,
    by_seed=(pa.list_(pa.field("element", F64, nullable=False)), "the figure of every seed, in the order of the seeds"),
    **_QUESTIONS,
    verdict=(STR, "holds, does not hold, undecided, not testable here"),
    reason=(STR, "why"),
)
INDEX = table_schema(
    role=(STR, "what the artifact was used as"),
    name=(STR, "its name"),
    key=(STR, "its key"),
)

# name of the file -> schema, of all that a stage writes
LAW_TABLES = {
    "law": LAW,
    "law_intervals": LAW_INTERVALS,
    "law_points": LAW_POINTS,
    "law_prediction": LAW_PREDICTION,
    "law_verdicts": LAW_VERDICTS,
    "law_contrasts": LAW_CONTRASTS,
    "law_sizes": LAW_SIZES,
    "collapse": COLLAPSE,
    "covariance": COVARIANCE,
    "entropy_change": ENTROPY_CHANGE,
}
COMPARISON_TABLES = {
    "comparison": COMPARISON,
    "by_subject": COMPARISON,
    "differences": DIFFERENCES,
    "grader_errors": GRADER_ERRORS,
    "pass_at_k": PASS_AT_K,
    "maj_at_k": PASS_AT_K,
    "answer_rates": ANSWER_RATES,
    "entropy_at_equal_accuracy": ENTROPY_AT_EQUAL_ACCURACY,
    "claims": CLAIMS,
    "index": INDEX,
}
