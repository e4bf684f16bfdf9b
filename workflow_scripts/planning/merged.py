"""The config as Snakemake has merged it, from the Snakefile to the plan that runs it, by way of a file."""

import json
import os
from pathlib import Path

VARIABLE = "ENTROPY_BRIDGE_MERGED_CONFIG"


def tell_plan(config: dict) -> None:
    """Called by the Snakefile: write the config where a plan asks for it."""
    if os.environ.get(VARIABLE):
        Path(os.environ[VARIABLE]).write_text(json.dumps(config))
