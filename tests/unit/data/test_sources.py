"""The same rows give the same table from a file of every kind, the hub's format or a package; what is wrong is named.

The files are written here; the hub's library reads a local copy of a repository, as it would a downloaded one.
"""

import csv
import json
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from workflow_scripts.config.data_models import Dataset
from workflow_scripts.config.files import source_digests
from workflow_scripts.data.prompts import render
from workflow_scripts.data.sources import hub
from workflow_scripts.data.sources.columns import Adapter
from workflow_scripts.data.text import last_line

FLAT = {"prompt": "question", "reference": "answer", "subject": "topic"}
NESTED = {"prompt": "query", "reference": "reward_model.ground_truth", "subject": "domain.0"}
WORDS = ["How much is 1 + 1?", 'Say "a, b";\nthen c', "Wie heißt π?", "  spaces  ", "twice", "twice", "empty"]
RECORDS = [
    {"question": words, "answer": "" if words == "empty" else f"answer {words.strip()}", "topic": "t", "other": "x" * 9}
    for words in WORDS
]
CHATS = [
    {
        "query": [{"role": "system", "content": "s"}, {"role": "user", "content": record["question"]}],
        "reward_model": {"ground_truth": record["answer"], "style": "rule"},
        "domain": [record["topic"], "more"],
    }
    for record in RECORDS
]


def write(path: Path, records: list[dict]) -> None:
    """Write records as the path's suffix says."""
    if path.suffix == ".parquet":
        pq.write_table(pa.Table.from_pylist(records), path)
    elif path.suffix == ".csv":
        with path.open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, list(records[0]))
            writer.writeheader()
            writer.writerows(records)
    elif path.suffix == ".json":
        path.write_text(json.dumps(records), encoding="utf-8")
    else:
        path.write_text("".join(json.dumps(record) + "\n\n" for record in records), encoding="utf-8")


def dataset(path: Path | str, columns: dict, splits: dict | None = None, **source) -> dict:
    source = {"kind": "file", "path": str(path), "columns": columns} | source
    return {"source": source, "splits": splits or {"test": {}}}


@pytest.fixture
def reference(sample, tmp_path):
    """The table that every way of reading RECORDS must give."""
    write(tmp_path / "reference.jsonl", RECORDS)
    tables = sample("set", dataset(tmp_path / "reference.jsonl", FLAT))
    dropped = {"duplicates": 1, "conflicting": 0, "contaminated": 0, "overlap": 0, "unused": 0}
    assert tables.counts == {f"test.{k}": n for k, n in ({"loaded": 7, "empty": 1, "kept": 5} | dropped).items()}
    assert sorted(tables.files[0][1]["prompt"]) == sorted({words.strip() for words in WORDS} - {"empty"})
    assert set(tables.files[0][1]["subject"]) == {"t"}
    return tables.files


@pytest.mark.parametrize("kind", ["jsonl", "json", "csv", "parquet"])
def test_files_of_all_kinds_give_the_same_table(sample, reference, tmp_path, kind):
    write(tmp_path / f"flat.{kind}", RECORDS)
    assert sample("set", dataset(tmp_path / f"flat.{kind}", FLAT)).files == reference
    if kind != "csv":
        write(tmp_path / f"nested.{kind}", CHATS)
        assert sample("set", dataset(tmp_path / f"nested.{kind}", NESTED)).files == reference


@pytest.mark.parametrize(("records", "columns"), [(RECORDS, FLAT), (CHATS, NESTED)])
def test_a_repository_in_the_hubs_format_gives_the_same_table(
    sample, reference, tmp_path, monkeypatch, records, columns
):
    import datasets

    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    (tmp_path / "repo" / "data").mkdir(parents=True)
    write(tmp_path / "repo" / "data" / "test-00000-of-00002.parquet", records[:4])
    write(tmp_path / "repo" / "data" / "test-00001-of-00002.parquet", records[4:])
    source = {"kind": "hub", "repo": str(tmp_path / "repo"), "revision": "unpinned", "columns": columns}
    assert sample("set", {"source": source, "splits": {"test": {}}}).files == reference
    with pytest.raises(ValueError, match="split 'train'.*train"):
        sample("set", {"source": source, "splits": {"train": {}}})
    missing = source | {"columns": columns | {"reference": "label"}}
    with pytest.raises(ValueError, match="test: row 1 has no column 'label' .it has .*(answer|query)"):
        sample("set", {"source": missing, "splits": {"test": {}}})


