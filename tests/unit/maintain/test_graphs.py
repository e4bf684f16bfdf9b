"""Which configs are counted: those with the same results root; one that does not load is named."""

import shutil

import pytest
import yaml

from tests.project import ROOT
from workflow_scripts.config.load import STATEMENTS, ConfigError
from workflow_scripts.maintain import graphs

MICRO = ROOT / "tests" / "configs" / "micro.yaml"


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder of configs of its own, with the statements of the papers."""
    for name in STATEMENTS:
        shutil.copy(ROOT / "config" / f"{name}.yaml", tmp_path)
    monkeypatch.setattr(graphs, "CONFIGS", tmp_path)
    return tmp_path


def write(path, **settings):
    path.write_text(yaml.safe_dump(yaml.safe_load(MICRO.read_text()) | settings))


def counted(config=MICRO):
    found, broken = graphs.sharing_graphs(config, graphs.load_graph(config))
    return {path.name for path in found}, broken


def test_configs_of_the_same_root_are_counted_and_the_statements_are_no_configs(folder):
    write(folder / "same.yaml", results="./results")
    write(folder / "other.yaml", results="results/other")
    assert counted() == ({"micro.yaml", "same.yaml"}, [])


def test_a_config_is_counted_once(folder):
    write(folder / "mine.yaml")
    assert counted(folder / "mine.yaml") == ({"mine.yaml"}, [])


@pytest.mark.parametrize("text", ["results: [", "- a list", "\x00", "extends: nothing_of_this_name", "studies: {}"])
def test_what_does_not_load_is_named(folder, text):
    (folder / "bad.yaml").write_text(text)
    _, (line,) = counted()
    assert "bad.yaml does not load: " in line and "\n" not in line


def test_a_broken_config_of_another_root_does_not_matter(folder):
    (folder / "bad.yaml").write_text("results: results/other\nstudies: {}\n")
    assert counted()[1] == []


def test_a_config_that_is_not_yaml_stops_with_one_line(tmp_path):
    (tmp_path / "bad.yaml").write_text("a: [\nb")
    with pytest.raises(ConfigError, match="not readable as YAML"):
        graphs.load_graph(tmp_path / "bad.yaml")


def test_a_config_whose_local_data_is_not_here_is_named(folder, tmp_path):
    """Its keys would be others: the artifacts made from the file would look like nobody's."""
    config = yaml.safe_load(MICRO.read_text())
    columns = {"prompt": "q", "reference": "a"}
    config["datasets"]["mine"] = {
        "source": {"kind": "file", "path": str(tmp_path / "{origin}.jsonl"), "columns": columns},
        "splits": {"test": {"rows": 2}},
    }
    config["benchmarks"]["mine"] = {**config["benchmarks"]["world"], "data": "mine.test", "graders": ["rule"]}
    (folder / "local.yaml").write_text(yaml.safe_dump(config))
    (tmp_path / "test.jsonl").write_text('{"q": "1+1", "a": "2"}\n')
    assert counted()[1] == []
    (tmp_path / "test.jsonl").unlink()
    (line,) = counted()[1]
    assert "local.yaml" in line and f"{tmp_path}/test.jsonl of data set mine is not here" in line
