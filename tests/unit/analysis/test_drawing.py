"""Protects what stands behind plots and formulas: nothing visible is thinned away, every setting has its equation."""

from xml.etree import ElementTree

import numpy as np
import pytest

from workflow_scripts.analysis.arms import Arm
from workflow_scripts.analysis.plots import COLUMNS, Series, curves, thinned
from workflow_scripts.analysis.report import equations as known
from workflow_scripts.analysis.report.blocks import visible
from workflow_scripts.analysis.report.equations import equations
from workflow_scripts.analysis.report.mathml import mathml
from workflow_scripts.analysis.report.page import embedded, ranges
from workflow_scripts.analysis.report.style import make_look, study_styles
from workflow_scripts.analysis.svg import Style
from workflow_scripts.rl.advantages import DEFAULTS as ADVANTAGES
from workflow_scripts.rl.losses import LOSSES

NOISE = np.random.default_rng(0).normal(size=5000)


def test_thinning_keeps_ends_and_extremes_and_alters_no_value():
    x = np.arange(len(NOISE), dtype=float)
    kept = thinned(x, NOISE)
    assert len(kept) <= 2 * COLUMNS + 4 and {0, len(x) - 1, int(NOISE.argmin()), int(NOISE.argmax())} <= set(kept)
    assert list(thinned(x[:50], NOISE[:50])) == list(range(50))


def test_a_plot_lists_the_raw_values_of_the_points_that_it_draws():
    x = np.arange(400, dtype=float)
    y = NOISE[:400]
    svg = ElementTree.fromstring(curves([Series(Style(1, "", 'a <b> & "c"'), x, y, y, y)], "step", "value", "title"))
    group = next(node for node in svg.iter("g") if node.get("data-series"))
    steps, values = ([float(v) for v in group.get(f"data-{axis}").split()] for axis in "xy")
    assert group.get("data-series") == 'a <b> & "c"' and len(steps) == len(values) < 400
    assert values == pytest.approx([y[int(step)] for step in steps], rel=1e-3)


def test_every_loss_and_advantage_has_its_equation():
    assert set(known.LOSSES) == set(LOSSES) and set(known.ADVANTAGES) == set(ADVANTAGES)
    for tex, _ in [*known.LOSSES.values(), *known.ADVANTAGES.values(), known._BINARY, known._EQ4, known._JACCARD]:
        assert ElementTree.fromstring(mathml(tex)).tag == "math"
    with pytest.raises(ValueError, match="nonsense"):
        mathml(r"\nonsense")


def test_a_study_shows_the_equations_of_what_it_varies():
    arms = [Arm("r", 0, "base", "d.t", "grpo", reward, "none") for reward in ("rule", "soft")]
    settings = {
        "rewards": {"rule": {"kind": "rule", "soft": False}, "soft": {"kind": "judge", "soft": True, "form": "eq4"}}
    }
    block = equations(arms, settings | {"entropy": {"none": {"loss": "ppo_clip"}}})
    assert [note for *_, note in block.formulas] == ["the rule's verdict", "2503.23829, Eq. 4"]
    same = equations(arms[:1], settings | {"entropy": {"none": {"loss": "ppo_clip"}}})
    assert [name for name, *_ in same.formulas] == ["no control"]


def test_settings_of_a_study_are_told_apart_whatever_varies():
    arms = {f"{p}-{a}": Arm("r", 0, p, "d.t", a, "rule", "none") for p in "abcdef" for a in ("grpo", "rloo", "qae")}
    styles = study_styles(arms, make_look(list(arms.values())))
    assert len({(style.hue, style.dash) for style in styles.values()}) == len(arms)
    assert len({style.label for style in styles.values()}) == len(arms)


def test_embedded_data_cannot_end_its_element():
    text = embedded({"a": "</script><!-- & \u2028"})
    assert not set("<>&\u2028") & set(text)


def test_sources_are_ranges_of_the_list():
    index = {name: number for number, name in enumerate("abcdefg")}
    assert ranges(["c", "a", "b", "f", "a"], index) == "0-2 5"


def test_characters_that_would_not_be_seen_are_shown():
    assert visible("a\u202eb\u2066c\ufeff\x1b\x7f") == "a\ufffdb\ufffdc\ufffd\u241b\ufffd"
    assert visible("é 👩 שלום\n\t") == "é 👩 שלום\n\t"
