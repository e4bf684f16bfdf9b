"""The adaptive entropy coefficient follows its rule, stays in its bounds and resumes from one number."""

import math
import random

import pytest

from workflow_scripts.rl.entropy_coefficient import EntropyCoefficient


def test_rises_below_the_target_and_falls_otherwise():
    """In force only up to the target; at the target it falls and is in force."""
    coefficient = EntropyCoefficient(0.0, target=0.5, delta=0.25)
    in_force = [coefficient.update(entropy) for entropy in (0.4, 0.3, 0.1, 0.5, 0.6, 0.6, 0.2)]
    assert in_force == [0.25, 0.5, 0.75, 0.5, 0.0, 0.0, 0.25]
    assert coefficient.value == 0.25


def test_against_a_loop_over_the_rule():
    """Many steps with the authors' setting, whose maximum is reached."""
    coefficient, value, draw, top = EntropyCoefficient(0.0, 0.2, 1e-4, maximum=5e-3), 0.0, random.Random(0), 0
    for _ in range(2000):
        entropy = draw.uniform(0, 0.38)
        value = min(5e-3, max(0.0, value + (1e-4 if entropy < 0.2 else -1e-4)))
        assert coefficient.update(entropy) == (value if entropy <= 0.2 else 0.0)
        top = max(top, value)
    assert top == 5e-3


def test_never_below_zero():
    coefficient = EntropyCoefficient(0.1, target=1.0, delta=0.07)
    assert [coefficient.update(2.0) for _ in range(3)] == [0.0] * 3 and coefficient.value == 0.0
    assert coefficient.update(0.5) == 0.07


def test_resumes_from_its_value():
    """Continued from the saved number, every later coefficient is the same to the last bit."""
    entropies = [0.3 + 0.2 * math.sin(step) for step in range(60)]
    whole = EntropyCoefficient(0.01, 0.3, 0.003)
    expected = [whole.update(entropy) for entropy in entropies]
    first = EntropyCoefficient(0.01, 0.3, 0.003)
    for entropy in entropies[:25]:
        first.update(entropy)
    second = EntropyCoefficient(first.value, 0.3, 0.003)
    assert [second.update(entropy) for entropy in entropies[25:]] == expected[25:]
    assert len(set(expected)) > 3


@pytest.mark.parametrize(
    "bad", [{"value": -0.1}, {"value": 0.2, "maximum": 0.1}, {"value": math.nan}, {"delta": -1e-3}]
)
def test_bad_settings_are_refused(bad):
    with pytest.raises(ValueError, match="entropy coefficient"):
        EntropyCoefficient(**({"value": 0.0, "target": 0.2, "delta": 1e-3} | bad))
