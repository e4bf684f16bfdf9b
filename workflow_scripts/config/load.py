"""Validate a merged config and say in one line what is wrong: path, value, what is allowed."""

import difflib
import json
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from workflow_scripts.analysis.published import read_published
from workflow_scripts.config.base import Strict
from workflow_scripts.config.models import Config
from workflow_scripts.config.yaml_files import read_yaml

CONFIGS = Path(__file__).resolve().parents[2] / "config"
STATEMENTS = ("claims", "published")  # files of config/ that are no configs: what the papers claim, and what they print
FACTS = ("architectures", "row_counts")  # nor are these: what estimates know of the models and data sets on the hub


class ConfigError(Exception):
    """One line: the YAML path, the bad value and what is allowed there."""


def load_config(raw: dict[str, Any]) -> Config:
    """The validated config, with what it extends, and `only` the studies asked for. Raises ConfigError."""
    raw = extended(raw)
    try:
        config = Config.model_validate(raw)
        wanted = config.only or config.studies
        return config.model_copy(update={"studies": {n: s for n, s in config.studies.items() if n in wanted}})
    except ValidationError as error:
        # A misspelt key is reported twice, as unknown and as missing: the first says what to mend.
        problems = sorted(error.errors(), key=lambda problem: problem["type"] != "extra_forbidden")
        raise ConfigError(_one_line(problems[0], raw)) from None


def statements(folder: Path = CONFIGS) -> dict[str, dict]:
    """The statements of the papers by name, as a `Graph` takes them. Raises ValueError, one line, on numbers amiss."""
    found = {name: read_yaml(folder / f"{name}.yaml") for name in STATEMENTS}
    read_published(found["published"])
    return found


def extended(raw: dict[str, Any], seen: tuple[str, ...] = ()) -> dict[str, Any]:
    """The config laid over the one that it extends: named settings are added or replaced, studies replace all.

    Raises ConfigError where there is none of that name, or where it extends itself by way of others.
    """
    if not raw.get("extends"):
        return raw
    if raw["extends"] in seen:
        raise ConfigError(f"config: extends: {' -> '.join([*seen, raw['extends']])} is a circle")
    path = CONFIGS / f"{raw['extends']}.yaml"
    if not path.is_file() or path.stem in STATEMENTS + FACTS:
        names = ", ".join(sorted({file.stem for file in CONFIGS.glob("*.yaml")} - {*STATEMENTS, *FACTS}))
        raise ConfigError(f"config: extends: {raw['extends']!r} is not one of {names}")
    base = extended(read_yaml(path), (*seen, raw["extends"]))
    own = {name: value for name, value in raw.items() if name != "extends"}
    for name, value in own.items():
        if name != "studies" and isinstance(value, dict) and isinstance(base.get(name), dict):
            own[name] = base[name] | value
    return base | own


def config_schema() -> str:
    """The JSON schema of the config, as config/schema.json holds it."""
    return json.dumps(Config.model_json_schema(), indent=1, sort_keys=True) + "\n"


def _one_line(problem: dict[str, Any], raw: dict[str, Any]) -> str:
    location = _yaml_path(problem["loc"], raw)
    path = ".".join(map(str, location))
    if problem["type"] == "extra_forbidden":
        return f"config: {path}: unknown key{_suggestion(location)}"
    if problem["type"] == "missing":
        return f"config: {path}: required, but missing"
    if problem["type"] == "union_tag_invalid":
        setting, allowed = problem["ctx"]["discriminator"].strip("'"), problem["ctx"]["expected_tags"]
        return f"config: {path}.{setting}: {problem['ctx']['tag']!r}: input should be {allowed}"
    if problem["type"] == "union_tag_not_found":
        return f"config: {path}.{problem['ctx']['discriminator'].strip(chr(39))}: required, but missing"
    if problem["type"] == "value_error":
        return f"config: {path}: {problem['ctx']['error']}" if path else f"config: {problem['ctx']['error']}"
    return f"config: {path}: {problem['input']!r}: {problem['msg'][0].lower()}{problem['msg'][1:]}"


def _yaml_path(location: tuple, raw: Any) -> list:
    """The error's location without the union tags that pydantic inserts: what a user finds in the YAML."""
    path = []
    for position, part in enumerate(location):
        if isinstance(raw, dict) and part in raw or isinstance(raw, list) and isinstance(part, int) and part < len(raw):
            raw = raw[part]
        elif position < len(location) - 1:
            continue  # a union tag
        path.append(part)
    return path


def _suggestion(location: list) -> str:
    """The keys that are allowed beside an unknown one, or the one that was probably meant."""
    names = _known_keys()
    close = difflib.get_close_matches(str(location[-1]), names, n=1)
    return f"; did you mean {close[0]!r}?" if close else ""


def _known_keys() -> list[str]:
    def fields(model: type[BaseModel]):
        yield from model.model_fields
        for child in model.__subclasses__():
            yield from fields(child)

    return sorted(set(fields(Strict)))


if __name__ == "__main__":
    (CONFIGS / "schema.json").write_text(config_schema())
