"""Bring rows of any data set to subject, prompt and reference."""

from collections.abc import Iterable
from typing import Any

Row = dict[str, str]


def cell_text(value: Any) -> str:
    """Return a cell as text.

    Chat messages become the content of the last user turn, a list with one entry that entry, a longer list its entries
    joined by commas, a float that is a whole number an integer.
    """
    if isinstance(value, list) and value and isinstance(value[0], dict) and "content" in value[0]:
        turns = [turn for turn in value if turn.get("role") == "user"] or value
        return str(turns[-1]["content"]).strip()
    if isinstance(value, list):
        return ", ".join(cell_text(entry) for entry in value)
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return "" if value is None else str(value).strip()


def _find(record: dict[str, Any], path: str) -> Any:
    for part in path.split("."):  # "reward_model.ground_truth" reaches into nested columns
        if not isinstance(record, dict) or part not in record:
            raise KeyError(path)
        record = record[part]
    return record


def to_rows(records: Iterable[dict[str, Any]], columns: dict[str, str | None], where: str) -> tuple[list[Row], int]:
    """Return the rows with a prompt and a reference, and how many had none; ValueError names a missing column.

    columns: the source's names of prompt, reference and (or None) subject; a dot reaches into nested columns. Solutions
    that end in GSM8K's "#### answer" keep the answer only. Without a subject column the subject is "all".
    """
    rows, empty = [], 0
    for number, record in enumerate(records, start=1):
        try:
            prompt, reference = (cell_text(_find(record, columns[name])) for name in ("prompt", "reference"))
            subject = cell_text(_find(record, columns["subject"])) if columns.get("subject") else "all"
        except KeyError as error:
            raise ValueError(
                f"{where}: row {number} has no column {error.args[0]!r} (it has {sorted(record)})"
            ) from None
        reference = reference.rpartition("####")[2].strip()
        if prompt and reference:
            rows.append({"subject": subject or "all", "prompt": prompt, "reference": reference})
        else:
            empty += 1
    return rows, empty
