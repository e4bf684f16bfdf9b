"""Sample a data set from its config, as the stage does: validated, then made into tables."""

from importlib import import_module

import pytest

from workflow_scripts.config.data_models import Dataset
from workflow_scripts.data.sources import SOURCES, Tables


@pytest.fixture
def sample():
    """`sample(name, dataset, foreign, seed)` -> Tables, of a data set as a config gives it."""

    def make(name: str, dataset: dict, foreign: tuple[str, ...] = (), seed: int = 0) -> Tables:
        plain = Dataset.model_validate(dataset).model_dump(mode="json", include={"source", "splits"})
        module = import_module(SOURCES[plain["source"]["kind"]])
        return module.make_tables({"dataset": name, "seed": seed, **plain}, foreign)

    return make
