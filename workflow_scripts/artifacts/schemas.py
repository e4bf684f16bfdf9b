"""Arrow schemas of the Parquet artifacts, the data contract between stages; the analysis has `analysis_schemas`.

A table is checked against its schema when it is written and again when it is read. The meaning of a
column stands in its field metadata (`describe(SCHEMA)` prints it); units are tokens, nats and shares in 0..1.
"""

import pyarrow as pa

STR, BOOL, I8, I32, I64, F32, F64 = (
    pa.string(),
    pa.bool_(),
    pa.int8(),
    pa.int32(),
    pa.int64(),
    pa.float32(),
    pa.float64(),
)


def table_schema(**columns: tuple[pa.DataType, str]) -> pa.Schema:
    """A schema of non-null columns; a type given as a `[type]` list is nullable."""
    fields = []
    for name, (kind, meaning) in columns.items():
        nullable = isinstance(kind, list)
        fields.append(pa.field(name, kind[0] if nullable else kind, nullable=nullable, metadata={"meaning": meaning}))
    return pa.schema(fields)


def _part_of(schema: pa.Schema, *columns: str) -> pa.Schema:
    return pa.schema([schema.field(name) for name in columns])


def describe(schema: pa.Schema) -> str:
    """One line per column: name, type, meaning."""
    return "\n".join(f"{f.name}: {f.type}, {(f.metadata or {}).get(b'meaning', b'').decode()}" for f in schema)


# ---------------------------------------------------------------------------------------------- data
QUESTIONS = table_schema(
    question_id=(STR, "first 16 hex digits of the digest of subject and prompt"),
    subject=(STR, "subject of the question"),
    prompt=(STR, "question text, without any prompt template"),
    reference=(STR, "reference answer in its free surface form"),
)
TRUTH = table_schema(
    question_id=(STR, "key into QUESTIONS"),
    answer=(STR, "canonical answer of the generator, for instance number:21"),
    form=(STR, "surface form in which the reference was written"),
    level=(I8, "difficulty, 1 is the easiest"),
)
DEMONSTRATIONS = table_schema(
    question_id=(STR, "key of the question"),
    subject=(STR, "subject of the question"),
    prompt=(STR, "question text"),
    response=(STR, "worked example; the last line holds the answer alone"),
    style=(STR, "strategy that the example follows"),
    noisy=(BOOL, "whether an error was injected"),
)
PAIRS = table_schema(
    pair_id=(STR, "digest of prompt, answer and reference"),
    subject=(STR, "subject of the question"),
    prompt=(STR, "question text"),
    answer=(STR, "candidate answer"),
    reference=(STR, "reference answer"),
    equivalent=(BOOL, "whether answer and reference mean the same"),
    kind=(STR, "how the pair was made: equal, near, other, malformed, ..."),
)

