"""config/paper.yaml holds every row of the papers' tables and figures, and says so where one is left out."""

import re

import pytest
import yaml

from workflow_scripts.analysis.arms import pairs, read_arms, read_baselines
from workflow_scripts.analysis.published import read_published
from workflow_scripts.analysis.report import published_section
from workflow_scripts.analysis.report.data import ReportData
from workflow_scripts.analysis.report.matching import Matcher
from workflow_scripts.analysis.report.style import make_look
from workflow_scripts.artifacts.fingerprint import ROOT
from workflow_scripts.config.graph import Graph
from workflow_scripts.config.load import ConfigError, load_config, statements
from workflow_scripts.config.placed import models_of, placement_of
from workflow_scripts.models import MODEL_SOURCES

TEXT = (ROOT / "config" / "paper.yaml").read_text()
RAW = yaml.safe_load(TEXT)
STATEMENTS = statements()
TABLES = {table.id: table for table in read_published(STATEMENTS["published"]).tables}
# Fine-tuned rows are written in the config and stay switched off until models can be fine-tuned.
SWITCHED_OFF = set() if "finetuned" in MODEL_SOURCES else {"SFT"}


@pytest.fixture(scope="module")
def graph() -> Graph:
    return Graph(load_config(RAW), ROOT, **STATEMENTS)


@pytest.fixture(scope="module")
def matcher(graph) -> Matcher:
    """What selects the arms and models of a published row, in a run of the whole grid."""
    config = graph.report.config
    arms, baselines = read_arms(config["arms"]), read_baselines(config["baselines"])
    return Matcher(ReportData(config, arms, baselines, make_look(arms), {}), read_published(STATEMENTS["published"]))


ARMS = {
    "entropy_main": 8,  # Table 2 of the entropy paper
    "entropy_law": 11,  # Fig. 3: 11 base models
    "early_prediction": 4,  # Fig. 5
    "collapse": 11,  # Fig. 2
    "law_algorithms": 3,  # Fig. 6 without PRIME
    "law_sizes": 5,  # Fig. 7
    "law_data": 3,  # Fig. 13 without Eurus-RL-Data-Difficult
    "law_instruct": 3,  # Fig. 14
    "covariance_profile": 2,  # Fig. 8, and the arm of Table 1
    "entropy_bonus_sweep": 5,  # Fig. 9
    "reference_kl_sweep": 5,  # Fig. 10
    "cov_control_sweep": 9,  # Fig. 12
    "reward_main": 18 * 2,  # Table 1 of the reward paper: 18 rows of RL on two corpora
    "reward_scaling": 10 * 2,  # its Table 2
    "reward_ood": 2 * 2,  # its Table 3
    "judge_size": 2,  # its section 3.3
    "judge_agreement": 0,  # its Tables 7 and 8: an audit
    "reward_by_entropy": 2 * 4,
    "judge_robustness": 3,
}


def test_every_study_has_the_arms_of_its_table(graph):
    assert {study: sum(study in arm.studies for arm in graph.arms) for study in graph.config.studies} == ARMS
    assert len(graph.arms) == 113 and {arm.seed for arm in graph.arms} == {0}
    assert [artifact.stage for artifact in graph.of_study("judge_agreement")] == ["audit_judge"]


def rows_of(table: str, matcher: Matcher) -> dict[str, set]:
    """Row of a published table -> the settings that stand for it, over its printed columns that are measured."""
    of, found = TABLES[table], {}
    for row in of.rows:
        cells = [column for column in of.printed_columns if of.measure_of(row, column)]
        found[row.name] = {
            arm.setting for cell in cells for arm in matcher.arms(of.arm_of(row, cell), of.baseline_of(row, cell))
        }
    return found


