"""Protects the page as a reader meets it: it opens from a file, asks for nothing, fits a phone, and can be read."""

import re

import pytest

from tests.browser.conftest import REPORTS, SIZES

BYTES = 3_000_000  # of the page, at the arms and claims of config/nano_claims.yaml
LOAD_MS = 8_000  # 400 on two idle cores

# (R, G, B, alpha) of a text's colour and of the first background below it that is not transparent
COLOURS = """
(selector) => [...document.querySelectorAll(selector)].filter((e) => e.offsetWidth).slice(0, 40).map((node) => {
  const parts = (colour) => colour.match(/[0-9.]+/g).map(Number);
  let below = node;
  while (below && parts(getComputedStyle(below).backgroundColor)[3] === 0) below = below.parentElement;
  const ground = below ? getComputedStyle(below).backgroundColor : "rgb(255, 255, 255)";
  return [parts(getComputedStyle(node).color), parts(ground)];
})
"""
TEXTS = (".intro", ".caption", "td", ".badge", ".statement", "a", ".card pre", ".yes", ".no", "th", "code")


def every(page):
    """Unfold everything."""
    page.evaluate("document.querySelectorAll('details').forEach((details) => (details.open = true))")


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("report", REPORTS)
def test_it_opens_without_an_error_or_a_request(visit, report, size):
    opened = visit(report, size)
    every(opened.page)
    assert opened.errors == []
    assert [url for url in opened.requests if not url.startswith(("file://", "data:"))] == []
    assert len([url for url in opened.requests if url.startswith("file://")]) == 1


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("report", REPORTS)
def test_nothing_is_wider_than_the_screen(visit, report, size):
    page = visit(report, size).page
    assert page.evaluate("document.documentElement.scrollWidth") <= SIZES[size][0]
    every(page)
    assert page.evaluate("document.documentElement.scrollWidth") <= SIZES[size][0]


@pytest.mark.parametrize("report", REPORTS)
def test_plots_are_drawn(visit, report):
    page = visit(report).page
    every(page)
    boxes = page.eval_on_selector_all("svg.plot", "all => all.map((e) => e.getBoundingClientRect().toJSON())")
    assert len(boxes) > 10 and all(box["width"] > 200 and box["height"] > 30 for box in boxes)
    lines = page.eval_on_selector_all("svg.plot path.line", "all => all.map((e) => e.getBBox().width)")
    assert lines and all(width > 0 for width in lines)


def test_the_large_page_is_small_and_quick(visit, folders):
    size = (folders["large"] / "index.html").stat().st_size
    times = {}
    for screen in SIZES:
        page = visit("large", screen).page
        times[screen] = page.evaluate("performance.getEntriesByType('navigation')[0].loadEventEnd")
    print(f"page: {size:,} bytes, load {times} ms")
    assert size < BYTES and max(times.values()) < LOAD_MS


def luminance(colour) -> float:
    """Relative luminance of sRGB 0..255 (WCAG 2.1)."""
    linear = [c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4 for c in (v / 255 for v in colour[:3])]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_texts_stand_out_from_their_ground(visit, scheme):
    page = visit("micro", color_scheme=scheme).page
    every(page)
    for selector in TEXTS:
        pairs = page.evaluate(COLOURS, selector)
        assert pairs, selector
        for text, ground in pairs:
            low, high = sorted((luminance(text), luminance(ground)))
            assert (high + 0.05) / (low + 0.05) >= 4.5, (selector, text, ground)
    ground = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (luminance(list(map(int, re.findall(r"\d+", ground)[:3]))) > 0.5) == (scheme == "light")


def test_it_can_be_read_without_scripts(visit):
    page = visit("large", java_script_enabled=False).page
    assert page.locator(".claim").count() >= 35 and page.locator("svg.plot").count() > 10
    assert page.locator(".claim").first.is_visible() and page.get_by_text("The explorer needs JavaScript").is_visible()
    assert not page.locator(".explorer form").is_visible()


@pytest.mark.parametrize("report", REPORTS)
def test_a_source_names_the_artifacts(visit, folders, report):
    page = visit(report).page
    details = page.locator("#study_reward_by_entropy details[data-sources], #study_study_0 details[data-sources]").first
    details.locator("summary").click()
    details.locator("li").first.wait_for()
    names = details.locator("li").all_text_contents()
    assert any(re.fullmatch(r"policies/\S+-[0-9a-f]{10}", name) for name in names)
    assert any(re.fullmatch(r"\S+/comparison/manifest-[0-9a-f]{10}\.json", name) for name in names)


def test_a_link_unfolds_what_it_leads_to(visit):
    page = visit("large").page
    page.evaluate("location.hash = '#table_index'")
    page.locator("#table_index table").wait_for(state="visible")
