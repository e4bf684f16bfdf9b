"""A GGUF file that is missing, another one, or none is named; what is read from a real one: tests/smol."""

import hashlib
import sys

import pytest

from workflow_scripts.models.gguf import load_gguf, locate


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "model.gguf"
    path.write_bytes(b"GGML, an older format")
    return path


def local(path, digest):
    return {"package": None, "version": None, "resource": None, "path": str(path), "sha256": digest}


def test_a_local_file_is_taken_by_its_digest(file, tmp_path):
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    assert locate(local(file, digest)) == file
    with pytest.raises(ValueError, match=r"model\.gguf: its SHA-256 is not the 0000"):
        locate(local(file, "0" * 64))
    with pytest.raises(ValueError, match=r"none\.gguf: no such file"):
        locate(local(tmp_path / "none.gguf", digest))


def test_a_file_of_another_format_is_refused(file):
    with pytest.raises(ValueError, match=r"model\.gguf: no GGUF file"):
        load_gguf(file)


def test_the_code_of_the_package_that_carries_a_file_is_never_run(file, tmp_path, monkeypatch):
    folder = tmp_path / "site" / "some_model"
    folder.mkdir(parents=True)
    (folder / "__init__.py").write_text("raise RuntimeError('imported')\n")
    (folder / "a.gguf").write_bytes(file.read_bytes())
    info = tmp_path / "site" / "some_model-1.2.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: some-model\nVersion: 1.2\n")
    monkeypatch.syspath_prepend(tmp_path / "site")
    source = {"package": "some-model", "version": "1.2", "resource": "a.gguf"}
    assert locate(source) == folder / "a.gguf" and "some_model" not in sys.modules
    with pytest.raises(ValueError, match=r"package 'some-model' 1\.2: b\.gguf: no such file"):
        locate(source | {"resource": "b.gguf"})
    with pytest.raises(ValueError, match=r"'some-model' is installed as 1\.2, the config names 2"):
        locate(source | {"version": "2"})
