"""Protects config/published.yaml and what stands beside its numbers: its form, sums, the join with a run."""

import csv
import io
from copy import deepcopy
from itertools import chain

import pytest
import yaml

from tests.project import ROOT
from tests.unit.analysis.synthetic import World, run_all
from workflow_scripts.analysis.arms import read_arms
from workflow_scripts.analysis.comparison import QUANTITIES
from workflow_scripts.analysis.curves import Curve, spent_early
from workflow_scripts.analysis.published import NEEDED, read_published
from workflow_scripts.analysis.report import measured, mechanism_section, published_section
from workflow_scripts.analysis.report.data import ReportData
from workflow_scripts.analysis.report.matching import Matcher, scale_of
from workflow_scripts.analysis.report.style import make_look
from workflow_scripts.artifacts.schemas import METRICS
from workflow_scripts.config.arms import expand_arms
from workflow_scripts.config.load import ConfigError, load_config, statements
from workflow_scripts.stages.render_report import read_data

RAW = yaml.safe_load((ROOT / "config" / "published.yaml").read_text())
PUBLISHED = read_published(RAW)
TABLES = {table.id: table for table in PUBLISHED.tables}
CELLS = [(t, t.measure_of(r, c), t.arm_of(r, c)) for t in PUBLISHED.tables for r in t.rows for c in t.columns]


def config(name: str):
    return load_config(yaml.safe_load((ROOT / "config" / f"{name}.yaml").read_text()))


# ------------------------------------------------------------------------------------------------ the numbers
def test_the_average_of_the_entropy_paper_is_that_over_rows():
    table = TABLES["entropy_main"]
    plain = [39.1, 39.8, 41.7, 41.1, 45.2, 46.5, 50.6, 51.6]
    for row, mean in zip(table.rows, plain, strict=True):
        values = dict(zip([c.name for c in table.printed_columns], row.values, strict=True))
        means = published_section._means(table, values)
        assert means["mean over rows"].value == pytest.approx(values["Avg."], abs=0.1)
        assert means["plain mean"].value == pytest.approx(mean, abs=0.05)


@pytest.mark.parametrize("table", ["reward_main", "reward_scaling"])
def test_the_averages_of_the_reward_paper_come_out(table):
    weights = [0.327, 0.245, 0.047, 0.222, 0.163]  # inferred from the two tables; their sum is 1.004
    for row in TABLES[table].rows:
        assert row.values[3] == pytest.approx(sum(row.values[:3]) / 3, abs=0.06), row.name
        weighted = sum(w * v for w, v in zip(weights, row.values[4:9], strict=True))
        assert row.values[9] == pytest.approx(weighted, abs=0.15), row.name


def test_numbers_that_the_text_repeats_agree_with_the_tables():
    entropy = {row.name: row.values for row in TABLES["entropy_main"].rows}
    gains = [b - a for a, b in zip(entropy["32B GRPO"], entropy["32B KL-Cov"], strict=True)]
    assert (gains[0], gains[1], gains[-1]) == pytest.approx((15.0, 14.6, 6.4))
    assert entropy["7B KL-Cov"][-1] - entropy["7B GRPO"][-1] == pytest.approx(2.0)
    reward = {row.name: row.values for row in TABLES["reward_main"].rows}
    assert reward["REINFORCE, RM-7B, soft"][-1] - reward["Qwen2.5-72B-Instruct"][-1] == pytest.approx(8.6)
    ours = {row.name: row.values[0] for row in TABLES["judge_size"].rows}
    assert ours["Qwen2.5-72B-Instruct"] == reward["REINFORCE, Qwen2.5-72B-Instruct, binary"][3]


