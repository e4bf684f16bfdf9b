"""Protects the filters of claims and answers: what they show is what the data say, and hostile answers stay text."""

import csv
import json
import re
from collections import Counter

import pytest

from tests.browser.large import HOSTILE, MARK, SEEDS
from workflow_scripts.analysis.report.blocks import visible
from workflow_scripts.analysis.report.explorer import shortened
from workflow_scripts.analysis.report.sampling import STRATA

KIND, TRUTH, RULE, JUDGE, CUT = 3, 4, 5, 8, 11  # places in a row of the embedded answers


def data_of(folder) -> dict:
    text = (folder / "index.html").read_text()
    return json.loads(re.search(r'id="answers_data">(.*?)</script>', text, re.DOTALL)[1])


def count(page, block: str) -> int:
    return int(page.locator(f"{block} .count").inner_text().partition(" of ")[0])


@pytest.mark.parametrize("report", ["micro", "large"])
def test_claims_are_filtered_by_verdict_and_paper(visit, folders, report):
    page = visit(report).page
    with (folders[report] / "tables" / "claims.csv").open() as file:
        rows = list(csv.DictReader(file))
    shown = page.locator(".claim:visible")
    assert shown.count() == len(rows)
    for verdict, number in Counter(row["verdict"] for row in rows).items():
        button = page.locator(f'.claims button[data-verdict="{verdict}"]')
        assert button.inner_text().split()[-1] == str(number)
        button.click()
        assert shown.count() == count(page, ".claims") == number
        paper = page.locator(".claims button[data-paper=R]")
        paper.click()
        both = sum(row["verdict"] == verdict and row["source"].startswith("R,") for row in rows)
        assert shown.count() == count(page, ".claims") == both
        paper.click()
        button.click()
        assert shown.count() == len(rows)


def test_a_claim_unfolds_to_its_bar_and_its_artifacts(visit):
    page = visit("large").page
    claim = page.locator("#claim_kl_cov_entropy_plateau")
    claim.locator("summary").first.click()
    assert claim.locator("svg.plot .region").is_visible() and claim.locator("svg.plot .dot").is_visible()
    assert claim.locator("svg.plot .ring").count() == len(SEEDS)
    facts = claim.locator("dl").inner_text()
    assert "above 1" in facts and "by seed" in facts
    claim.locator("details summary").click()
    assert {path.partition("/")[0] for path in claim.locator("li").all_text_contents()} >= {"policies", "evaluations"}


@pytest.mark.parametrize("report", ["micro", "large"])
def test_answers_are_filtered(visit, folders, report):
    page = visit(report).page
    data = data_of(folders[report])
    form = page.locator(".explorer form")
    assert count(page, ".explorer") == len(data["rows"])
    for index, name in enumerate(STRATA.values()):
        form.locator("[name=stratum]").select_option(label=name)
        wanted = [row for row in data["rows"] if row[KIND] == index]
        assert count(page, ".explorer") == len(wanted)
        assert page.locator(".explorer .card").count() == min(12, len(wanted))
    form.locator("[name=stratum]").select_option(label="all")
    form.locator("[name=arm]").select_option(label=data["arms"][-1])
    assert count(page, ".explorer") == sum(row[1] == len(data["arms"]) - 1 for row in data["rows"])
    form.locator("[name=arm]").select_option(label="all")
    subject = data["questions"][0][1]
    form.locator("[name=subject]").select_option(label=subject)
    assert count(page, ".explorer") == sum(data["questions"][row[0]][1] == subject for row in data["rows"])
    form.locator("[name=subject]").select_option(label="all")
    form.locator("[name=truncated]").check()
    assert count(page, ".explorer") == sum(row[CUT] for row in data["rows"])
    form.locator("[name=truncated]").uncheck()
    prompt = data["questions"][-1][2]
    form.locator("[name=text]").fill(prompt)
    texts = ["\n".join((*data["questions"][row[0]][2:], row[-1])).lower() for row in data["rows"]]
    assert count(page, ".explorer") == sum(prompt.lower() in text for text in texts) > 0


def test_the_kinds_mean_what_they_say(folders):
    rows = data_of(folders["large"])["rows"]
    kinds = list(STRATA)
    misses = [row for row in rows if row[KIND] == kinds.index("rule_misses")]
    fooled = [row for row in rows if row[KIND] == kinds.index("judge_fooled")]
    assert misses and all(row[RULE] is False and row[JUDGE] is True and row[TRUTH] is True for row in misses)
    assert fooled and all(row[TRUTH] is False and row[JUDGE] is True for row in fooled)


def test_pages_turn(visit, folders):
    page = visit("large").page
    cards, turn = page.locator(".explorer .card"), page.locator(".pager button")
    first = cards.first.inner_text()
    assert turn.first.is_disabled()
    turn.last.click()
    assert cards.first.inner_text() != first
    turn.first.click()
    assert cards.first.inner_text() == first


def test_hostile_answers_are_shown_as_text(visit, folders):
    opened = visit("large", "phone")
    page = opened.page
    data = data_of(folders["large"])
    assert {row[-1] for row in data["rows"]} == {shortened(text) for text in HOSTILE}
    seen = set()
    for _ in range(30):
        seen |= set(page.locator(".explorer .card pre").all_text_contents())
        page.locator(".pager button").last.click()
    assert seen == {shortened(text) for text in HOSTILE}
    assert not any(re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e]", text) for text in seen)
    assert page.evaluate("window.broken") is None and opened.errors == []
    assert page.locator(".card img, .card svg, .card script, .card a").count() == 0
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    assert MARK in visible(HOSTILE[0])
