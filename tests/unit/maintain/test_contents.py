"""What is wrong inside an artifact's folder is named, by file, and never raised."""

import json

import pyarrow.parquet as pq
import pytest

from workflow_scripts.artifacts.manifest import make_manifest, write_json
from workflow_scripts.artifacts.schemas import GATE, SCORES
from workflow_scripts.artifacts.tables import write_table
from workflow_scripts.config.references import STAGES
from workflow_scripts.maintain.contents import TABLES, Checksums, faults, misfits, unlisted


@pytest.fixture
def artifact(tmp_path):
    """The manifest of an intact artifact of label_rollouts."""
    write_table(tmp_path / "scores.parquet", {"yes": [0.5], "no": [0.25]}, SCORES)
    (tmp_path / "README.md").write_text("read me\n")
    write_json(tmp_path / "manifest.json", make_manifest(tmp_path, {"rows": 1}))
    write_json(tmp_path / "provenance.json", {"stage": "label_rollouts", "inputs": {}})
    return tmp_path / "manifest.json"


def found(manifest):
    return {path.name: why for path, why in faults(manifest, Checksums()).items()}


def misfitting(manifest):
    assert found(manifest) == {}
    return [path.name for path in misfits(manifest, "label_rollouts")]


def reseal(manifest):
    """The manifest of the files as they are now: checksums alone will find nothing."""
    manifest.unlink()
    provenance = (manifest.parent / "provenance.json").read_bytes()
    (manifest.parent / "provenance.json").unlink()
    write_json(manifest, make_manifest(manifest.parent, {"rows": 1}))
    (manifest.parent / "provenance.json").write_bytes(provenance)


def test_an_intact_artifact_has_no_fault(artifact):
    assert misfitting(artifact) == [] and unlisted(artifact) == []


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "not readable as JSON"),
        (b'{"files": {"a"', "not readable as JSON"),
        (b"\xff\xfe\x00", "not readable as JSON"),
        (b"[]", "not a manifest"),
        (b'{"files": []}', "not a manifest"),
        (b'{"files": {"a": 1}}', "not a manifest"),
        (b'{"files": {"a": {"bytes": 1}}}', "not a manifest"),
    ],
)
def test_a_manifest_that_is_none(artifact, content, why):
    artifact.write_bytes(content)
    assert found(artifact) == {"manifest.json": why}


@pytest.mark.parametrize("content", [b"", b"[]", b'{"inputs": 1}', b"\xff"])
def test_a_provenance_that_is_none(artifact, content):
    (artifact.parent / "provenance.json").write_bytes(content)
    assert list(found(artifact)) == ["provenance.json"]


def test_a_file_that_cannot_be_read(artifact):
    """A folder in its place, as root may read everything else."""
    table = artifact.parent / "scores.parquet"
    size = table.stat().st_size
    table.unlink()
    table.mkdir()
    manifest = json.loads(artifact.read_text())
    manifest["files"]["scores.parquet"]["bytes"] = table.stat().st_size
    write_json(artifact, manifest)
    assert size and found(artifact) == {"scores.parquet": "not readable: Is a directory"}


def test_a_table_that_is_no_parquet_file_though_its_checksum_is_right(artifact):
    manifest = json.loads(artifact.read_text())
    table = artifact.parent / "scores.parquet"
    table.write_bytes(b"PAR1 no table PAR1")
    manifest["files"]["scores.parquet"] |= {"sha256": Checksums()(table), "bytes": table.stat().st_size}
    write_json(artifact, manifest)
    assert found(artifact) == {"scores.parquet": "not a readable Parquet file"}


@pytest.mark.parametrize("wrong", [{"rows": 2}, {"schema": {"yes": "double"}}])
def test_rows_and_columns_are_compared_with_the_manifest(artifact, wrong):
    manifest = json.loads(artifact.read_text())
    manifest["files"]["scores.parquet"] |= wrong
    write_json(artifact, manifest)
    assert found(artifact) == {"scores.parquet": "rows or columns differ from the manifest"}


def test_columns_that_the_code_of_today_does_not_write(artifact):
    gate = {"threshold": ["a"], "value": [1.0], "bound": ["b"], "limit": [1.0], "passed": [True], "n": [1]}
    write_table(artifact.parent / "scores.parquet", gate, GATE)
    reseal(artifact)
    assert misfitting(artifact) == ["scores.parquet"]


def test_a_column_that_may_be_null_is_another_column(artifact):
    table = pq.read_table(artifact.parent / "scores.parquet")
    nullable = table.schema.set(0, table.schema.field(0).with_nullable(True))
    pq.write_table(table.cast(nullable), artifact.parent / "scores.parquet")
    reseal(artifact)
    assert misfitting(artifact) == ["scores.parquet"]


def test_a_table_that_no_stage_declares(artifact):
    (artifact.parent / "scores.parquet").rename(artifact.parent / "more.parquet")
    reseal(artifact)
    assert misfitting(artifact) == ["more.parquet"]


def test_files_that_are_not_listed(artifact):
    (artifact.parent / "notes.txt").write_text("mine")
    (artifact.parent / "events").mkdir()
    (artifact.parent / "events" / "events.out").write_text("no part of the manifest")
    assert [path.name for path in unlisted(artifact)] == ["notes.txt"]


def test_a_file_with_two_links_is_read_once(artifact):
    table, checksum = artifact.parent / "scores.parquet", Checksums()
    (artifact.parent / "again.parquet").hardlink_to(table)
    assert checksum(table) == checksum(artifact.parent / "again.parquet")
    assert checksum.bytes_read == table.stat().st_size


def test_every_stage_with_tables_declares_them():
    assert set(STAGES) - set(TABLES) == {"render_report", "fetch_model", "fetch_dataset"}
