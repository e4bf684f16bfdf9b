"""The path is the identity: a spec's key must follow its meaning and nothing else."""

from pathlib import Path

import pytest

from workflow_scripts.artifacts.keys import canonical_json, key


def test_order_of_keys_does_not_matter():
    assert key({"a": 1, "b": {"c": 2, "d": 3}}) == key({"b": {"d": 3, "c": 2}, "a": 1})


def test_a_swap_of_two_values_is_another_key():
    assert key({"low": 0.1, "high": 0.2}) != key({"low": 0.2, "high": 0.1})


def test_types_are_told_apart():
    assert len({key({"a": value}) for value in (1, 1.0, "1", True, None)}) == 5


@pytest.mark.parametrize("value", [{1, 2}, Path("x"), lambda: 0, float("nan"), b"x", {1: 2}])
def test_what_has_no_stable_text_is_refused(value):
    with pytest.raises((TypeError, ValueError), match="spec.a"):
        canonical_json({"a": value})
