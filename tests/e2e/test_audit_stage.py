"""The audit as a stage: models off the shelf, a rater from outside, and a gate that stops the arms. Real snakemake."""

import hashlib

import pyarrow as pa
import pyarrow.parquet as pq


def imported_ratings(project):
    """A file of ratings made as a user makes one: the audit split out of the label table, verdicts turned round."""
    (labels,) = project.artifacts("labels")
    table = pq.read_table(labels / "labels.parquet").to_pandas()
    table = table[table["split"] == "audit"]
    table = table.iloc[: len(table) // 2].assign(verdict=lambda rows: ~rows["verdict"])
    path = project.root / "second.parquet"
    pq.write_table(pa.Table.from_pandas(table[["question_id", "answer", "reference", "verdict"]]), path)
    return {"kind": "file", "path": str(path), "sha256": hashlib.sha256(path.read_bytes()).hexdigest()}, len(table)


def test_further_raters_are_compared_and_a_missed_threshold_stops_the_arms(project):
    ratings, rated = imported_ratings(project)
    before = set(project.artifacts("judges"))
    project.set("judges.judge.audit", {"compare": ["judge_base"], "second_rater": ratings, "wording_answers": 5})
    project.set("judges.judge.gate.kappa_truth", 1.0)
    assert project.outcomes("audits") == {("audit_judge", "computed"): 1}
    (audit,) = set(project.artifacts("judges")) - before

    everything = [row for row in pq.read_table(audit / "audit.parquet").to_pylist() if row["subject"] == "all"]
    rows = {(row["judge"], row["versus"], row["metric"]): row for row in everything}
    assert rows["teacher", "second", "accuracy"]["value"] == 0.0  # the turned verdicts, on what was rated only
    assert rows["teacher", "second", "accuracy"]["n"] < rows["distilled", "teacher", "accuracy"]["n"]
    assert rows["shelf:judge_base", "truth", "kappa"]["value"] == rows["base", "truth", "kappa"]["value"]
    votes = pq.read_table(audit / "votes.parquet").to_pylist()
    assert {row["votes"] for row in votes} == {1, 2, 3}
    assert {row["versus"] for row in votes} == {"teacher", "second", "truth"}
    wording = pq.read_table(audit / "wording.parquet").to_pylist()
    assert {row["judge"] for row in wording} == {"teacher", "base", "distilled", "shelf:judge_base"}
    assert {row["n"] + row["unread"] for row in wording if row["variant"] != "another form"} == {5}
    assert rated > 0

    done = project.run("policies")
    assert done.returncode == 1
    (gate,) = [row for row in pq.read_table(audit / "gate.parquet").to_pylist() if row["threshold"] == "kappa_truth"]
    line = f"the judge failed its audit (kappa_truth {gate['value']:.3g}, at least 1 asked for): no arm may train on it"
    assert line in done.stdout
