"""The explorer: the sampled answers as one block of data that the page searches, pages and filters."""

from collections.abc import Iterator
from itertools import islice

from workflow_scripts.analysis.grades import GRADERS
from workflow_scripts.analysis.report.blocks import Explorer, visible
from workflow_scripts.analysis.report.data import ReportData
from workflow_scripts.analysis.report.sampling import STRATA

ROWS = 1000  # answers on the page, all policies together
CHARACTERS = 1500  # of a text; a longer one loses its middle
TOTAL_CHARACTERS = 500_000  # of all texts; then no further answers are taken


def explorer(data: ReportData) -> Explorer:
    """The sample as columns of short rows; questions and arms stand once, rows point at them."""
    embedded: dict[str, list] = {"arms": [], "questions": [], "rows": []}
    questions: dict[tuple[str, str], int] = {}
    characters = 0
    for role, row in islice(_in_turn(data), ROWS):
        if characters > TOTAL_CHARACTERS:
            break
        name = _arm(data, role)
        if name not in embedded["arms"]:
            embedded["arms"].append(name)
        key = (row["data"], row["question_id"])
        if key not in questions:
            questions[key] = len(questions)
            known = data.questions.get(row["data"], {}).get(row["question_id"], {})
            texts = [shortened(known.get("prompt", row["question_id"])), shortened(known.get("reference", ""))]
            embedded["questions"].append([row["benchmark"], row["subject"], *texts])
            characters += sum(map(len, texts))
        response = shortened(row["response"])
        characters += len(response)
        chances = [row[name] and round(row[name], 3) for name in ("teacher_p_yes", "judge_p_yes")]
        verdicts = [row[grader] for grader in GRADERS]
        place = [questions[key], embedded["arms"].index(name), row["sample"], list(STRATA).index(row["stratum"])]
        embedded["rows"].append([*place, *verdicts, *chances, row["truncated"], row["length"], response])
    embedded["strata"] = list(STRATA.values())
    counts = _counts(data, embedded["rows"])
    return Explorer("Explorer", _caption(data, len(embedded["rows"])), embedded, counts, _sources(data))


def _in_turn(data: ReportData) -> Iterator[tuple[str, dict]]:
    """The arms' drawn answers, one of each arm in turn."""
    longest = max(len(sampled.rows) for sampled in data.sampled.values())
    for turn in range(longest):
        for role, sampled in data.sampled.items():
            if turn < len(sampled.rows):
                yield role, sampled.rows[turn]


def _arm(data: ReportData, role: str) -> str:
    arm = next(arm for arm in data.arms + data.baselines if arm.role == role)
    return f"{data.look.label(arm)}, s{arm.seed}"


def shortened(text: str) -> str:
    """The text as it may be printed; the middle of a long one is left out, and how much."""
    if len(text) > CHARACTERS:
        half = CHARACTERS // 2
        text = f"{text[:half]}\n[… {len(text) - 2 * half:,} characters left out …]\n{text[-half:]}"
    return visible(text)


def _caption(data: ReportData, shown: int) -> str:
    total = sum(sum(sampled.counts.values()) for sampled in data.sampled.values())
    return (
        f"{shown:,} of {total:,} answers are on this page. The rule of sampling: every answer falls into the first of "
        "the kinds below that fits it; from each arm and seed the kinds are taken in turn, and within a kind the "
        "answers by the digest of arm, benchmark, question and sample, so that none was picked by hand. Rare kinds are "
        "therefore oversampled. Where no truth is known, an answer on which rule and judge differ counts as right."
    )


def _counts(data: ReportData, rows: list[list]) -> list[tuple[str, int, int]]:
    """Kind, answers on the page, answers in all."""
    kinds = enumerate(STRATA.items())
    total = {name: sum(sampled.counts[name] for sampled in data.sampled.values()) for name in STRATA}
    return [(title, sum(row[3] == index for row in rows), total[name]) for index, (name, title) in kinds]


def _sources(data: ReportData) -> list[str]:
    roles = (f"{kind}:{role}" for role in data.sampled for kind in ("answers", "grades"))
    return [data.origin(role) for role in roles]
