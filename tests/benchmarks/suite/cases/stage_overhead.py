"""What a stage adds around its work: start, imports, spec, fingerprint, lock, checksums, manifest, publishing.

Fairness. Each side is a whole process, in CPU seconds. The other side calls the same functions of this project for the
same work (the generator, the training) from a bare script and writes its results with pyarrow or transformers: no spec
is checked, nothing locked, digested or published. The work is the micro config's, so that what is around it shows: a
second or less. `imports` holds the way a stage loads torch and transformers against plain import statements, and
`checksums` the manifest of 256 MiB in eight files against coreutils' sha256sum of the same.
"""

import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import yaml

from tests.benchmarks.suite.grids import cpu_seconds
from tests.benchmarks.suite.measure import Row, alternate
from tests.project import ROOT
from workflow_scripts.config.artifact import Artifact, spec_text
from workflow_scripts.config.graph import Graph
from workflow_scripts.config.load import load_config

GROUP = "Overhead of a stage"
STEPS = 2  # of the training
IMPORTS = """
from workflow_scripts.artifacts.libraries import LARGE, load_libraries
load_libraries(LARGE)
"""
MANIFEST = "from workflow_scripts.artifacts.manifest import make_manifest; make_manifest(Path(sys.argv[1]), {})"
DATA = """
import pyarrow as pa, pyarrow.parquet as pq
from workflow_scripts.data.sources.generator import make_tables
for name, columns, schema in make_tables(json.loads(sys.argv[1]), []).files:
    pq.write_table(pa.table(columns, schema=schema), f"{sys.argv[2]}/{name}")
"""
MODEL = """
import pyarrow.parquet as pq
from workflow_scripts.devices import fix_threads
from workflow_scripts.models.scratch import train
config = json.loads(sys.argv[1])
model, tokenizer, rows = train(pq.read_table(sys.argv[3]).to_pydict(), config["source"], config["seed"])
model.save_pretrained(sys.argv[2])
tokenizer.save_pretrained(sys.argv[2])
pq.write_table(__import__("pyarrow").table(rows), f"{sys.argv[2]}/training.parquet")
"""


def rows(quick: bool) -> Iterator[Row]:
    repetitions = 2 if quick else 6
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(Path(folder), repetitions)
        yield bench.row("imports", "import statements", lambda: bench.script(IMPORTS), bench.plain_imports, target=1.0)
        data = bench.artifacts["sample_data"]
        yield bench.row("sample_data", "a bare script", lambda: bench.stage(data), lambda: bench.bare(DATA, data))
        model, table = bench.artifacts["prepare_model"], bench.made(data) / "train.parquet"
        yield bench.row(
            "prepare_model", "a bare script", lambda: bench.stage(model), lambda: bench.bare(MODEL, model, table)
        )
        files = bench.files(8, 2 if quick else 32)
        yield bench.row("checksums", "sha256sum", lambda: bench.script(MANIFEST, files), lambda: bench.sha256sum(files))


class Bench:
    def __init__(self, folder: Path, repetitions: int) -> None:
        self.folder, self.repetitions, self.count = folder, repetitions, 0
        config = yaml.safe_load((ROOT / "tests" / "configs" / "micro.yaml").read_text())
        config["models"]["base"]["source"]["training"]["steps"] = STEPS
        graph = Graph(load_config(config), ROOT)
        policy = next(one for one in graph.artifacts if one.name == "base.s0" and one.stage == "prepare_model")
        self.artifacts = {"prepare_model": policy, "sample_data": policy.inputs["data"]}
        (folder / ".snakemake").mkdir()  # as where Snakemake starts a stage

    def row(self, case: str, other: str, ours, theirs, target: float | None = None) -> Row:
        values = alternate(ours, theirs, self.repetitions)
        limit = "torch and transformers import each other whole" if case in ("imports", "prepare_model") else ""
        return Row(GROUP, case, "ours", other, "s", *values, "cpu", None, limit, "CPU seconds of the process", target)

    def stage(self, artifact: Artifact) -> float:
        """A job as a rule starts it, in a results root of its own."""
        self.count += 1
        results = self.folder / f"results{self.count}"
        command = ["--spec", spec_text(artifact), "--output", results / artifact.manifest, "--work", results / "work"]
        for role, upstream in artifact.inputs.items():
            command += ["--input", f"{role}={self.made(upstream) / 'manifest.json'}"]
        return self.process("-m", f"workflow_scripts.stages.{artifact.stage}", *command)

    def made(self, artifact: Artifact) -> Path:
        """The folder of an artifact that a stage has made here before."""
        return max(self.folder.glob(f"results*/{artifact.manifest}"), key=os.path.getmtime).parent

    def bare(self, script: str, artifact: Artifact, *arguments: Path) -> float:
        from workflow_scripts.artifacts.keys import canonical_json

        with tempfile.TemporaryDirectory() as folder:
            return self.script(script, canonical_json(artifact.config), folder, *arguments)

    def script(self, script: str, *arguments: str | Path) -> float:
        return self.process("-c", f"import json, sys\nfrom pathlib import Path\n{script}", *arguments)

    def plain_imports(self) -> float:
        return self.script("import torch, transformers.modeling_utils")

    def process(self, *arguments: str | Path) -> float:
        return cpu_seconds([sys.executable, *map(str, arguments)], self.folder)[0]

    def files(self, count: int, mebibytes: int) -> Path:
        folder = self.folder / "files"
        folder.mkdir()
        for number in range(count):
            (folder / f"{number}.bin").write_bytes(os.urandom(mebibytes * 2**20))
        return folder

    def sha256sum(self, folder: Path) -> float:
        return cpu_seconds(["sha256sum", *map(str, sorted(folder.iterdir()))], folder)[0]
