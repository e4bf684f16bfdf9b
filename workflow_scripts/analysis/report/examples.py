"""Responses on which graders disagree: what the rule misses and the judge catches, and the reverse."""

from collections.abc import Callable

from workflow_scripts.analysis.report.blocks import Example, Examples, Section
from workflow_scripts.analysis.report.data import ReportData

SHOWN = 6

# (title, caption, whether an answer belongs to it)
Test = Callable[[dict], bool]
KINDS: tuple[tuple[str, str, Test], ...] = (
    (
        "The rule misses it, the teacher catches it",
        "Right answers that the rule rejects and the teacher accepts: the form differs, the meaning does not.",
        lambda r: r["rule"] is False and r["teacher"] is True and r["truth"] is not False,
    ),
    (
        "The rule catches it, the teacher misses it",
        "Right answers that the rule accepts and the teacher rejects: what the judge's reward costs.",
        lambda r: r["rule"] is True and r["teacher"] is False and r["truth"] is not False,
    ),
    (
        "The teacher is fooled",
        "Wrong answers that the teacher accepts: false rewards that a policy can learn to collect.",
        lambda r: r["teacher"] is True and r["truth"] is False,
    ),
    (
        "Containment is fooled",
        "Wrong answers that the containment rule accepts, because the reference stands somewhere in the response.",
        lambda r: r["contains"] is True and r["truth"] is False and r["teacher"] is not True,
    ),
)


def section(data: ReportData) -> Section | None:
    rows = [row for role in sorted(data.answers) for row in data.answers[role]]
    if not rows:
        return None
    intro = (
        "Answers of the trained policies to benchmark questions, on which the graders disagree. The examples are the "
        "first by question id, one per subject in turn; none was picked by hand."
    )
    blocks = [_examples(data, title, caption, [row for row in rows if test(row)]) for title, caption, test in KINDS]
    return Section("examples", "Where graders disagree", intro, blocks)


def _examples(data: ReportData, title: str, caption: str, rows: list[dict]) -> Examples:
    count = f" {len(rows)} such answers in all." if rows else " There is no such answer."
    return Examples(title, caption + count, [_example(data, row) for row in _in_turn(rows)])


def _in_turn(rows: list[dict]) -> list[dict]:
    """Up to `SHOWN` rows: the first of each subject, then the second, no question twice."""
    by_subject: dict[str, dict[str, dict]] = {}
    for row in sorted(rows, key=lambda r: (r["question_id"], r["policy"], r["sample"])):
        by_subject.setdefault(row["subject"], {}).setdefault(row["question_id"], row)
    queues = [list(questions.values()) for _, questions in sorted(by_subject.items())]
    longest = max(map(len, queues), default=0)
    return [queue[turn] for turn in range(longest) for queue in queues if turn < len(queue)][:SHOWN]


def _example(data: ReportData, row: dict) -> Example:
    question = data.questions.get(row["data"], {}).get(row["question_id"], {})
    verdicts = [(name, row[name]) for name in ("truth", "rule", "contains", "teacher")]
    verdicts.append(("P(YES)", row["teacher_p_yes"]))
    texts = (question.get("prompt", row["question_id"]), question.get("reference", ""), row["response"])
    arm = next(arm for arm in data.arms if arm.role == row["policy"])
    return Example(row["subject"], *texts, verdicts, data.look.label(arm), data.origin(f"answers:{arm.role}"))
