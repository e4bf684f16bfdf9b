"""Bring a record of any data set to subject, prompt and reference, or say why it is dropped."""

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from workflow_scripts.data.answers import ANSWERS
from workflow_scripts.data.cells import cell_text, find
from workflow_scripts.data.subjects import OTHERS, group_of

Record = tuple[str, dict[str, Any]]  # where it stands ("line 3"), and its cells


class Row(NamedTuple):
    """A question."""

    subject: str
    prompt: str
    reference: str


class Dropped(Exception):
    """Why a record gives no question, in the word that the accounting uses."""


class Adapter:
    """Turns records into rows as `columns` says (`Columns` of config/models.py) and counts what it drops.

    `counts`: records `loaded`, and those dropped as `filtered` (not in `keep`), `other_format` (without the text that
    wraps every question), `empty` (no question or no reference), `unanswered` (the answer rule finds nothing) or
    `too_long`. `examples`: the place of the first record of each. `unknown`: subjects that belong to no group.
    """

    def __init__(self, columns: dict[str, Any], dataset: str, where: str):
        """`dataset` is the subject where no column gives one; `where` names the source in errors."""
        self.columns, self.dataset, self.where = columns, dataset, where
        self.answer = ANSWERS[columns.get("answer", "whole")]
        self.counts: Counter[str] = Counter()
        self.examples: dict[str, str] = {}
        self.unknown: Counter[str] = Counter()

    def rows(self, records: Iterable[Record]) -> Iterator[Row]:
        """Yield the questions. ValueError names the place of a record without a column that is asked for."""
        for place, record in records:
            self.counts["loaded"] += 1
            try:
                yield self._row(record)
            except Dropped as reason:
                self.counts[str(reason)] += 1
                self.examples.setdefault(str(reason), place)
            except KeyError as error:
                found = ", ".join(map(str, record))
                raise ValueError(f"{self.where}: {place} has no column {error.args[0]!r} (it has {found})") from None

    def notes(self) -> list[str]:
        """One line per reason why records were dropped, and one on subjects without a group."""
        lines = [
            f"{self.where}: {self.counts[reason]} of {self.counts['loaded']} rows dropped as {reason}, first: {place}"
            for reason, place in self.examples.items()
        ]
        if self.unknown:
            names = ", ".join(f"{name!r} ({count})" for name, count in self.unknown.most_common(5))
            lines.append(f"{self.where}: {self.unknown.total()} rows of unknown subjects are {OTHERS}: {names}")
        return lines

    def _row(self, record: dict[str, Any]) -> Row:
        for path, wanted in self.columns.get("keep", {}).items():
            if find(record, path) not in wanted:
                raise Dropped("filtered")
        prompt = self._unwrapped(cell_text(find(record, self.columns["prompt"])))
        cell = cell_text(find(record, self.columns["reference"]))
        if not prompt or not cell:
            raise Dropped("empty")
        reference = self.answer(cell)
        if not reference:
            raise Dropped("unanswered")
        longest = self.columns.get("max_chars")
        if longest and max(len(prompt), len(reference)) > longest:
            raise Dropped("too_long")
        return Row(self._subject(record), prompt, reference)

    def _unwrapped(self, prompt: str) -> str:
        before, after = (self.columns.get(side, "").strip() for side in ("before", "after"))
        if prompt and not (prompt.startswith(before) and prompt.endswith(after)):
            raise Dropped("other_format")
        return prompt.removeprefix(before).removesuffix(after).strip()

    def _subject(self, record: dict[str, Any]) -> str:
        path = self.columns.get("subject")
        name = cell_text(find(record, path)) if path else ""
        if self.columns.get("subjects", "given") == "given":
            return name or self.dataset
        group = group_of(name)
        if group is None:
            self.unknown[name] += 1
        return group or OTHERS
