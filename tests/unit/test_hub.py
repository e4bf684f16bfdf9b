"""What a download takes and refuses, told from the hub's listing alone."""

import shutil

import pytest
from huggingface_hub.hf_api import BlobLfsInfo, RepoSibling

from workflow_scripts import hub
from workflow_scripts.artifacts import StageError
from workflow_scripts.artifacts.keys import file_digest


def listed(*names: str) -> list[RepoSibling]:
    return [RepoSibling(rfilename=name) for name in names]


def taken(kind: str, *names: str) -> list[str]:
    return [file.rfilename for file in hub.chosen("it", kind, list(hub.FILES[kind]), listed(*names))]


def test_nothing_that_could_run_is_taken():
    harmless = ["model.safetensors", "config.json", "merges.txt", "tokenizer.model", "chat_template.jinja", "README.md"]
    harmful = ["model.bin", "model.pt", "model.pkl", "modeling.py", "x.sh", "rust_model.ot", "model.gguf", "a.ipynb"]
    assert taken("model", *harmless, *harmful) == harmless
    tables = ["a.parquet", "deep/er/b.jsonl.gz", "c.csv", "README.md"]
    assert taken("dataset", *tables, "load.py", "deep/x.pkl", "d.zip", ".hidden/a.csv") == tables


def test_a_models_other_formats_in_folders_are_left():
    assert taken("model", "model.safetensors", "onnx/config.json", "original/a.safetensors") == ["model.safetensors"]


def test_too_little_room_is_said_before_the_download(tmp_path):
    free = shutil.disk_usage(tmp_path).free
    hub.check_space("it", free // 2, tmp_path)
    with pytest.raises(StageError, match=r"^it needs \d+\.\d GB more below .*, where \d+\.\d GB are free$"):
        hub.check_space("it", 2 * free, tmp_path)


def test_a_link_in_place_of_a_file_is_refused_and_removed(tmp_path):
    """However it came there: what it leads to has the right checksum, but is no part of the download."""
    (tmp_path / "elsewhere").write_bytes(b"weights")
    (tmp_path / "w").symlink_to(tmp_path / "elsewhere")
    lfs = BlobLfsInfo(size=7, sha256=file_digest(tmp_path / "elsewhere"), pointer_size=1)
    file = RepoSibling(rfilename="w", size=7, lfs=lfs)
    with pytest.raises(StageError, match="w is not what the hub lists: removed; run it again"):
        hub.check_file("it", tmp_path / "w", file)
    assert not (tmp_path / "w").exists() and (tmp_path / "elsewhere").read_bytes() == b"weights"
    (tmp_path / "elsewhere").rename(tmp_path / "w")
    hub.check_file("it", tmp_path / "w", file)