# ------------------------------------------------------------------------------- training and rollouts
TRAINING = table_schema(
    step=(I32, "optimiser step, from 1"),
    loss=(F32, "mean cross-entropy of the completion tokens, nats"),
    grad_norm=(F32, "norm of the gradient before clipping"),
    lr=(F32, "learning rate of the step"),
    tokens=(I64, "completion tokens seen so far"),
)
ROLLOUTS = table_schema(
    step=(I32, "rollout step, from 1"),
    question_id=(STR, "key into QUESTIONS"),
    group=(I64, "group of samples of one prompt, unique in the run"),
    sample=(I32, "index within the group"),
    subject=(STR, "subject of the question"),
    prompt=(STR, "question text"),
    reference=(STR, "reference answer"),
    response=(STR, "generated text"),
    answer=(STR, "last non-empty line of the response"),
    length=(I32, "generated tokens, end token included"),
    truncated=(BOOL, "whether the length limit cut the response"),
    p_yes=(F32, "P(YES) / (P(YES) + P(NO)) of the model that judged, or the 0/1 verdict of a rule"),
    verdict=(BOOL, "thresholded reward"),
    reward=(F32, "reward before normalisation"),
)
METRICS = table_schema(
    step=(I32, "rollout step, from 1"),
    reward=(F32, "mean reward"),
    verdict=(F32, "mean thresholded reward"),
    truth=([F32], "share truly right; monitored only, never trained on"),
    rule=([F32], "share that the normalising rule accepts; monitored only"),
    rule_failed=([F32], "share on which a rule, reward or monitor, timed out or failed; none where no rule is asked"),
    entropy=([F32], "mean over kept responses of the mean token entropy, T=1, before the update (2505.22617, Eq. 5)"),
    entropy_all=(F32, "the same over all responses, group filtering ignored"),
    entropy_token=(F32, "mean token entropy over all response tokens"),
    length=(F32, "mean response length in tokens"),
    truncated=(F32, "share of truncated responses"),
    repetition=(F32, "share of the questions to which the most frequent response was given"),
    warning=(STR, "signs of reward hacking, by name with commas between; empty: none (workflow_scripts/rl/hacking.py)"),
    batches=(I32, "rollout batches sampled: 1, or more where dropped groups are refilled"),
    groups=(I32, "groups sampled"),
    groups_kept=(I32, "groups trained on: those with mixed verdicts, where groups are filtered"),
    loss=(F32, "mean policy loss over the updates"),
    grad_norm=(F32, "mean norm of the gradient before clipping"),
    lr=(F32, "learning rate"),
    kl=(F32, "mean of old minus current log-probability over the updates"),
    kl_ref=([F32], "mean of old minus reference log-probability, before the update; none without a reference"),
    entropy_coef=(F32, "coefficient of the entropy bonus in force"),
    entropy_change=([F32], "change of entropy_all by the update, on the same responses, where it is measured"),
    mismatch=([F32], "mean |log p trainer - log p engine| of the sampled tokens; none where the engine is the trainer"),
    mismatch_max=([F32], "the largest of them"),
    mismatch_ratio=([F32], "mean of p trainer / p engine"),
    mismatch_k3=([F32], "k3 estimate of the KL divergence of the trainer from the engine"),
    mismatch_outside=([F32], "share of tokens whose ratio lies outside 0.9 to 1.1"),
    group_cov=(F32, "covariance of mean log-probability and advantage in a group, mean over all groups (Eq. 9)"),
    clip_fraction=(F32, "share of tokens without a policy gradient"),
    selected=(I32, "tokens selected by Clip-Cov or KL-Cov"),
    selected_positive=(I32, "of these, tokens with a positive advantage"),
    cov_top_002=([F32], "mean covariance of the top 0.02 % of tokens (2505.22617, Eq. 10 and Table 1)"),
    cov_top_02=([F32], "mean covariance of the top 0.2 %"),
    cov_top_2=([F32], "mean covariance of the top 2 %"),
    cov_top_20=([F32], "mean covariance of the top 20 %"),
    cov_top_50=([F32], "mean covariance of the top 50 %"),
    cov_all=([F32], "mean covariance of all tokens"),
    not_finite=(I32, "updates skipped because of a gradient that is not finite"),
    skipped=(BOOL, "whether an update was skipped: gradient not finite, or no kept group"),
)
VALIDATION = table_schema(
    step=(I32, "rollout steps trained so far; 0 is the start"),
    subject=(STR, "subject, or all"),
    accuracy=(F32, "share right by the truth where there is one, else by the rule"),
    rule=(F32, "share that the normalising rule accepts"),
    entropy=(F32, "mean over responses of the mean token entropy on the fixed prompts, T=1, nats"),
    entropy_token=(F32, "mean token entropy, nats"),
    length=(F32, "mean response length in tokens"),
    n=(I32, "responses"),
)