@pytest.mark.parametrize(
    ("table", "rows", "settings", "left_out"),
    [
        ("entropy_main", 8, 1, set()),
        ("reward_main", 22, 2, SWITCHED_OFF),  # one training per corpus; the models as they are have one
        ("reward_scaling", 10, 2, set()),
        ("reward_ood", 2, 2, set()),
        ("judge_size", 2, 1, set()),
        ("law_models", 14, 1, set()),
        ("law_algorithms", 4, 1, {"PRIME"}),
        ("law_data", 4, 1, {"Eurus-RL-Data-Difficult"}),
        ("covariance_profile", 1, 1, set()),
        ("covariance_course", 2, 1, set()),
        ("entropy_bonus", 5, 1, set()),
        ("reference_kl", 5, 1, set()),
        ("control_strength", 9, 1, set()),
        ("training_ends", 8, 1, set()),
        ("entropy_multiple", 1, 1, set()),
    ],
)
def test_every_row_of_a_table_has_its_own_setting(matcher, table, rows, settings, left_out):
    found = rows_of(table, matcher)
    assert len(found) == rows
    assert {name for name, settings in found.items() if not settings} == left_out
    models = {row.name for row in TABLES[table].rows if isinstance(row.baseline, str)}
    assert {name: len(of) for name, of in found.items() if name not in left_out} == {
        name: 1 if name in models else settings for name in found if name not in left_out
    }
    if table not in ("covariance_course", "reward_ood"):  # their rows are columns of one training
        own = [frozenset(of) for of in found.values() if of]
        assert len(set(own)) == len(own)


def test_pooled_tables_are_means_of_the_models_of_the_figure(matcher):
    (collapsed,) = {frozenset(of) for of in rows_of("collapse", matcher).values()}
    assert len(collapsed) == 11
    assert len(rows_of("early_prediction", matcher)["mathematics"]) == 4
    assert not rows_of("early_prediction", matcher)["code"]


def test_evaluated_models_stand_beside_the_arms(graph):
    """Base, 72B-Instruct and R1-Distill of Table 1: answered and graded on its two benchmarks, trained by nobody."""
    shown = [base["name"] for base in graph.report.config["baselines"] if "reward_main" in base["studies"]]
    assert {"qwen_72b_instruct_policy", "r1_distill_32b"} <= set(shown)
    assert len(shown) == (2 if SWITCHED_OFF else 4)
    for model in shown:
        answers = graph.answers(None, model, 0)
        assert set(answers.config["benchmarks"]) == {"multi_subject", "rlvr_math"}
        assert answers.inputs["policy"].stage == "prepare_model" and answers.config["template"] == "policy_answer_is"
        assert graph.grades(None, model, 0) in graph.of_study("reward_main")


def test_the_report_of_these_studies_says_what_is_left_out(matcher):
    """Nothing is measured yet: the published tables stand there folded, and the list of what is not reproduced."""
    data = matcher.data
    data.tables |= {name: [] for name in ("comparison", "by_subject", "entropy_at_equal_accuracy")}
    section = published_section.section(data)
    assert len(section.blocks) == len(TABLES) + 2 and all(block.folded for block in section.blocks[:-2])
    left, open_ = section.blocks[-2:]
    reasons = {row[0]: row[2] for row in left.rows}
    for what in ("PRIME in Fig. 6", "code halves of Figs. 3 to 7", "Eurus-RL-Data-Difficult in Fig. 13"):
        assert len(reasons[what]) > 20
    assert "given as a file" in reasons["GPT-4o as the second rater"]
    assert any("Inferred" not in row[2] and "2,400 updates" in row[2] for row in open_.rows)
    assert {published_section.home(data, table) for table in TABLES.values()} - {None} <= set(ARMS)


NOT_TESTABLE = {"law_null_control", "judge_no_win_control"}
NEED_RATINGS = {"teacher_agrees_with_truth", "votes_add_nothing"}  # of GPT-4o, which a user may give as a file