def test_shards_of_a_copy_are_read_as_one_and_splits_have_files_of_their_own(sample, reference, tmp_path):
    write(tmp_path / "test-0.parquet", RECORDS[:3])
    write(tmp_path / "test-1.parquet", RECORDS[3:])
    write(tmp_path / "train-0.parquet", RECORDS[:1] + [{**RECORDS[0], "question": "new"}])
    found = sample("set", dataset(tmp_path / "{origin}-*.parquet", FLAT, {"test": {}, "train": {}}))
    assert found.files[0] == reference[0] and found.files[1][1]["prompt"] == ["new"]
    assert found.counts["train.overlap"] == 1


def test_a_download_is_read_in_place_of_the_hub(tmp_path, monkeypatch):
    """By the configurations of its README.md; a folder that happens to have the repository's name is not looked at."""
    (tmp_path / "got" / "main").mkdir(parents=True)
    write(tmp_path / "got" / "main" / "part.jsonl", RECORDS[:2])
    write(tmp_path / "got" / "other.jsonl", RECORDS)
    files = "- config_name: a\n  data_files: [{split: test, path: main/*.jsonl}]\n"
    (tmp_path / "got" / "README.md").write_text(f"---\nconfigs:\n{files}---\n")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "owner" / "name").mkdir(parents=True)
    source = {"repo": "owner/name", "revision": "0" * 40, "name": "a"}
    with pytest.raises(ValueError, match="data set owner/name was not downloaded"):
        list(hub.read(source, "test", set()))
    places = {"folder": str(tmp_path / "got"), "scratch": str(tmp_path / "scratch")}
    assert [record["question"] for _, record in hub.read(source | places, "test", {"question"})] == WORDS[:2]
    assert list((tmp_path / "scratch").iterdir())


@pytest.fixture
def package(tmp_path, monkeypatch):
    """An installed package `some-data` 1.2 with a data file."""
    folder = tmp_path / "site" / "some_data"
    (folder / "data").mkdir(parents=True)
    (folder / "__init__.py").touch()
    write(folder / "data" / "test.jsonl", RECORDS)
    info = tmp_path / "site" / "some_data-1.2.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: some-data\nVersion: 1.2\n")
    monkeypatch.syspath_prepend(tmp_path / "site")
    yield {"kind": "package", "package": "some-data", "version": "1.2", "resource": "data/{origin}.jsonl"}
    sys.modules.pop("some_data", None)


def test_a_package_gives_the_same_table_at_its_version_only(sample, reference, package):
    def of(**changes):
        return {"source": package | {"columns": FLAT} | changes, "splits": {"test": {}}}

    assert sample("set", of()).files == reference
    with pytest.raises(ValueError, match="'some-data' is installed as 1.2, the config names 1.3"):
        sample("set", of(version="1.3"))
    with pytest.raises(ValueError, match="'no-such' is not installed: pip install no-such==1.2"):
        sample("set", of(package="no-such"))
    with pytest.raises(ValueError, match=r"nothing\.jsonl: no such file"):
        sample("set", of(resource="data/nothing.jsonl"))


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("a.jsonl", '{"question": "q", "answer": 1, "topic": 0}\n\n{not json\n', "a.jsonl: line 3 is no JSON"),
        ("a.jsonl", '{"question": "q", "answer": 1, "topic": 0}\n[]\n', "a.jsonl: line 2 is no JSON object"),
        (
            "a.jsonl",
            '{"question": "q", "topic": 0}\n',
            "a.jsonl: line 1 has no column 'answer' .it has question, topic",
        ),
        ("a.json", '[{"question": 1}', "a.json: no JSON: .* in line 1"),
        ("a.json", '{"question": 1}', "a.json: no JSON list of records"),
        ("a.csv", "question,answer,topic\nq,a,t\nq,a\n", "a.csv: line 3 has not as many cells as the header"),
        ("a.csv", 'question,answer,topic\nq,"a" b,t\n', "a.csv: line 2 is no CSV"),
        ("a.parquet", "PAR1 but no more", "a.parquet: not a readable Parquet file"),
        ("a.jsonl", b'{"question": "\xff"}', "a.jsonl: not UTF-8"),
        ("a.txt", "q", "a.txt: unknown kind of file"),
        ("a.csv", "question,answer,topic\n", "split 'test' asks for any rows of all subjects, found 0"),
    ],
)
def test_a_bad_file_is_named_in_one_line_with_its_row(sample, tmp_path, name, text, message):
    (tmp_path / name).write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(ValueError, match=message) as caught:
        sample("set", dataset(tmp_path / name, FLAT))
    assert "\n" not in str(caught.value)


def test_a_missing_file_is_named(sample, tmp_path):
    for name in ("missing.jsonl", "missing-*.jsonl"):
        with pytest.raises(ValueError, match=f"missing.*{name[-6:]}: no such file"):
            sample("set", dataset(tmp_path / name, FLAT))