# ------------------------------------------------------------------------------------- labels and judge
LABELS = table_schema(
    question_id=(STR, "key into QUESTIONS"),
    subject=(STR, "subject of the question"),
    split=(STR, "train, validation or audit, by question"),
    prompt=(STR, "question text"),
    answer=(STR, "last non-empty line of a rollout"),
    reference=(STR, "reference answer"),
    count=(I32, "rollouts with this answer to this question"),
    p_yes=(F32, "teacher's P(YES) / (P(YES) + P(NO)), summed over the single-token variants; 0 where it was not asked"),
    mass=(F32, "teacher's P(YES) + P(NO); 0 where it was not asked: an answer without content, or one too long"),
    low_mass=(BOOL, "asked, but the mass is below 0.5: it wanted to say something else, and its verdict is no YES"),
    verdict=(BOOL, "teacher's hard verdict: YES is the likelier one, a tie included"),
    votes=(pa.list_(pa.field("element", BOOL, nullable=False)), "sampled verdicts of the audit split, else empty"),
)
OPENERS = table_schema(
    question_id=(STR, "key into QUESTIONS; training split of the labels only"),
    line=(STR, "first line of a rollout of several lines"),
    count=(I32, "rollouts of the question that start with it"),
)
SCORES = table_schema(
    yes=(F64, "judge's P(YES), summed over the single-token variants"),
    no=(F64, "judge's P(NO); both are 0 where it was not asked"),
)
AUDIT = table_schema(
    judge=(STR, "who is measured: teacher, base, distilled, shelf:MODEL, constant, string, contains, rule"),
    versus=(STR, "against whom: teacher, majority (of the teacher's votes), second (rater), truth"),
    subject=(STR, "subject, or all"),
    metric=(STR, "name of the figure"),
    value=(F64, "the figure"),
    n=(I64, "rollouts behind it"),
)
PROBES = table_schema(
    judge=(STR, "who is probed"),
    probe=(STR, "empty or content-free answer"),
    subject=(STR, "subject, or all"),
    false_positive_rate=(F64, "share of questions for which it is accepted"),
    mean_p_yes=(F64, "mean P(YES)"),
    n=(I64, "questions"),
)
VOTES = table_schema(
    votes=(I32, "m, the number of the teacher's sampled verdicts whose majority is taken; ties are YES"),
    versus=(STR, "against whom: teacher (its likelier verdict), second (rater), truth"),
    subject=(STR, "subject, or all"),
    accuracy=(F64, "share of equal verdicts"),
    kappa=(F64, "Cohen's kappa"),
    n=(I64, "rollouts behind it"),
)
WORDING = table_schema(
    judge=(STR, "who is probed"),
    kind=(STR, "what is changed: position, length or language"),
    variant=(STR, "how the same answer is put"),
    flipped=(F64, "share of the answers whose verdict changes"),
    lost=(F64, "share of the accepted answers that are rejected in other words; NaN without any"),
    gained=(F64, "share of the rejected answers that are accepted in other words; NaN without any"),
    n=(I64, "answers"),
    unread=(I64, "further answers, left out as they are too long for the judge in these words"),
)
GATE = table_schema(
    threshold=(STR, "setting of the gate"),
    value=(F64, "what was measured"),
    bound=(STR, "at least, or at most"),
    limit=(F64, "what the config asks for"),
    passed=(BOOL, "whether it was reached; a figure that could not be measured was not"),
    n=(I64, "rollouts, questions or answers behind it"),
)
RATINGS = table_schema(
    question_id=(STR, "key into QUESTIONS"),
    answer=(STR, "last non-empty line of a rollout"),
    reference=(STR, "reference answer"),
    verdict=(BOOL, "verdict of a rater from outside"),
)
RELIABILITY = table_schema(
    judge=(STR, "who is measured"),
    versus=(STR, "whose verdicts count as right: the truth where it is known, else the teacher"),
    bin_low=(F64, "lower edge of the bin of P(YES)"),
    bin_high=(F64, "upper edge"),
    mean_p_yes=(F64, "mean P(YES) in the bin"),
    share_yes=(F64, "share that the other accepts"),
    n=(I64, "rollouts in the bin"),
)
AUDIT_TABLES = {  # name of the file -> schema
    "audit": AUDIT,
    "votes": VOTES,
    "probes": PROBES,
    "wording": WORDING,
    "reliability": RELIABILITY,
    "gate": GATE,
}

# ------------------------------------------------------------------------------------------- evaluation
ANSWERS = table_schema(
    benchmark=(STR, "name of the benchmark"),
    question_id=(STR, "key into QUESTIONS"),
    subject=(STR, "subject of the question"),
    level=(I8, "difficulty, 0 where unknown"),
    sample=(I32, "index of the sample"),
    response=(STR, "generated text"),
    answer=(STR, "last non-empty line of the response"),
    length=(I32, "generated tokens, end token included"),
    truncated=(BOOL, "whether the length limit cut the response"),
    no_answer=(BOOL, "whether the form of answer that the prompt asks for, a box for instance, stands nowhere in it"),
)
GRADES = table_schema(
    benchmark=(STR, "name of the benchmark"),
    question_id=(STR, "key into QUESTIONS"),
    subject=(STR, "subject of the question"),
    level=(I8, "difficulty, 0 where unknown"),
    sample=(I32, "index of the sample"),
    truth=([BOOL], "right by the generator's own equivalence"),
    rule=([BOOL], "accepted by the normalising rule"),
    rule_verdict=([STR], "its verdict: equal, different, unparsable, timeout or error"),
    contains=([BOOL], "accepted by the containment rule of 2503.23829"),
    teacher=([BOOL], "accepted by the teacher: the majority of its votes, ties are right"),
    teacher_p_yes=([F32], "teacher's P(YES)"),
    judge=([BOOL], "accepted by the distilled judge: its likelier verdict"),
    judge_p_yes=([F32], "distilled judge's P(YES)"),
)
_ANSWER = ("question_id", "sample")
VERDICTS = {  # what one grader says of the answers to one benchmark: a part of GRADES
    "truth": _part_of(GRADES, *_ANSWER, "truth"),
    "rule": _part_of(GRADES, *_ANSWER, "rule", "rule_verdict"),
    "contains": _part_of(GRADES, *_ANSWER, "contains"),
    "teacher": _part_of(GRADES, *_ANSWER, "teacher", "teacher_p_yes"),
    "judge": _part_of(GRADES, *_ANSWER, "judge", "judge_p_yes"),
}
