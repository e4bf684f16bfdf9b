"""A mixture holds the questions of its parts, each once, named by the data set that it comes from."""

import pytest

from workflow_scripts.data.sources.mixture import make_tables

CONFIG = {"dataset": "pool", "seed": 0, "source": {"kind": "mixture", "parts": ["physics.explore", "law.explore"]}}


def rows(*prompts: str) -> list[dict]:
    return [{"question_id": "", "subject": "of its own", "prompt": text, "reference": "r"} for text in prompts]


def test_every_question_of_the_parts_is_dealt_once():
    parts = {"physics": rows("Force?", "Mass?"), "law": rows("Tort?", "Force?")}
    tables = make_tables({**CONFIG, "splits": {"explore": {"rows": None}}}, parts)
    ((name, cells, _),) = tables.files
    assert name == "explore.parquet"
    assert set(zip(cells["subject"], cells["prompt"], strict=True)) == {
        ("law", "Force?"),  # of equal questions the first in the alphabet stays
        ("physics", "Mass?"),
        ("law", "Tort?"),
    }
    counts = tables.counts
    assert counts["parts.loaded"] == 4 and counts["parts.duplicates"] == 1 and counts["explore.kept"] == 3
    lost = sum(counts[f"parts.{name}"] for name in ("duplicates", "conflicting", "contaminated", "overlap", "unused"))
    assert counts["explore.kept"] + lost == 4


def test_two_splits_share_nothing_and_depend_on_the_seed():
    parts = {"physics": rows(*(f"{n}?" for n in range(20)))}
    halves = {"explore": {"rows": 10}, "rest": {"rows": 10}}

    def prompts(seed: int) -> dict[str, list[str]]:
        tables = make_tables({**CONFIG, "seed": seed, "splits": halves}, parts)
        return {file: cells["prompt"] for file, cells, _ in tables.files}

    first, again, other = prompts(0), prompts(0), prompts(1)
    assert first == again != other
    assert not set(first["explore.parquet"]) & set(first["rest.parquet"])


def test_too_few_questions_are_named():
    with pytest.raises(ValueError, match="split 'explore' asks for 5 rows of all subjects, found 1"):
        make_tables({**CONFIG, "splits": {"explore": {"rows": 5}}}, {"physics": rows("Force?")})
