"""Responses on which graders disagree: a few of each kind to read, and the explorer of the whole sample."""

from workflow_scripts.analysis.report.blocks import Example, Examples, Section
from workflow_scripts.analysis.report.data import ReportData
from workflow_scripts.analysis.report.explorer import explorer, shortened

SHOWN = 3

# (stratum, title, caption)
KINDS = (
    (
        "rule_misses",
        "The rule misses it, the judge catches it",
        "Right answers that the rule rejects and the judge accepts: the form differs, the meaning does not.",
    ),
    (
        "judge_misses",
        "The rule catches it, the judge misses it",
        "Right answers that the rule accepts and the judge rejects: what the judge's reward costs.",
    ),
    (
        "judge_fooled",
        "The judge is fooled",
        "Wrong answers that the judge accepts: false rewards that a policy can learn to collect.",
    ),
    (
        "contains_fooled",
        "Containment is fooled",
        "Wrong answers that the containment rule alone accepts: the reference stands somewhere in the response.",
    ),
)


def section(data: ReportData) -> Section | None:
    if not any(sampled.rows for sampled in data.sampled.values()):
        return None
    intro = (
        "Answers of the policies to benchmark questions, and what each grader said. The judge here is the distilled "
        "one, or the teacher where that one did not grade."
    )
    return Section("answers", "Where graders disagree", intro, [explorer(data), *(_examples(data, *k) for k in KINDS)])


def _examples(data: ReportData, stratum: str, title: str, caption: str) -> Examples:
    rows = [(role, r) for role, found in data.sampled.items() for r in found.rows if r["stratum"] == stratum]
    count = sum(sampled.counts[stratum] for sampled in data.sampled.values())
    caption += f" {count:,} such answers in all; shown are the first of the explorer's sample, one per subject in turn."
    return Examples(
        title, caption if count else "There is no such answer.", [_example(data, *row) for row in _few(rows)]
    )


def _few(rows: list[tuple[str, dict]]) -> list[tuple[str, dict]]:
    """Up to `SHOWN` rows: the first of each subject, then the second, no question twice."""
    by_subject: dict[str, dict[str, tuple[str, dict]]] = {}
    for role, row in rows:
        by_subject.setdefault(row["subject"], {}).setdefault(row["question_id"], (role, row))
    queues = [list(questions.values()) for _, questions in sorted(by_subject.items())]
    longest = max(map(len, queues), default=0)
    return [queue[turn] for turn in range(longest) for queue in queues if turn < len(queue)][:SHOWN]


def _example(data: ReportData, role: str, row: dict) -> Example:
    question = data.questions.get(row["data"], {}).get(row["question_id"], {})
    verdicts = [(name, row[name]) for name in ("truth", "rule", "contains")]
    for name in ("teacher", "judge"):
        verdicts += [(name, row[name]), (f"{name}'s P(YES)", row[f"{name}_p_yes"])] if row[name] is not None else []
    texts = (question.get("prompt", row["question_id"]), question.get("reference", ""), row["response"])
    arm = next(arm for arm in data.arms + data.baselines if arm.role == role)
    origin = data.origin(f"answers:{role}")
    return Example(row["subject"], *map(shortened, texts), verdicts, data.look.label(arm), origin)
