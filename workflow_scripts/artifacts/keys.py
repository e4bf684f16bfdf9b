"""Canonical specs and content keys: the path of an artifact is its identity.

`key(spec)` is ten hex digits of the sha256 of the canonical JSON of a spec. Anything that has no stable
text (a callable, a set, a path, a NaN) raises, where Snakemake would drop it silently.
"""

import hashlib
import json
import math
from pathlib import Path
from typing import Any

KEY_DIGITS = 10
PLAIN = frozenset((type(None), bool, int, str))  # whose text is canonical
GUARDS = ("audit",)  # roles of inputs that decide whether an artifact may be made, and not one byte of it


def canonical_json(value: Any) -> str:
    """Compact JSON with sorted keys. Raises TypeError or ValueError on what has no canonical text."""
    _check(value, "spec")
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def _check(value: Any, where: str) -> None:
    if type(value) in PLAIN:
        return
    if type(value) is float:
        if not math.isfinite(value):
            raise ValueError(f"{where}: {value} has no canonical form")
    elif type(value) is dict:
        for name, item in value.items():
            if type(name) is not str:
                raise TypeError(f"{where}: key {name!r} is not a string")
            if type(item) not in PLAIN:  # most are, of the hundred thousands in a grid
                _check(item, f"{where}.{name}")
    elif type(value) in (list, tuple):
        for index, item in enumerate(value):
            if type(item) not in PLAIN:
                _check(item, f"{where}[{index}]")
    else:
        raise TypeError(f"{where}: a {type(value).__name__} has no canonical form")


def digest(text: str) -> str:
    """sha256 of a text, in hex."""
    return hashlib.sha256(text.encode()).hexdigest()


def file_digest(path: Path) -> str:
    """sha256 of a file's bytes, in hex."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def key(spec: dict) -> str:
    """The key of a spec: what stands in the artifact's path."""
    return digest(canonical_json(spec))[:KEY_DIGITS]


def deciding(digests: dict[str, Any]) -> dict[str, Any]:
    """The inputs, by role, that decide bytes: all but the guards."""
    return {role: found for role, found in digests.items() if role not in GUARDS}


def content_id(spec: dict, digests: dict[str, str]) -> str:
    """Digest of what decides an artifact's bytes: its config, its code and its inputs' manifests (sha256)."""
    own = {part: spec[part] for part in ("stage", "config", "code")}
    return digest(canonical_json({**own, "inputs": deciding(digests)}))


def identity_of(manifest: Path) -> str:
    """`name-key` of a manifest: `.../name-key/manifest.json`, or `.../name/manifest-key.json` on a stable path."""
    own_key = manifest.stem.partition("-")[2]
    return f"{manifest.parent.name}-{own_key}" if own_key else manifest.parent.name


def name_of(identity: str) -> str:
    """The name in `name-key`."""
    return identity[: -KEY_DIGITS - 1]
