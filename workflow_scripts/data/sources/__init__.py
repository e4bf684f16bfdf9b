"""Where questions come from: a hub data set, a local file, a file inside a Python package, or a generator.

Each module has `make_tables(config, foreign) -> Tables`. `config` is the stage's slice (dataset, source, splits, seed),
`foreign` the prompts of the data sets that this one must not overlap; `pairs` is given the questions that it is made
from in their place. What is wrong raises ValueError in one line.
"""

from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa

SOURCES = {
    "generator": "workflow_scripts.data.sources.generator",
    "hub": "workflow_scripts.data.sources.hub",
    "file": "workflow_scripts.data.sources.file",
    "package": "workflow_scripts.data.sources.package",
    "reasoning_gym": "workflow_scripts.data.sources.reasoning_gym",
    "pairs": "workflow_scripts.data.sources.pairs",
    "mixture": "workflow_scripts.data.sources.mixture",
}


@dataclass
class Tables:
    """What the stage writes: (file, columns, schema) each; `counts` are named `split.count`, `notes` go to the log."""

    files: list[tuple[str, dict[str, list], pa.Schema]] = field(default_factory=list)
    counts: dict[str, int] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def count(self, split: str, **counts: Any) -> None:
        """Add counts of a split, or of the part of a source that splits are drawn from."""
        self.counts |= {f"{split}.{name}": int(count) for name, count in counts.items()}
