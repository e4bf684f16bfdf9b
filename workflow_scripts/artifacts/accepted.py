"""Fingerprints that a user accepted as equal to an older one: a change known not to change results.

`accepted.json` in the results root maps stage -> new fingerprint -> the fingerprint that the artifacts carry.
"""

import json
from pathlib import Path

from workflow_scripts.artifacts.manifest import write_json


class Accepted:
    """The accepted fingerprints below one results root. Raises ValueError naming a file that is no JSON."""

    def __init__(self, path: Path):
        self.path = path
        try:
            self._equal: dict[str, dict[str, str]] = json.loads(path.read_text()) if path.is_file() else {}
        except ValueError:
            raise ValueError(f"{path}: not readable as JSON") from None

    def name_of(self, stage: str, code: str) -> str:
        """The fingerprint under which results of this code are kept."""
        return self._equal.get(stage, {}).get(code, code)

    def accept(self, stage: str, new: str, old: str) -> None:
        """Record `new` as equal to `old`."""
        self._equal.setdefault(stage, {})[new] = old
        self.path.parent.mkdir(parents=True, exist_ok=True)
        write_json(self.path, self._equal)