# --------------------------------------------------------------------------------------------------- the form
def test_what_is_measured_can_be_measured():
    assert set(NEEDED) == measured.OF_ARM.keys() | measured.OF_SETTING.keys() | measured.OF_RUN.keys()
    for table, options, _ in CELLS:
        if options.get("kind") == "training":
            assert options["column"] in METRICS.names, table.id
        if options.get("kind") == "validation":
            assert options["column"] in Curve.__annotations__, table.id
        if options.get("kind") == "entropy_ratio":
            assert options["quantity"] in [name for name, _, _ in QUANTITIES], table.id


def test_names_that_mean_the_same_are_names_of_the_nano_scale():
    grid = config("nano_claims")
    known = {"policy": grid.models, "algorithm": grid.algorithms, "reward": grid.rewards, "entropy": grid.entropy}
    known |= {"study": grid.studies, "data": [f"{d}.{s}" for d, data in grid.datasets.items() for s in data.splits]}
    for field, names in PUBLISHED.equivalents["nano"].items():
        assert set(chain.from_iterable(names.values())) <= set(known[field]), field


PAPER = expand_arms(config("paper"))
STUDIES = set(chain.from_iterable(arm.studies for arm in PAPER))
TESTED = [t.id for t in PUBLISHED.tables if t.measure.get("kind") == "accuracy" and STUDIES & set(t.studies)]


@pytest.mark.parametrize("table", TESTED)
def test_each_row_names_one_setting_of_the_paper_scale(table):
    arms = [arm for arm in PAPER if set(arm.studies) & set(TABLES[table].studies)]
    assert arms
    for row in (row for row in TABLES[table].rows if row.arm and row.name != "SFT"):
        for column in (column for column in TABLES[table].columns if not column.also):
            where = TABLES[table].arm_of(row, column)
            found = [arm for arm in arms if all(getattr(arm, field) == name for field, name in where.items())]
            assert len(found) == 1, (row.name, column.name)


def test_the_scale_of_a_run_is_that_of_its_policies():
    assert {"entropy_main", "reward_main", "judge_size"} <= set(TESTED)
    assert scale_of(PUBLISHED, {arm.policy for arm in PAPER}) == ""
    assert scale_of(PUBLISHED, {arm.policy for arm in expand_arms(config("nano"))}) == "nano"


SWEEPS = ("entropy_bonus", "reference_kl", "control_strength", "law_algorithms")
SWEEPS += ("covariance_course", "judge_size", "reward_ood")


@pytest.mark.parametrize("table", SWEEPS)
def test_the_grid_of_the_claims_fills_every_row_that_is_reproduced(table):
    arms = read_arms([{"role": arm.name, **arm.settings} for arm in expand_arms(config("nano_claims"))])
    matcher = Matcher(ReportData({}, arms, [], make_look(arms), {}), PUBLISHED)
    empty = [
        row.name
        for row in TABLES[table].rows
        if not any(matcher.arms(TABLES[table].arm_of(row, column), None) for column in TABLES[table].columns)
    ]
    assert empty == (["PRIME"] if table == "law_algorithms" else [])


BAD = [
    (
        lambda raw: raw["tables"][0]["rows"][0]["values"].pop(),
        "tables.entropy_main: row '7B GRPO': 7 values for 8 columns",
    ),
    (lambda raw: raw["tables"][0]["rows"][0].update(value=3), "tables.entropy_main.rows.7B GRPO.value: unknown key"),
    (lambda raw: raw["tables"][1].pop("status"), "tables.collapse.status: required, but missing"),
    (lambda raw: raw["tables"][1]["rows"][0].update(status="sure"), "first 1/12 of the updates.status: 'sure'"),
    (
        lambda raw: raw["tables"][1]["rows"][0].update(values=[]),
        "row 'first 1/12 of the updates': printed, without values",
    ),
    (lambda raw: raw["tables"][1].update(status="unverified"), "unverified, with values"),
    (lambda raw: raw["tables"][1].update(source="X, Fig. 1"), "'X, Fig. 1' does not begin with one of E, R"),
    (lambda raw: raw["tables"][1].update(id="entropy_main"), "id 'entropy_main' is named twice"),
    (lambda raw: raw["tables"][1].update(measure={"kind": "magic"}), "measure.kind: 'magic' is not one of accuracy"),
    (lambda raw: raw["tables"][1].update(measure={"kind": "training"}), "training needs at, column"),
    (lambda raw: raw["tables"][0]["weights"].update(AIME26=30), "weights: no columns AIME26"),
    (lambda raw: raw["equivalents"]["nano"].update(loss={}), "equivalents.nano.loss"),
]