def test_a_changed_file_is_another_data_set_and_one_that_is_pinned_must_be_the_one(sample, tmp_path):
    path = tmp_path / "a.jsonl"
    write(path, RECORDS)
    unpinned = Dataset.model_validate(dataset(path, FLAT))
    before = source_digests(unpinned)
    pinned = dataset(path, FLAT, sha256=before)
    assert list(before) == [str(path)] and sample("set", pinned).files
    write(path, RECORDS[:3])
    assert source_digests(unpinned) != before and source_digests(Dataset.model_validate(pinned)) == before
    with pytest.raises(ValueError, match="a.jsonl: the file has changed"):
        sample("set", pinned)


def test_rows_are_dropped_for_counted_reasons_and_the_first_place_of_each_is_told(sample, tmp_path):
    columns = {"prompt": "q", "reference": "a", "answer": "boxed", "before": "Solve:", "after": "End.", "max_chars": 20}
    columns |= {"subject": "s", "subjects": "groups", "keep": {"kind.name": ["open", None]}}
    cells = [  # question, answer, subject, kind
        ("Solve: good End.", "\\boxed{1}", "110", "open"),
        ("Solve: fine End.", "\\boxed{2}", "Alchemy", None),
        ("Solve: choice End.", "\\boxed{1}", "110", "choice"),
        ("another form", "\\boxed{1}", "110", "open"),
        ("Solve: no box End.", "1", "110", "open"),
        ("Solve: End.", "\\boxed{1}", "110", "open"),
        ("Solve: none End.", None, "110", "open"),
        ("Solve: a very long question indeed End.", "\\boxed{1}", "110", "open"),
    ]
    records = [{"q": q, "a": a, "s": s, "kind": {"name": kind}} for q, a, s, kind in cells]
    write(tmp_path / "a.jsonl", records)
    tables = sample("set", dataset(tmp_path / "a.jsonl", columns))
    counts = {name.removeprefix("test."): count for name, count in tables.counts.items() if count}
    reasons = {"filtered": 1, "other_format": 1, "unanswered": 1, "empty": 2, "too_long": 1}
    assert counts == {"loaded": 8, "kept": 2} | reasons
    columns = tables.files[0][1]
    assert list(zip(columns["prompt"], columns["reference"], columns["subject"], strict=True)) == [
        ("fine", "2", "others"),
        ("good", "1", "stem"),
    ]
    assert f"test: 2 of 8 rows dropped as empty, first: {tmp_path}/a.jsonl: line 11" in tables.notes
    assert tables.notes[-1] == "test: 1 rows of unknown subjects are others: 'Alchemy' (1)"


def test_without_a_subject_column_or_cell_the_subject_is_the_data_sets_name():
    for columns in ({"prompt": "q", "reference": "a"}, {"prompt": "q", "reference": "a", "subject": "s"}):
        rows = Adapter(columns, "set", "here").rows([("row 1", {"q": "q", "a": "1", "s": None})])
        assert [row.subject for row in rows] == ["set"]


def test_generated_tasks_are_the_same_each_time_and_differ_by_part_and_seed(sample):
    pytest.importorskip("reasoning_gym", reason="reasoning-gym is not installed; the pipeline does not require it")
    import importlib.metadata

    source = {"kind": "reasoning_gym", "version": importlib.metadata.version("reasoning-gym"), "size": 30}
    source |= {"tasks": {"chain_sum": {"min_terms": 3}, "leg_counting": {}}}
    splits = {"train": {}, "test": {}}
    first = sample("set", {"source": source, "splits": splits})
    assert sample("set", {"source": source, "splits": splits}).files == first.files
    assert sample("set", {"source": source, "splits": splits}, seed=1).files != first.files
    train, test = ({name: columns for name, columns, _ in first.files}[f"{split}.parquet"] for split in splits)
    assert not set(train["prompt"]) & set(test["prompt"]) and set(test["subject"]) == {"chain_sum", "leg_counting"}
    with pytest.raises(ValueError, match="task 'no_such'"):
        sample("set", {"source": source | {"tasks": {"no_such": {}}}, "splits": splits})


def test_the_last_line_is_the_last_that_is_not_empty():
    assert last_line("work\n 21 \n\n") == "21" and last_line(" \n") == ""


def test_templates_take_their_fields_and_name_what_is_wrong():
    assert "2+2" in render("policy_boxed", question="2+2") and "boxed" in render("policy_boxed", question="2+2")
    for template, fields in (("no_such", {"question": "x"}), ("policy_boxed", {})):
        with pytest.raises(ValueError):
            render(template, **fields)
