"""Exported policies and judges load unchanged in lm-eval's `hf` model, and it measures what we measure.

The models were trained and the policies' answers sampled and graded by the DAG; lm-eval gets the folder, our questions
as a local task, and greedy decoding.
"""

import numpy as np
import pyarrow.parquet as pq
import pytest

from workflow_scripts.data.prompts import render
from workflow_scripts.rewards.judge import Judge

SHORT_OF_THE_END = {"until": ["<|end|>"], "do_sample": False, "max_gen_toks": 12}
LAST_LINE = [{"function": "regex", "regex_pattern": r"([^\n]*\S[^\n]*)\s*\Z"}, {"function": "take_first"}]
GENERATION = {
    "output_type": "generate_until",
    "doc_to_text": "{{prompt}}",
    "doc_to_target": "{{reference}}",
    "generation_kwargs": SHORT_OF_THE_END,
    "filter_list": [{"name": "last_line", "filter": LAST_LINE}],
    "metric_list": [{"metric": "exact_match", "aggregation": "mean", "higher_is_better": True}],
}
VERDICT = {
    "output_type": "multiple_choice",
    "doc_to_text": "{{text}}",
    "doc_to_choice": ["YES", "NO"],
    "doc_to_target": "{{target}}",
    "target_delimiter": "",
    "metric_list": [{"metric": "acc", "aggregation": "mean", "higher_is_better": True}],
}


def table(project, pattern: str) -> list[dict]:
    (path,) = project.results.glob(pattern)
    return pq.read_table(path).to_pylist()


@pytest.mark.parametrize(
    ("model", "name"), [("models/base.s0-*", "base.s0"), ("policies/*", "*judge_soft*")], ids=["base", "trained"]
)
def test_a_policy_gives_the_same_greedy_responses_and_accuracy(trained, harness, model, name):
    (folder,) = trained.results.glob(model)
    answers = table(trained, f"evaluations/answers.{name}-*/greedy.parquet")
    grades = table(trained, f"evaluations/grades.{name}-*/greedy.parquet")
    questions = {row["question_id"]: row for row in table(trained, "data/questions.s0-*/test.parquet")}
    documents = [questions[row["question_id"]] for row in answers]
    metrics, samples = harness.run(folder / "model", GENERATION, documents)
    assert [sample["resps"][0][0] for sample in samples] == [row["response"] for row in answers]
    ours = np.mean([row["rule"] for row in grades])
    assert 0 < ours < 1
    assert metrics["exact_match,last_line"] == pytest.approx(ours, abs=1e-12)


def test_a_judge_gives_the_same_verdicts(trained, harness):
    (folder,) = trained.results.glob("judges/judge.judge.s0-*")
    rows = table(trained, "data/pairs.s0-*/validation.parquet")
    columns = [[row[name] for row in rows] for name in ("prompt", "answer", "reference")]
    with Judge.load(folder / "model", "judge_nano") as judge:
        scores = judge.score(*columns)
    texts = [
        render("judge_nano", question=prompt, answer=answer, reference=reference)
        for prompt, answer, reference in zip(*columns, strict=True)
    ]
    targets = [0 if row["equivalent"] else 1 for row in rows]
    documents = [{"text": text, "target": target} for text, target in zip(texts, targets, strict=True)]
    metrics, samples = harness.run(folder / "model", VERDICT, documents)
    yes, no = np.exp([[float(choice[0][0]) for choice in sample["resps"]] for sample in samples]).T
    np.testing.assert_allclose(yes / (yes + no), scores.p_yes, atol=1e-4)
    right = (scores.yes >= scores.no) == (np.array(targets) == 0)
    assert 0 < right.mean() < 1
    assert metrics["acc,none"] == pytest.approx(right.mean(), abs=1e-12)
