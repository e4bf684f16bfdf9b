"""Protects the chain law -> comparison -> report: known effects come out, untrusted text stays text, bytes repeat."""

import json
import re
from base64 import b64encode
from hashlib import sha256
from html.parser import HTMLParser
from pathlib import Path

import pyarrow.parquet as pq
import pytest
import yaml

from tests.unit.analysis.synthetic import World, run_all
from workflow_scripts.analysis.report.explorer import ROWS
from workflow_scripts.analysis.report.sampling import STRATA
from workflow_scripts.config.claims import claims_at

RAW = yaml.safe_load((Path(__file__).parents[3] / "config" / "claims.yaml").read_text())
CLAIMS = claims_at("nano", RAW)["claims"]
VOID = {"meta", "link", "br", "input"}


@pytest.fixture(scope="module")
def three(tmp_path_factory):
    world = World(tmp_path_factory.mktemp("three"), seeds=(0, 1, 2), ood=True)
    return world, run_all(world, CLAIMS)


def rows(world: World, role: str, table: str) -> list[dict]:
    return pq.read_table(world.inputs[role].parent / f"{table}.parquet").to_pylist()


class Page(HTMLParser):
    """Collects tags and attributes, and checks that what is opened is closed."""

    def __init__(self, text: str):
        super().__init__()
        self.tags, self.open, self.values = [], [], []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.values += [(name, value or "") for name, value in attrs]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append(tag)
        self.values += [(name, value or "") for name, value in attrs]

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def test_known_effects_come_out(three):
    world, _ = three
    ratios = {r["arm"]: r for r in rows(world, "comparison", "entropy_at_equal_accuracy") if r["seed"] is None}
    quantity = {(r["arm"], r["quantity"]): r for r in rows(world, "comparison", "entropy_at_equal_accuracy")}
    assert len(ratios) == 2
    for arm in ratios:
        assert quantity[arm, "entropy ratio on the plateau"]["value"] == pytest.approx(2.0, rel=0.05)
    verdicts = {r["id"]: r["verdict"] for r in rows(world, "comparison", "claims")}
    assert verdicts["kl_cov_entropy_equal_accuracy"] == "holds"
    assert verdicts["kl_cov_entropy_tenfold"] == "does not hold"
    assert verdicts["judge_beats_rule_free_form"] == "holds"
    assert verdicts["clip_cov_accuracy"] == "not testable here"


def test_recall_of_the_rule_is_that_of_the_world(three):
    found = [r for r in rows(three[0], "comparison", "grader_errors") if (r["arm"], r["grader"]) == ("base", "rule")]
    recall = {r["subject"]: r["recall"] for r in found}
    assert recall["arithmetic"] == 1.0 and 0.35 < recall["strings"] < 0.65
    assert all(r["false_positive_rate"] == 0.0 for r in found)


def test_page_is_well_formed_and_asks_for_nothing(three):
    out = three[1].out
    text = (out / "index.html").read_text()
    page = Page(text)
    assert not page.open and "img" not in page.tags
    assert not [value for name, value in page.values if name in ("src", "xlink:href", "srcset", "action")]
    links = [value for name, value in page.values if name == "href"]
    files = [link for link in links if not link.startswith(("#", "data:,"))]
    assert len(files) > 20 and all((out / link).is_file() for link in files)
    assert "url(" not in text and "@import" not in text
    targets = [value for name, value in page.values if name == "id"]
    assert len(targets) == len(set(targets))
    assert {link[1:] for link in links if link.startswith("#")} <= set(targets)


def test_every_file_is_linked(three):
    out = three[1].out
    text = (out / "index.html").read_text()
    files = [path.relative_to(out).as_posix() for folder in ("tables", "figures") for path in (out / folder).iterdir()]
    assert [name for name in files if f'href="{name}"' not in text] == []


def test_only_our_own_script_may_run(three):
    text = (three[1].out / "index.html").read_text()
    scripts = re.findall(r"<script([^>]*)>(.*?)</script>", text, re.DOTALL)
    code = [body for attributes, body in scripts if not attributes]
    assert len(code) == 1 and all('type="application/json"' in attributes for attributes, _ in scripts if attributes)
    digest = b64encode(sha256(code[0].encode()).digest()).decode()
    assert f"script-src 'sha256-{digest}';" in text and "default-src 'none'" in text


