"""The fetching stages as processes, against a hub on loopback: what is taken, refused, resumed and kept."""

import hashlib
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.hub import REVISION, TOKEN, Hub, serving
from workflow_scripts.artifacts.fingerprint import ROOT, fingerprint
from workflow_scripts.artifacts.keys import key
from workflow_scripts.hub import FILES

WEIGHTS = os.urandom(3_000_000)
MODEL = {
    "config.json": b"{}",
    "tokenizer.json": b"{}",
    "model.safetensors": WEIGHTS,
    "pytorch_model.bin": b"a pickle",
    "modeling_own.py": b"raise SystemExit",
    "onnx/model.safetensors": b"another format's",
    ".gitattributes": b"*.safetensors filter=lfs",
    ".cache.json": b"{}",
}


@pytest.fixture
def hub():
    with serving(Hub()) as running:
        yield running


class Fetch:
    """Calls of a fetching stage, as a rule would make them, below one results root."""

    def __init__(self, root: Path, hub: Hub):
        self.root, self.hub, self.variables = root, hub, {"HF_HOME": str(root / "home")}

    def command(self, kind="model", repo="owner/name", revision=REVISION) -> list[str]:
        stage = f"fetch_{kind}"
        config = {"kind": kind, "repo": repo, "revision": revision, "files": sorted(FILES[kind])}
        code = fingerprint(stage, config, ROOT / "envs" / "cpu.txt")
        spec = {"stage": stage, "config": config, "code": code, "inputs": {}}
        self.output = self.root / "downloads" / f"{kind}.owner_name-{key(spec)}" / "manifest.json"
        command = [sys.executable, "-m", f"workflow_scripts.stages.{stage}", "--spec", json.dumps(spec)]
        return [*command, "--output", str(self.output), "--work", str(self.root / "work")]

    def start(self, **options) -> subprocess.Popen:
        variables = {name: value for name, value in os.environ.items() if not name.startswith(("HF_", "TRANSFORMERS_"))}
        variables |= {"HF_ENDPOINT": self.hub.url, **self.variables}
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
        return subprocess.Popen(self.command(**options), env=variables, cwd=ROOT, **pipes)

    def run(self, **options) -> tuple[int, str]:
        """Exit status, and all that it printed."""
        process = self.start(**options)
        printed = process.communicate(timeout=120)[0]
        return process.returncode, printed

    def refused(self, **options) -> str:
        """The last line of a call that must fail and publish nothing."""
        status, printed = self.run(**options)
        assert status == 1 and not self.output.exists(), printed
        assert "Traceback" not in printed, printed
        return printed.strip().splitlines()[-1]

    def files(self) -> dict[str, bytes]:
        folder = self.output.parent / "snapshot"
        return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture
def fetch(tmp_path, hub) -> Fetch:
    return Fetch(tmp_path, hub)


def test_a_model_is_its_safetensors_json_and_text(fetch, hub):
    hub.add("model", "owner/name", MODEL)
    status, printed = fetch.run()
    assert status == 0, printed
    assert fetch.files() == {name: MODEL[name] for name in ("config.json", "tokenizer.json", "model.safetensors")}
    listed = json.loads(fetch.output.read_text())
    assert listed["files"]["snapshot/model.safetensors"]["sha256"] == hashlib.sha256(WEIGHTS).hexdigest()
    assert listed["accounting"] == {"bytes": len(WEIGHTS) + 4, "files": 3}
    assert hub.tokens == {None}


def test_a_data_set_is_its_tables_in_all_folders(fetch, hub):
    files = {"README.md": b"---\n---", "main/test.jsonl": b"{}\n", "load.py": b"raise SystemExit", "x.zip": b"PK"}
    hub.add("dataset", "owner/name", files)
    status, printed = fetch.run(kind="dataset")
    assert status == 0, printed
    assert fetch.files() == {name: files[name] for name in ("README.md", "main/test.jsonl")}


def test_a_finished_download_is_restored_without_the_hub(fetch, hub):
    hub.add("model", "owner/name", MODEL)
    assert fetch.run()[0] == 0
    asked = len(hub.asked)
    fetch.output.unlink()
    status, printed = fetch.run()
    assert status == 0 and "restored" in printed and len(hub.asked) == asked


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_a_killed_download_publishes_nothing_and_goes_on_with_the_files_that_lack(fetch, hub, how):
    hub.add("model", "owner/name", MODEL)
    hub.cut["model.safetensors"] = 2_000_000
    process = fetch.start()
    assert hub.stalled.wait(60), process.communicate(timeout=60)
    process.send_signal(how)
    printed = process.communicate(timeout=60)[0]
    assert process.returncode != 0 and not fetch.output.exists(), printed
    hub.asked.clear()
    status, printed = fetch.run()
    assert status == 0, printed
    assert fetch.files()["model.safetensors"] == WEIGHTS
    assert len(hub.transfers("model.safetensors")) == 1 and hub.transfers("config.json") == []
    assert not list(fetch.root.rglob("*.incomplete"))


