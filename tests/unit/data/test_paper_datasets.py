"""Each data set of config/paper.yaml, on rows in the format in which it is published, becomes the right questions."""

import json
from types import SimpleNamespace

import pytest
import yaml

from workflow_scripts.analysis.report.origins import sources_table
from workflow_scripts.artifacts.fingerprint import ROOT
from workflow_scripts.config.graph import Graph
from workflow_scripts.config.load import load_config

DATASETS = yaml.safe_load((ROOT / "config" / "paper.yaml").read_text())["datasets"]
CONFIG = {name: dataset for name, dataset in DATASETS.items() if dataset["source"]["kind"] != "mixture"}

SYSTEM = {"role": "system", "content": "You are a chatbot who can solve problems."}


def chat(question: str) -> list[dict]:
    return [SYSTEM, {"role": "user", "content": question}]


def dapo(question: str, answer: str) -> dict:
    columns = CONFIG["dapo_math"]["source"]["columns"]
    content = f"{columns['before']}\n\n{question}\n\n{columns['after']}"
    return {
        "data_source": "math_dapo",
        "prompt": [{"content": content, "role": "user"}],
        "ability": "MATH",
        "reward_model": {"ground_truth": answer, "style": "rule-lighteval/MATH_v2"},
        "extra_info": {"index": "9a9b6eb4-a1cb-49d1-8c1e-62eaf2f74079"},
    }


def eurus(question: str, answer: str, ability: str) -> dict:
    content = f"{question}\n\n{CONFIG['eurus_math']['source']['columns']['after']}"
    return {
        "data_source": "numina_olympiads",
        "prompt": chat(content),
        "ability": ability,
        "reward_model": {"ground_truth": answer, "style": "rule"},
        "extra_info": {"index": 0, "split": "dummy"},
    }


# data set -> rows as published, and (subject, prompt, reference) of the questions; None: the row is dropped
ROWS = {
    "dapo_math": [
        (dapo("Find $x$.\n\nIt is \\$5.", "34"), ("dapo_math", "Find $x$.\n\nIt is \\$5.", "34")),
        (dapo("Find $x$.\n\nIt is \\$5.", "34"), None),
    ],
    "eurus_math": [
        (eurus("Solve $x$.", "34", "math"), ("eurus_math", "Solve $x$.", "34")),
        (eurus("Write a program.", "{}", "code"), None),
    ],
    "multi_subject": [
        ({"query": chat("What is a tort?"), "label": "A wrong", "subject": "820"}, "social_sciences"),
        (
            {"query": chat("Who bred it?"), "label": "He", "subject": "Animal Husbandry & Veterinary"},
            "applied_sciences",
        ),
        ({"query": chat("What now?"), "label": "Nothing", "subject": None}, "others"),
        ({"query": chat("Too long?"), "label": "x" * 8001, "subject": None}, None),
        ({"query": chat("The following is correct ( )"), "label": "A", "subject": "110"}, None),
        ({"query": chat("The following is correct ( )"), "label": "B", "subject": "110"}, None),
    ],
    "rlvr_math": [({"query": chat("1 + 1?"), "label": " 2 "}, ("rlvr_math", "1 + 1?", "2"))],
    "webinstruct": [
        (
            {"id": 7, "question": "Force?", "answer": "5 N", "answer_type": "Float", "category": "Physics"},
            ("stem", "Force?", "5 N"),
        ),
        (
            {"id": 8, "question": "NPV?", "answer": "8%", "answer_type": "Percentage", "category": "Finance"},
            ("social_sciences", "NPV?", "8%"),
        ),
    ],
    "natural_reasoning": [
        (
            {
                "question": "Why?",
                "reference_answer": "Because.",
                "responses": [{"response_model": "m", "response": "r"}],
            },
            ("natural_reasoning", "Why?", "Because."),
        ),
        ({"question": "How?", "reference_answer": "", "responses": []}, None),
    ],
    "gsm8k": [
        ({"question": "Cost?", "answer": "5*200=<<5*200=1000>>1000\n#### 1,000"}, ("gsm8k", "Cost?", "1000")),
    ],
    "aime24": [
        ({"id": 60, "problem": "Find n.", "solution": "\\boxed{204}", "url": "u"}, ("aime24", "Find n.", "204")),
    ],
    "aime25": [({"problem": "Find m.", "answer": "70", "id": "0"}, ("aime25", "Find m.", "70"))],
    "amc": [({"id": 0, "problem": "Miles?", "answer": 27.0, "url": "u"}, ("amc", "Miles?", "27"))],
    "amc23": [({"id": 1, "question": "Hours?", "answer": "36", "url": "u"}, ("amc23", "Hours?", "36"))],
    "math500": [
        (
            {"problem": "Convert.", "solution": "s", "answer": "\\frac{1}{2}", "subject": "Algebra", "level": 2},
            ("math500", "Convert.", "\\frac{1}{2}"),
        )
    ],
    "omni_math": [
        ({"domain": ["A -> B"], "difficulty": 8.0, "problem": "Max?", "solution": "", "answer": "115440"}, "115440"),
    ],
    "olympiadbench": [
        ({"id": 1606, "question": "Moves?", "final_answer": ["$(1,2), (3,4)$"], "unit": None}, "(1,2), (3,4)"),
        ({"id": 1607, "question": "Both?", "final_answer": ["$69$,$84$"], "unit": None}, "69,84"),
    ],
    "minerva": [({"question": "Width?", "answer": "1.6"}, ("minerva", "Width?", "1.6"))],
    "theoremqa": [
        ({"Question": "Roots?", "Answer": "[-1, 6]", "Answer_type": "list of integer", "Picture": None}, "-1, 6"),
        ({"Question": "True?", "Answer": "True", "Answer_type": "bool", "Picture": None}, "True"),
        ({"Question": "Rate?", "Answer": "1.0", "Answer_type": "float", "Picture": None}, "1"),
    ],
}


