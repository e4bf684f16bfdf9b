"""Protects what a reader asks of a plot: the right value under the pointer, by keyboard and touch, and a legend."""

import csv

import pytest

REPORTS = {"micro": "reward_by_entropy", "large": "study_1"}


def plot_of(page, study: str, panel: int = 0):
    found = page.locator(f"#study_{study} .figure svg.plot").nth(panel)
    page.evaluate("id => (document.getElementById(id).open = true)", f"study_{study}")
    found.scroll_into_view_if_needed()
    return found


def place(plot, x: float, series: str) -> tuple[float, float]:
    """Where on the screen the plot draws a series at x: from the points of its line, not from the script."""
    return plot.evaluate(
        """async (svg, [x, name]) => {
          svg.scrollIntoView({ block: "center" });  // and wait until the page has scrolled: that hides the tip
          for (let frame = 0; frame < 3; frame++) await new Promise(requestAnimationFrame);
          const [x0, x1] = svg.dataset.range.split(" ").map(Number);
          const [left, right] = svg.dataset.box.split(" ").map(Number);
          const at = left + ((x - x0) / (x1 - x0)) * (right - left);
          const group = [...svg.querySelectorAll("g[data-series]")].find((g) => g.dataset.series === name);
          const [start, ...steps] = group.querySelector(".line").getAttribute("d").slice(1).split("l");
          let [px, py] = start.split(" ").map(Number);
          const points = [{ x: px, y: py }];
          const moves = steps[0].split(" ").map(Number);
          for (let n = 0; n < moves.length; n += 2) points.push({ x: (px += moves[n]), y: (py += moves[n + 1]) });
          const near = points.reduce((a, b) => (Math.abs(b.x - at) < Math.abs(a.x - at) ? b : a));
          const box = svg.getBoundingClientRect(), scale = box.width / svg.viewBox.baseVal.width;
          return [box.left + near.x * scale, box.top + near.y * scale];
        }""",
        [x, series],
    )


def values(folder, study: str) -> list[dict]:
    with (folder / "tables" / f"curves_{study}.csv").open() as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize("report", REPORTS)
def test_a_hover_tells_the_value_in_the_csv(visit, folders, report):
    study = REPORTS[report]
    page = visit(report).page
    rows = values(folders[report], study)
    for panel, (quantity, factor) in enumerate((("entropy", 1), ("accuracy", 100))):
        plot = plot_of(page, study, panel)
        for row in (rows[1], rows[-2]):
            page.mouse.move(*place(plot, float(row["step"]), row["arm"]))
            text = page.locator("#tip").inner_text()
            assert page.locator("#tip").is_visible() and f"rollout step {row['step']}" in text
            line = next(line for line in text.splitlines() if line.startswith(f"{row['arm']}: "))
            shown = float(line.removeprefix(f"{row['arm']}: ").split(" ")[0])
            assert shown == pytest.approx(factor * float(row[quantity]), rel=2e-3)
            if int(row["seeds"]) > 1:
                low = float(line.partition("[")[2].partition(",")[0])
                assert low == pytest.approx(factor * float(row[f"{quantity} low"]), rel=2e-3)
    page.mouse.move(2, 2)
    assert not page.locator("#tip").is_visible()


def test_the_legend_hides_and_shows_a_series(visit):
    page = visit("large").page
    plot = plot_of(page, "study_1")
    figure = page.locator("#study_study_1 .figure").first
    button = figure.locator("button[data-toggles]").first
    name = button.get_attribute("data-toggles")
    drawn = figure.locator(f'g[data-series="{name}"]')
    assert drawn.count() == figure.locator("svg.plot").count() and drawn.first.is_visible()
    button.click()
    assert button.get_attribute("aria-pressed") == "false" and not any(one.is_visible() for one in drawn.all())
    page.mouse.move(*place(plot, 40, figure.locator("button[data-toggles]").nth(1).get_attribute("data-toggles")))
    assert f"{name}: " not in page.locator("#tip").inner_text()
    button.click()
    assert button.get_attribute("aria-pressed") == "true" and drawn.first.is_visible()


def test_the_keyboard_walks_along_a_series(visit, folders):
    page = visit("large").page
    plot = plot_of(page, "study_1")
    plot.focus()
    steps = [int(row["step"]) for row in values(folders["large"], "study_1")]
    for expected in (steps[0], steps[1], steps[2]):
        page.keyboard.press("ArrowRight")
        assert f"rollout step {expected} " in page.locator("#tip").inner_text()
    before = page.locator("#tip > :nth-child(2)").inner_text().partition(":")[0]
    page.keyboard.press("ArrowUp")
    page.keyboard.press("ArrowUp")
    page.keyboard.press("ArrowUp")
    after = page.locator("#tip > :nth-child(2)").inner_text().partition(":")[0]
    page.keyboard.press("ArrowDown")
    assert page.locator("#tip > :nth-child(2)").inner_text().partition(":")[0] != after or before != after
    page.keyboard.press("Escape")
    assert not page.locator("#tip").is_visible()


def test_a_touch_shows_the_value(visit):
    page = visit("large", "phone", has_touch=True, is_mobile=True).page
    plot = plot_of(page, "study_1")
    plot.tap()
    tip = page.locator("#tip")
    assert tip.is_visible() and "rollout step" in tip.inner_text()
    box = tip.bounding_box()
    assert box["x"] >= 0 and box["x"] + box["width"] <= 360