@pytest.mark.parametrize(("name", "same_length"), [("model.safetensors", bytes(len(WEIGHTS))), ("config.json", b"[]")])
def test_bytes_that_the_hub_does_not_list_are_refused_and_fetched_again(fetch, hub, name, same_length):
    hub.add("model", "owner/name", MODEL)
    hub.forged[name] = same_length
    assert f"{name} is not what the hub lists: removed; run it again" in fetch.refused()
    hub.forged.clear()
    hub.asked.clear()
    assert fetch.run()[0] == 0 and fetch.files()[name] == MODEL[name]
    assert len(hub.transfers(name)) == 1 and sum("/resolve/" in path for _, path, _ in hub.asked) == 2  # HEAD and GET


@pytest.mark.parametrize(
    ("files", "line"),
    [
        ({"config.json": b"{}", "pytorch_model.bin": b"x"}, "has no safetensors weights; other formats are refused"),
        (MODEL | {"../out.safetensors": b"x"}, "names the file '../out.safetensors', which is outside its folder"),
        (MODEL | {"..\\out.json": b"x"}, "which is outside its folder: refused"),
        (MODEL | {"out\n.json": b"x"}, "which is outside its folder: refused"),
    ],
)
def test_an_unsafe_model_is_refused_before_anything_is_taken(fetch, hub, files, line):
    hub.add("model", "owner/name", files)
    assert line in fetch.refused()
    assert all("/resolve/" not in path for _, path, _ in hub.asked)


@pytest.mark.parametrize("name", ["../../out.jsonl", "/tmp/out.jsonl", "data/../../out.csv"])
def test_an_unsafe_data_set_is_refused(fetch, hub, name):
    hub.add("dataset", "owner/name", {"test.jsonl": b"{}\n", name: b"{}\n"})
    assert "which is outside its folder: refused" in fetch.refused(kind="dataset")


def test_a_data_set_of_scripts_is_refused(fetch, hub):
    hub.add("dataset", "owner/name", {"README.md": b"", "name.py": b"", "data.zip": b""})
    assert "data set owner/name" in (line := fetch.refused(kind="dataset")) and "has no data files" in line


def test_what_cannot_be_had_is_one_line_without_the_hubs_own_words(fetch, hub, tmp_path):
    what = f"fetch_model: model owner/name at revision {REVISION}"
    assert fetch.refused() == f"{what}: the hub has no such repository for you (private ones need HF_TOKEN)"
    hub.add("model", "owner/name", MODEL, revision="f" * 40)
    assert fetch.refused() == f"{what}: the repository has no such revision"
    hub.add("model", "owner/name", MODEL, gated=True)
    gated = f"{what}: access is gated by the hub"
    assert fetch.refused() == f"{gated}: accept its terms there and set HF_TOKEN"
    fetch.variables["HF_TOKEN"] = "hf_" + "OfSomebodyElse"
    assert fetch.refused() == f"{gated}: HF_TOKEN is not one of an account with access"
    fetch.variables["TRANSFORMERS_OFFLINE"] = "1"
    assert "TRANSFORMERS_OFFLINE is set here, where it would be downloaded: unset it" in fetch.refused()
    del fetch.variables["TRANSFORMERS_OFFLINE"]
    assert "has no pinned revision: put the commit to use" in fetch.refused(revision="unpinned")


def test_no_network_is_one_line(tmp_path):
    with serving(Hub()) as gone:
        pass
    line = Fetch(tmp_path, gone).refused()
    assert line.endswith("no answer from 127.0.0.1 (ConnectError); is there a network here?"), line


def test_the_token_opens_the_repository_and_is_written_nowhere(fetch, hub, tmp_path):
    """Nor is it seen in a process list: the hub looks at all command lines of this machine while it answers."""
    hub.add("model", "owner/name", MODEL, private=True, gated=True)
    fetch.variables["HF_TOKEN"] = TOKEN
    status, printed = fetch.run()
    assert status == 0 and TOKEN not in printed and hub.tokens == {TOKEN}
    assert hub.in_command_lines == set()
    holding = [path for path in tmp_path.rglob("*") if path.is_file() and TOKEN.encode() in path.read_bytes()]
    assert holding == []


def test_a_token_that_is_stored_on_the_machine_is_not_used(fetch, hub, tmp_path):
    hub.add("model", "owner/name", MODEL)
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "token").write_text(TOKEN)
    assert fetch.run()[0] == 0 and hub.tokens == {None}
