"""Answers about source files are kept between processes, and one that is not of a file's present bytes is not used."""

import json
import os
import subprocess
import sys

import pytest

from workflow_scripts.artifacts import syntax

ASK = """
import sys
from pathlib import Path
from workflow_scripts.artifacts import syntax
syntax.PACKAGE = Path.cwd()
print(syntax.tree_digest(Path("module.py").resolve()), syntax.imports(Path("module.py").resolve(), "package"))
syntax.keep()
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".snakemake").mkdir()
    (tmp_path / "module.py").write_text("from . import other\nVALUE = 1\n")
    return tmp_path


def ask() -> str:
    return subprocess.run([sys.executable, "-c", ASK], check=True, capture_output=True, text=True).stdout


def test_an_answer_is_kept_and_used(folder):
    first = ask()
    kept = json.loads((folder / syntax.KEPT).read_text())
    kept["answers"]["tree_digest module.py"][1] = "from the file"
    (folder / syntax.KEPT).write_text(json.dumps(kept))
    assert "package" in first and ask().startswith("from the file ")


def test_an_edit_is_seen_even_where_size_and_time_of_the_file_stay(folder):
    first, state = ask(), (folder / "module.py").stat()
    (folder / "module.py").write_text("from . import other\nVALUE = 2\n")
    os.utime(folder / "module.py", ns=(state.st_atime_ns, state.st_mtime_ns))
    assert ask().split()[0] != first.split()[0]
    (folder / "module.py").write_text("# a remark\nfrom . import other\nVALUE = 1\n")
    assert ask() == first


@pytest.mark.parametrize("damaged", ["", "{", "[]", '{"asked_by": null}', '{"asked_by": ["another", "one"]}'])
def test_a_file_that_is_damaged_or_of_another_version_is_written_anew(folder, damaged):
    first, kept = ask(), (folder / syntax.KEPT).read_text()
    (folder / syntax.KEPT).write_text(damaged)
    assert ask() == first and (folder / syntax.KEPT).read_text() == kept


def test_nothing_is_written_where_snakemake_does_not_work(folder):
    (folder / ".snakemake").rmdir()
    ask()
    assert {path.name for path in folder.iterdir()} == {"module.py"}