@pytest.fixture
def adapted(sample, tmp_path):
    """All kept rows of a data set of the config, read from a local file with the given records."""

    def make(name: str, records: list[dict]) -> list[tuple[str, str, str]]:
        path = tmp_path / "rows.jsonl"
        path.write_text("".join(json.dumps(record) + "\n" for record in records))
        columns = CONFIG[name]["source"]["columns"]
        dataset = {"source": {"kind": "file", "path": str(path), "columns": columns}, "splits": {"all": {}}}
        cells = sample(name, dataset).files[0][1]
        return list(zip(cells["subject"], cells["prompt"], cells["reference"], strict=True))

    return make


def test_every_data_set_of_the_paper_is_tried_here():
    assert set(ROWS) == set(CONFIG)


@pytest.mark.parametrize("name", ROWS)
def test_rows_as_published_become_questions(adapted, name):
    wanted = [question for _, question in ROWS[name] if question is not None]
    found = adapted(name, [record for record, _ in ROWS[name]])
    assert len(found) == len(wanted)
    for question in wanted:  # a whole question, or the one cell of it that matters
        assert question in found if isinstance(question, tuple) else any(question in row for row in found)


def test_the_report_names_source_revision_and_licence():
    graph = Graph(load_config(yaml.safe_load((ROOT / "config" / "paper.yaml").read_text())), ROOT)
    data = SimpleNamespace(config=graph.report.config, origins=lambda prefix: [])
    rows = {row[0]: row[1:] for row in sources_table(data).rows}
    commit = "65877096c24ffa7abc4e4fa5edb95cf3413a5674"
    assert rows["dapo_math"] == ["Hugging Face BytedTsinghua-SIA/DAPO-Math-17k", commit, "apache-2.0"]
    assert rows["omni_math"][0] == "file data/omni_math_rule.jsonl" and rows["minerva"][2] == "not stated"
    assert {name for name, (_, _, licence) in rows.items() if licence == "not stated"} == {"minerva"}