def test_every_claim_has_its_arms_or_says_why_not(graph):
    arms, without = read_arms(graph.report.config["arms"]), set()
    for claim in graph.claims["claims"]:
        quantity = claim["quantity"]
        if "vary" in quantity:
            found = pairs(arms, quantity["vary"], quantity["value"], quantity["versus"], quantity.get("where"))
        elif "judge" in quantity or "votes" in quantity:
            found = graph._audits() if quantity.get("versus") != "second" else []
        else:
            found = [arm for arm in arms if arm.matches(quantity.get("where", {}))]
        if "untestable" in claim:
            assert claim["id"] in NOT_TESTABLE and len(claim["untestable"]) > 20
        elif not found:
            without.add(claim["id"])
    assert {claim["id"] for claim in graph.claims["claims"] if "untestable" in claim} == NOT_TESTABLE
    assert without == NEED_RATINGS


def test_claims_compare_the_arms_that_the_papers_compare(graph):
    claims = {claim["id"]: claim["quantity"] for claim in graph.claims["claims"]}
    arms = read_arms(graph.report.config["arms"])

    def compared(name: str) -> list[tuple]:
        options = claims[name]
        vary = options["vary"]
        found = pairs(arms, vary, options["value"], options["versus"], options["where"])
        return [(a.policy, a.data, getattr(a, vary), getattr(b, vary)) for a, b in found]

    assert compared("kl_cov_accuracy") == [
        ("qwen_7b", "dapo_math.train", "kl_cov", "none"),
        ("qwen_32b", "dapo_math.train", "kl_cov_32b", "none"),
    ]
    assert {pair[1:] for pair in compared("judge_soft_beats_binary")} == {
        ("multi_subject.train", "judge_soft", "judge_binary")
    }
    assert len(compared("judge_soft_beats_binary")) == 3  # REINFORCE, REINFORCE++, RLOO
    assert compared("rule_loses_with_data") == [("qwen_7b_reward", "multi_subject.scaling", "rloo_100k", "rloo_20k")]
    assert compared("judge_beats_shelf") == [("qwen_7b_reward", "rlvr_math.train", "judge_binary", "shelf_7b")]


def test_the_judge_is_made_as_published(graph):
    """RLOO on 20k questions of each corpus, four answers each: 160k labels, none of its questions trained on later."""
    exploration = graph.exploration("rm_pool", 0)
    pool = exploration.inputs["data"]
    assert sorted(pool.inputs) == ["part:multi_subject", "part:rlvr_math"]
    rollout = exploration.config["rollout"]
    assert exploration.config["steps"] * rollout["prompts"] * rollout["samples"] == pytest.approx(160_000, rel=0.01)
    assert not any(arm.data.endswith(".explore") for arm in graph.arms)


def test_placement_is_that_of_the_models_a_job_loads(graph):
    policies = {arm: graph.policy(arm) for arm in graph.arms}
    nodes = {arm: placement_of(graph.config, "train_policy", models_of(made)).nodes for arm, made in policies.items()}
    for arm, count in nodes.items():
        served = graph.config.rewards[arm.reward].kind == "teacher" and arm.reward != "shelf_7b"
        large = {"qwen_32b": 4, "mistral_small_24b": 4, "mistral_nemo_12b": 2}.get(arm.policy, 1)
        assert count == (2 if served else large), arm.name
    grading = graph.of_stage("grade_answers").values()
    graders = {made.name: placement_of(graph.config, "grade_answers", models_of(made)).gpus for made in grading}
    assert {gpus for name, gpus in graders.items() if "qwen_7b_reward" in name} == {8}  # the 72B teacher grades
    assert {gpus for name, gpus in graders.items() if "dapo_math" in name} == {0}  # rules do


def test_what_is_not_pinned_says_why():
    """A revision is a commit, or `unpinned` with a remark; a branch is refused."""
    unpinned = [line for line in TEXT.splitlines() if "revision: unpinned" in line]
    assert unpinned
    entries = re.split(r"\n(?=  [a-z])", TEXT)
    for entry in (entry for entry in entries if "revision: unpinned" in entry):
        assert re.search(r"#.*(no public code pins one|not pinned by public code)", entry), entry
    raw = yaml.safe_load(TEXT)
    raw["models"]["qwen_7b"]["source"]["revision"] = "main"
    with pytest.raises(ConfigError, match="models.qwen_7b.source.revision: 'main'"):
        load_config(raw)
