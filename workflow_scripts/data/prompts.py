"""Fill the prompt templates of `templates/`: plain text files with $-placeholders."""

from functools import cache
from pathlib import Path
from string import Template

TEMPLATES = Path(__file__).parent / "templates"


def template_path(template: str) -> Path:
    """Return the file of a template; ValueError names the known ones."""
    path = TEMPLATES / f"{template}.txt"
    if not path.is_file():
        known = ", ".join(sorted(file.stem for file in TEMPLATES.glob("*.txt")))
        raise ValueError(f"unknown prompt template {template!r} (known: {known})")
    return path


@cache
def _load(template: str) -> tuple[Template, frozenset[str]]:
    # One trailing newline ends the file, not the prompt.
    text = Template(template_path(template).read_text(encoding="utf-8").removesuffix("\n"))
    return text, frozenset(text.get_identifiers())


def render(template: str, **fields: str) -> str:
    """Return the template with its fields filled in.

    ValueError, in one line, if the template is unknown, a field is missing, or one is given that it does not have. A
    `$` inside a field's value is left alone: values are never expanded.
    """
    text, wanted = _load(template)
    if set(fields) != wanted:
        raise ValueError(f"template {template!r} has the fields {sorted(wanted)}, got {sorted(fields)}")
    return text.substitute(fields)