@pytest.mark.parametrize(("change", "message"), BAD, ids=[message for _, message in BAD])
def test_a_malformed_file_is_refused_in_one_line(change, message, tmp_path):
    raw = deepcopy(RAW)
    change(raw)
    (tmp_path / "published.yaml").write_text(yaml.safe_dump(raw, sort_keys=False))
    (tmp_path / "claims.yaml").write_text("claims: []")
    with pytest.raises(ValueError) as caught:
        statements(tmp_path)
    assert str(caught.value).startswith("published.") and message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_the_statements_of_the_papers_are_no_configs_to_extend():
    with pytest.raises(ConfigError, match=r"'published' is not one of nano, nano_claims, paper, smol$"):
        load_config({"extends": "published"})


# ---------------------------------------------------------------------------------------------- beside a run
@pytest.mark.parametrize("text", ["21", "-3.5", "−7", "1,000", "3/4", "50%", "50\\%", "$12$", "0.5."])
def test_a_single_number_is_one(text):
    assert measured._NUMBER.fullmatch(text)


@pytest.mark.parametrize("text", ["two tens and one", "XXI", "x = 3", "3 cm", "1 2", "", "1, 2", "[1, 2]", "-"])
def test_anything_else_is_none(text):
    assert not measured._NUMBER.fullmatch(text)


@pytest.fixture(scope="module")
def three(tmp_path_factory):
    world = World(tmp_path_factory.mktemp("published"), seeds=(0, 1, 2), ood=True)
    return world, run_all(world, [], RAW)


@pytest.fixture(scope="module")
def data(three):
    return read_data(three[1])


def table(stage, name: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO((stage.out / "tables" / f"published_{name}.csv").read_text())))


def test_measured_lines_stand_below_the_row_that_means_the_same(three, data):
    lines = table(three[1], "entropy_main")
    ours = {(line["row"], line["line"]): line for line in lines if line["nano world, %"]}
    rewards = ("rule", "judge, soft")
    assert set(ours) == {(f"7B {name}", f"measured, 3 seeds: {r}") for name in ("GRPO", "KL-Cov") for r in rewards}
    row = next(
        r for r in data.tables["comparison"] if r["arm"] == "questions.train-rule-kl_cov" and r["grader"] == "truth"
    )
    line = ours["7B KL-Cov", "measured, 3 seeds: rule"]
    shown = [float(line[f"nano world, %{end}"]) for end in ("", " low", " high")]
    assert shown == pytest.approx([100 * row[end] for end in ("value", "low", "high")], rel=1e-5)
    assert not line["AIME24, %"]
    published = next(line for line in lines if line["row"] == "7B KL-Cov" and line["line"] == "published")
    assert float(published["AIME24, %"]) == 22.6 and not published["nano world, %"]
    assert float(published["mean over rows, %"]) == pytest.approx(40.57, abs=0.005)


def test_a_pooled_line_is_the_mean_over_the_arms_without_control(three, data):
    (line,) = [
        line for line in table(three[1], "collapse") if line["row"].startswith("first 1/3") and "m" in line["line"]
    ]
    arms = [arm for arm in data.arms if (arm.entropy, arm.data) == ("none", "questions.train")]
    curves = [data.curves[arm.role] for arm in arms]
    spent = [spent_early(curve.entropy, curve.step, 1 / 3) for curve in curves]
    assert len(arms) == 6 and float(line["entropy spent, %"]) == pytest.approx(100 * sum(spent) / 6, rel=1e-4)


