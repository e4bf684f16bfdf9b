"""Questions of a generated world. Split `NAME` is drawn from the world's region of that name, or from `source`."""

import importlib

from workflow_scripts.data.sources import Drawn

GENERATORS = {"nano_world": "workflow_scripts.data.nano_world"}


def load(source: dict, name: str, split: dict, seed: int) -> Drawn:
    """All rows of a split of questions, with their truth."""
    world = importlib.import_module(GENERATORS[source["generator"]])
    settings = world.read_settings(source["options"])
    rows, region = _rows(name, split), split["source"] or name
    return Drawn(*world.question_table(rows, region, split["subjects"], settings, seed))


def load_training(source: dict, name: str, split: dict, seed: int) -> tuple[dict[str, list], int]:
    """Rows of a split of demonstrations or pairs, and the repeats dropped."""
    world = importlib.import_module(GENERATORS[source["generator"]])
    settings = world.read_settings(source["options"])
    rows, region = _rows(name, split), split["source"] or ("demonstrations" if name == "train" else "held_out")
    if source["table"] == "demonstrations":
        return world.demonstration_table(rows, region, split["subjects"], settings, seed), 0
    return world.pair_table(rows, region, split["subjects"], settings, seed)


def _rows(name: str, split: dict) -> int:
    if split["rows"] is None:
        raise ValueError(f"split {name}: a generator has no end, so rows must be given")
    return split["rows"]
