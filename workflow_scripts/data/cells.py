"""Cells of foreign data sets: nested, lists, chat messages, numbers."""

from typing import Any


def find(record: dict[str, Any], path: str) -> Any:
    """Return the cell at `path`: "a.b" reaches into nested columns, "a.0" takes an entry of a list.

    None where the list is too short or a nested cell is null; KeyError(path) where there is no such column.
    """
    if path in record:  # a name may itself hold a dot
        return record[path]
    cell: Any = record
    for part in path.split("."):
        if cell is None:
            return None
        if isinstance(cell, list) and part.isdigit():
            cell = cell[int(part)] if int(part) < len(cell) else None
        elif isinstance(cell, dict) and part in cell:
            cell = cell[part]
        else:
            raise KeyError(path)
    return cell


def cell_text(cell: Any) -> str:
    """Return a cell as text, stripped.

    Chat messages become the content of the last user turn, text parts are joined, other lists become their entries
    joined by commas, a float that is a whole number an integer, null nothing.
    """
    if isinstance(cell, list) and cell and all(isinstance(entry, dict) for entry in cell):
        if "content" in cell[0]:
            turns = [turn for turn in cell if turn.get("role") == "user"] or cell
            return cell_text(turns[-1]["content"])
        return "".join(str(part.get("text") or "") for part in cell).strip()
    if isinstance(cell, list):
        return ", ".join(cell_text(entry) for entry in cell)
    if isinstance(cell, float) and cell.is_integer():
        return str(int(cell))
    return "" if cell is None else str(cell).strip()