def test_model_output_stays_text(three):
    text = (three[1].out / "index.html").read_text()
    assert "<script>alert" not in text and "<img" not in text and "<b>?" not in text
    assert "&lt;script&gt;alert(1)" in text and not re.search(r"[\x00-\x08\x0b-\x1f\x7f]", text)
    data = re.search(r'id="answers_data">(.*?)</script>', text, re.DOTALL)[1]
    assert "<" not in data and any("<script>alert(1)</script>" in row[-1] for row in json.loads(data)["rows"])


def test_the_sample_keeps_every_kind_of_answer_in(three):
    world, report = three
    text = (report.out / "index.html").read_text()
    data = json.loads(re.search(r'id="answers_data">(.*?)</script>', text, re.DOTALL)[1])
    assert len(data["rows"]) <= ROWS and len({row[1] for row in data["rows"]}) == len(data["arms"])
    wrong = [row for row in data["rows"] if row[3] == list(STRATA).index("judge_fooled")]
    assert wrong and all(truth is False and judge is True for *_, truth, _, _, _, judge, _, _, _, _, _ in wrong)
    files = [
        file for r, path in world.inputs.items() if r.startswith("answers:") for file in path.parent.glob("*.parquet")
    ]
    answers = sum(pq.read_metadata(file).num_rows for file in files)
    assert f"{len(data['rows']):,} of {answers:,} answers" in text


def test_files_stand_beside_the_page(three):
    out = three[1].out
    assert {"claims.csv", "law.csv", "run_time.csv", "by_subject.csv"} <= {p.name for p in (out / "tables").iterdir()}
    drawings = sorted((out / "figures").iterdir())
    assert len(drawings) > 8 and all(p.read_text().startswith("<svg xmlns=") for p in drawings)
    headline = (out / "headline.txt").read_text()
    assert "holds" in headline and "Accuracy on world" in headline and "Entropy on the plateau" in headline


def test_every_number_says_where_it_came_from(three):
    world, stage = three
    text = (stage.out / "index.html").read_text()
    for role, manifest in world.inputs.items():
        if role.startswith(("policy:", "audit:", "data:")):
            assert manifest.parent.name in text, role
    assert str(world.root) not in text


def test_equal_inputs_give_equal_bytes(three, tmp_path):
    again = run_all(World(tmp_path, seeds=(0, 1, 2), ood=True), CLAIMS).out
    first = three[1].out
    names = sorted(p.relative_to(first) for p in first.rglob("*") if p.is_file())
    assert names == sorted(p.relative_to(again) for p in again.rglob("*") if p.is_file())
    assert all((first / name).read_bytes() == (again / name).read_bytes() for name in names)


def test_one_seed_says_so_and_renders(tmp_path):
    world = World(tmp_path, seeds=(0,))
    out = run_all(world, CLAIMS).out
    text = (out / "index.html").read_text()
    assert "one seed" in (out / "headline.txt").read_text()
    assert "one seed: bootstrap over questions" in text and ">nan" not in text
    assert {r["verdict"] for r in rows(world, "comparison", "claims")} == {"not testable here"}


def test_a_run_without_judges_answers_or_claims_renders(tmp_path):
    world = World(tmp_path, seeds=(0, 1))
    world.inputs = {r: p for r, p in world.inputs.items() if not r.startswith(("audit:", "answers:", "data:"))}
    text = (run_all(world, []).out / "index.html").read_text()
    assert "The entropy law" in text and "judge's audit" not in text and not Page(text).open


def test_signs_of_reward_hacking_are_listed_by_arm_and_seed(three):
    _, report = three
    table = (report.out / "tables" / "reward_hacking.csv").read_text().splitlines()
    assert {line.split(",")[2] for line in table[1:]} == {"length", "divergence"}
    rule = [arm for arm in report.config["arms"] if arm["reward"] == "rule"]
    assert len(table) == 1 + 2 * len(rule)
    assert all(line.split(",")[-3:] == ["71", "10", "80"] for line in table[1:])


def test_the_gate_and_what_the_audit_found_are_shown(three):
    _, report = three
    names = {path.stem for path in (report.out / "tables").glob("*.csv")}
    assert {f"{kind}_judge" for kind in ("gate", "votes", "bins", "probes", "wording")} <= names
    gate = (report.out / "tables" / "gate_judge.csv").read_text()
    assert "ece,0.2,at most 0.1,missed" in gate and "kappa,0.84,at least 0.6,passed" in gate
    votes = (report.out / "tables" / "votes_judge.csv").read_text().splitlines()
    assert len(votes) == 11 and "second rater" in votes[0]