def test_rewards_judges_probes_and_references_are_joined(three, data):
    found = {(line["row"], line["line"]): line for line in table(three[1], "reward_main")}
    assert found["RLOO, RM-7B, soft", "measured, 3 seeds"]["strings, %"]
    assert found["Base", "measured, 3 seeds: base"]["arithmetic, %"]
    assert [line for row, line in found if row == "SFT"] == ["published"]
    (votes,) = [
        line for line in table(three[1], "judge_agreement") if line["line"] == "measured, 3 seeds: against second"
    ]
    assert votes["row"] == "college subjects" and float(votes["m = 10"]) == 0.8
    (probed,) = [
        r for r in table(three[1], "judge_false_positives") if r["row"] == "RM-7B" and r["line"].startswith("measured")
    ]
    assert (float(probed["mean, %"]), float(probed["worst, %"])) == (1.0, 1.0)  # the two keys of the synthetic audit
    (words,) = [line for line in table(three[1], "reference_length") if line["line"].startswith("measured")]
    assert float(words["nano world"]) == 3.0  # "twenty-one & more"
    assert {line["line"] for line in table(three[1], "reward_ood")} == {"published"}  # no subject `legs` in this world


def test_every_table_is_shown_once_by_study_or_in_the_section(data):
    studies = tuple(data.config["studies"])
    placed = [table.name for study in studies for table in published_section.tables_of(data, study)]
    rest = [block.name for block in published_section.section(data, placed=studies).blocks]
    lists = ["published_not_reproduced", "published_unverified"]
    assert sorted(placed + rest) == sorted([f"published_{name}" for name in TABLES] + lists)
    assert "published_entropy_main" in placed and "published_reward_scaling" in rest and rest[-2:] == lists


def test_folded_tables_say_that_nothing_was_measured_and_measured_ones_name_the_scale(data):
    for block in published_section.section(data).blocks[:-2]:
        lines = [row for row in block.rows if row[1].startswith("measured")]
        assert block.folded == (not lines), block.name
        assert ("not measured here" in block.caption) == block.folded
        assert "arXiv" in block.caption or "ACL" in block.caption
        assert block.folded or "grpo, unless a line says otherwise): other models, data and benchmarks" in block.caption
        assert bool(block.source) == bool(lines)
    unverified = [
        row for block in published_section.section(data).blocks[:-2] for row in block.rows if "UNVERIFIED" in row[1]
    ]
    assert unverified and all(not any(cell for cell in row[2:]) for row in unverified)


def test_the_mechanism_shows_what_the_papers_print_above_what_was_measured(data):
    shares, covariances = mechanism_section.collapse_table(data), mechanism_section.covariance_table(data)
    assert shares.rows[0][0] == "published, 11 models"
    assert [cell[0] for cell in shares.rows[0][1:-1]] == [0.73, 0.94, 0.73, 0.94, 0.76, 0.93]
    assert covariances.rows[0][:2] == ["published, Qwen2.5-7B", "step 1"]
    assert [cell[0] for cell in covariances.rows[0][2:-1]] == TABLES["covariance_profile"].rows[0].values
    config, data.config = data.config, {**data.config, "published": None}
    assert mechanism_section.collapse_table(data).rows == shares.rows[1:]
    assert mechanism_section.covariance_table(data).rows == covariances.rows[1:]
    data.config = config


def test_the_page_shows_them_and_a_run_without_the_file_does_without(three, data):
    text = (three[1].out / "index.html").read_text()
    assert (
        "Published beside measured" in text and "published, ≈ read off a figure" in text and "PRIME in Fig. 6" in text
    )
    config, data.config = data.config, {**data.config, "published": None}
    assert published_section.section(data) is None and published_section.tables_of(data, "reward_by_entropy") == []
    data.config = config
