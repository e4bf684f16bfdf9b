"""The graphs of the configs that share a results root: what is referred to there."""

import os
from pathlib import Path

import yaml

from workflow_scripts.artifacts.errors import StageError
from workflow_scripts.artifacts.fingerprint import ROOT
from workflow_scripts.config.artifact import Artifact
from workflow_scripts.config.files import missing_files
from workflow_scripts.config.graph import Graph
from workflow_scripts.config.load import CONFIGS, FACTS, STATEMENTS, ConfigError, extended, load_config, statements
from workflow_scripts.config.yaml_files import read_yaml


def load_graph(path: Path) -> Graph:
    """The graph of artifacts of one config file. Raises ConfigError or ValueError."""
    return Graph(load_config(_read(path)), ROOT, **statements())


def sharing_graphs(config: Path, graph: Graph) -> tuple[dict[Path, Graph], list[str]]:
    """Graphs by config file, of `config` and of each config/*.yaml with its results root; and what keeps them from
    saying all that is referred to there: a line each for a config that does not load, and a source that is not here.
    """
    root, graphs, broken = Path(graph.config.results).resolve(), {config: graph}, []
    for path in sorted(set(CONFIGS.glob("*.yaml")) - {CONFIGS / f"{name}.yaml" for name in STATEMENTS + FACTS}):
        if path.resolve() == config.resolve():
            continue
        path = Path(os.path.relpath(path))
        try:
            if Path(extended(_read(path)).get("results", "results")).resolve() == root:
                graphs[path] = load_graph(path)
        except (ConfigError, StageError, ValueError, OSError) as error:
            broken.append(f"{path} does not load: {error}")
    return graphs, broken + [line for path, graph in graphs.items() for line in _lost_sources(path, graph)]


def _lost_sources(config: Path, graph: Graph) -> list[str]:
    """Local files whose digests are part of keys: where one is not here, the keys are not those of its artifacts."""
    used = sorted({artifact.config["dataset"] for artifact in graph.artifacts if artifact.stage == "sample_data"})
    datasets = [(name, graph.config.datasets[name]) for name in used]
    lost = [(name, file) for name, data in datasets if data.source.kind == "file" for file in missing_files(data)]
    return [f"{config}: {file} of data set {name} is not here, and its digest is part of keys" for name, file in lost]


def artifacts_of(graphs: dict[Path, Graph], results: Path) -> dict[Path, Artifact]:
    """All artifacts that the graphs refer to, by manifest, upstream before downstream."""
    return {results / artifact.manifest: artifact for graph in graphs.values() for artifact in graph.artifacts}


def _read(path: Path) -> dict:
    try:
        raw = read_yaml(path)
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: not readable as YAML: {' '.join(str(error).split())}") from None
    if not isinstance(raw, dict):
        raise ConfigError(f"{path}: no settings by name")
    return raw
