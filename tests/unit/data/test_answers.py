"""References are found where the data sets hide them, and cells of every shape become the text that they hold."""

import pytest

from workflow_scripts.data.answers import ANSWERS
from workflow_scripts.data.cells import cell_text, find


@pytest.mark.parametrize(
    ("rule", "cell", "answer"),
    [
        ("whole", " a #### b ", "a #### b"),
        ("hashes", "2*5=<<2*5=10>>10\n#### 109,200,000", "109200000"),
        ("hashes", "#### 1,2", "1,2"),  # no thousands: a pair
        ("hashes", "no mark", ""),
        ("boxed", r"so \boxed{1} or rather \boxed{\frac{1}{2}}.", r"\frac{1}{2}"),
        ("boxed", r"\framebox{204} minutes", "204"),
        ("boxed", r"\boxed {\{1, 2\}}", r"\{1, 2\}"),
        ("boxed", r"\boxed{\left\{ x \right.}", r"\left\{ x \right."),
        ("boxed", r"whole \boxed{3}, cut \boxed{4", "3"),
        ("boxed", "none", ""),
        ("math", "$69$,$84$", "69,84"),
        ("math", r"\$5", r"\$5"),
        ("value", "[0.333, 1.0]", "0.333, 1"),
        ("value", "True", "True"),
        ("value", "(c)", "(c)"),
        ("value", "NaN", "NaN"),
        ("value", "007", "007"),
    ],
)
def test_a_rule_finds_the_answer(rule, cell, answer):
    assert ANSWERS[rule](cell) == answer


@pytest.mark.parametrize(
    ("cell", "text"),
    [
        ([{"role": "system", "content": "s"}, {"role": "user", "content": " q "}], "q"),
        ([{"role": "user", "content": [{"type": "text", "text": "a"}, {"type": "image"}, {"text": "b"}]}], "ab"),
        ([{"role": "user", "content": "q"}, {"role": "assistant", "content": "a"}], "q"),
        (["1", "2"], "1, 2"),
        ([], ""),
        (["7"], "7"),
        (27.0, "27"),
        (0.5, "0.5"),
        (True, "True"),
        (float("nan"), "nan"),
        (None, ""),
    ],
)
def test_cells_become_text(cell, text):
    assert cell_text(cell) == text


def test_nested_cells_are_found():
    record = {"a": {"b": [{"c": 1}]}, "d.e": 2, "empty": [], "null": None}
    assert find(record, "a.b.0.c") == 1 and find(record, "d.e") == 2
    assert find(record, "empty.0") is None and find(record, "null.x") is None
    for path in ("x", "a.x", "a.b.c", "a.b.0.x"):
        with pytest.raises(KeyError, match=path):
            find(record, path)
