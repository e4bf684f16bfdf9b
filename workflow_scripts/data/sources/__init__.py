"""Where questions come from: a generator, the hub, a local file, or a file inside an installed package.

A source module has `load(source, name, split, seed) -> Drawn`: all candidates of one split, in a seeded order, before
duplicates and overlaps are removed (stages/sample_data.py does that, alike for all sources).
"""

from dataclasses import dataclass

from workflow_scripts.data.text import hash_fraction, question_id

SOURCES = {
    "generator": "workflow_scripts.data.sources.generator",
    "hub": "workflow_scripts.data.sources.hub",
    "file": "workflow_scripts.data.sources.file",
    "package": "workflow_scripts.data.sources.package",
}


@dataclass(frozen=True)
class Drawn:
    """Candidates of a split: columns of QUESTIONS, columns of TRUTH where a generator knows it, repeats dropped."""

    questions: dict[str, list]
    truth: dict[str, list] | None = None
    repeats: int = 0


def from_records(records: list[dict], columns: dict[str, str | None], name: str, split: dict, seed: int) -> Drawn:
    """Candidates from records with the named columns, ordered by a seeded hash of the question.

    ValueError names a column that the records do not have.
    """
    rows = []
    for record in records:
        if missing := [column for column in columns.values() if column and column not in record]:
            raise ValueError(f"{name}: no column {missing[0]!r}; there are {', '.join(sorted(record))}")
        subject = str(record[columns["subject"]]) if columns["subject"] else name
        prompt = _text(record[columns["prompt"]])
        rows.append((question_id(subject, prompt), subject, prompt, _text(record[columns["reference"]])))
    wanted = [row for row in rows if not split["subjects"] or row[1] in split["subjects"]]
    wanted.sort(key=lambda row: hash_fraction("draw", seed, row[0]))
    names = ("question_id", "subject", "prompt", "reference")
    return Drawn({column: [row[index] for row in wanted] for index, column in enumerate(names)})


def _text(value: object) -> str:
    """A cell as text: the last user turn of a chat, the entries of a list, or the value itself."""
    if isinstance(value, list) and value and isinstance(value[0], dict):
        return [str(turn["content"]) for turn in value if turn.get("role") == "user"][-1]
    return "; ".join(map(str, value)) if isinstance(value, list) else str(value)
