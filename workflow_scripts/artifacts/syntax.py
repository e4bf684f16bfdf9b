"""What fingerprints ask of the syntax tree of a source file, worked out once for each content of the file.

To parse the package takes a third of a second, and each start of Snakemake and of a job would do it again. So answers
are kept below `.snakemake/`, each with the sha256 of the bytes that it was read from: one that is not of these bytes is
worked out again. `keep` writes them; where there is no such folder, or it cannot be written, the next start is slow.
"""

import ast
import json
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import cache, wraps
from pathlib import Path
from typing import Any

from workflow_scripts.artifacts.keys import digest, file_digest

PACKAGE = Path(__file__).resolve().parents[1]
KEPT = Path(".snakemake/syntax.json")


def _of_file(work_out: Callable) -> Callable:
    """A function of a file's syntax tree becomes one of its path, whose answers are kept."""

    @cache
    @wraps(work_out)
    def recall(path: Path, *args: str) -> Any:
        if not path.is_relative_to(PACKAGE):
            return work_out(_parse(path), *args)
        question = " ".join((work_out.__name__, path.relative_to(PACKAGE).as_posix(), *args))
        content = _digest(path)
        if _kept().get(question, [None])[0] != content:
            _kept()[question] = [content, work_out(_parse(path), *args)]
            _new.append(question)
        return _kept()[question][1]

    return recall


_new: list[str] = []  # questions whose answers are not in the file yet


@cache
def _kept() -> dict[str, list]:
    """[sha256 of the file, answer] by question; none where this module or its Python has changed since."""
    with suppress(OSError, ValueError, TypeError, KeyError):  # none yet, or damaged
        found = json.loads(KEPT.read_text())
        if found["asked_by"] == _asked_by():
            return found["answers"]
    return {}


def _asked_by() -> list[str]:
    return [_digest(Path(__file__)), sys.version]


def keep() -> None:
    """Write new answers down for the next process. Of two that write, the last wins; no reader sees half a file."""
    if not _new or not KEPT.parent.is_dir():
        return
    temporary = KEPT.with_suffix(f".{os.getpid()}")
    with suppress(OSError):
        temporary.write_text(json.dumps({"asked_by": _asked_by(), "answers": _kept()}))
        temporary.replace(KEPT)
    _new.clear()


@cache
def _digest(path: Path) -> str:
    return file_digest(path)


@cache
def _parse(path: Path) -> ast.Module:
    return ast.parse(path.read_bytes())


# ------------------------------------------------------------------------------------------------ questions
@_of_file
def tree_digest(tree: ast.Module) -> str:
    """Digest of a module without its registries, docstrings, comments and formatting."""
    return digest(text_of(without_docstring([node for node in tree.body if not is_registry(node)])))


@_of_file
def imports(tree: ast.Module, package: str) -> list[tuple[str, str | None]]:
    """(module, symbol) of every import; relative ones are relative to `package`."""
    found = []
    for node in _statements(tree):
        if isinstance(node, ast.Import):
            found += [(alias.name, None) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                parents = package.split(".")[: len(package.split(".")) - node.level + 1]
                base = ".".join([*parents, base] if base else parents)
            found += [(base, alias.name) for alias in node.names]
    return found


@_of_file
def registry(tree: ast.Module, variable: str) -> dict[str, str]:
    """A module-level dict of names to module paths. Raises ValueError where there is none of that name."""
    for node in tree.body:
        targets = (
            node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AnnAssign) else []
        )
        if any(isinstance(target, ast.Name) and target.id == variable for target in targets):
            return ast.literal_eval(node.value)
    raise ValueError(f"no registry {variable}")


@_of_file
def definitions(tree: ast.Module) -> dict[str, tuple[str, list[str]]]:
    """Text, and the names in it, of the statements that define names; what is named together counts together."""
    found = {}
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            defined = [node.name]
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            defined = [name.id for target in targets for name in ast.walk(target) if hasattr(name, "id")]
        else:
            continue
        text = text_of(node), [part.id for part in ast.walk(node) if isinstance(part, ast.Name)]
        found |= dict.fromkeys(defined, text)
    return found


# ---------------------------------------------------------------------------------------------------- trees
def _statements(node: ast.AST) -> Iterator[ast.AST]:
    """All statements below a node, however deep in other statements; expressions, which hold no import, are skipped."""
    for block in ("body", "handlers", "orelse", "finalbody", "cases"):
        for child in getattr(node, block, ()):
            yield child
            yield from _statements(child)


def is_registry(node: ast.stmt) -> bool:
    """Whether it is a dict of names to module paths, of which only the entries count that a config names."""
    value = getattr(node, "value", None)
    if not (isinstance(node, ast.Assign | ast.AnnAssign) and isinstance(value, ast.Dict) and value.values):
        return False
    paths = [item.value for item in value.values if isinstance(item, ast.Constant) and isinstance(item.value, str)]
    return len(paths) == len(value.values) and all(path.startswith(f"{PACKAGE.name}.") for path in paths)


def without_docstring(body: list[ast.stmt]) -> list[ast.stmt]:
    """The statements of a module, class or function behind its docstring."""
    first = body[0] if body else None
    is_text = (
        isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant) and isinstance(first.value.value, str)
    )
    return body[1:] if is_text else body


def text_of(node) -> str:
    """A text of the tree that is equal between Python minors: empty fields are left out (`ast.dump` differs)."""
    if isinstance(node, list):
        return "[" + ",".join(map(text_of, node)) + "]"
    if not isinstance(node, ast.AST):
        return f"{type(node).__name__}:{node!r}"
    fields = []
    for name, value in ast.iter_fields(node):
        if name in ("ctx", "kind", "type_comment") or value is None or value == []:
            continue
        is_body = name == "body" and isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
        fields.append(f"{name}={text_of(without_docstring(value) if is_body else value)}")
    return f"{type(node).__name__}({','.join(fields)})"
