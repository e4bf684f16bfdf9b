"""The losses equal the published implementations, in value and gradient, edge cases included."""

import math

import pytest
import torch
from losses_by_loop import CASES, loss_and_gradient, published_input, seeded

from workflow_scripts.rl.losses import LOSSES, mini_batch_statistics, policy_loss
from workflow_scripts.rl.losses.statistics import token_covariance

CLIP_COV = {"cov_low": 0.5, "cov_high": 5.0}
PER_SEQUENCE = {"aggregation": "seq-mean-token-mean"}
# loss name, options, loss, sum of |gradient|, clip fraction: the authors' and verl's code, executed unmodified
GOLDEN = [
    ("ppo_clip", {}, -0.33378986, 0.59972191, 0.27777779),
    ("ppo_clip", {"clip_high": 0.28}, -0.34663418, 0.67765713, 0.21717171),
    ("kl_cov", {"kl_cov_ratio": 0.002}, -0.35327381, 0.88735431, 0.0),
    ("kl_cov", {"kl_cov_ratio": 0.02}, -0.35061282, 0.87725329, 0.0),
    ("kl_cov", {"kl_cov_ratio": 0.2}, -0.31854439, 0.87930036, 0.0),
    ("kl_cov", {"kl_cov_ratio": 2e-4, "kl_cov_coef": 0.1}, -0.35463744, None, 0.0),
    ("clip_cov", {"clip_cov_ratio": 1.0, **CLIP_COV}, -0.29625604, 0.61866593, 0.28787878),
    ("clip_cov", {"clip_cov_ratio": 0.05, **CLIP_COV}, -0.34798574, 0.85035735, 0.04545455),
    ("clip_cov", {}, -0.34496161, 0.88257748, 0.00505051),
    ("cispo", {}, 0.64050746, 0.86672562, 0.30303031),
    ("cispo", {"clip_low": 0.2}, 0.64711314, 0.87450755, 0.53535354),
    ("gspo", {}, -0.17290923, 0.25234830, 0.89898992),
    ("gspo", {"clip_low": 0.2, "clip_high": 0.2}, -0.17747281, 0.93119484, 0.0),
]


@pytest.mark.parametrize(("name", "options", "loss", "gradient", "clipped"), GOLDEN)
def test_golden_vectors(name, options, loss, gradient, clipped):
    torch.manual_seed(0)
    extra = PER_SEQUENCE if name == "gspo" else {}
    value, grad, stats = loss_and_gradient(name, published_input(), options=options, **extra)
    assert value.item() == pytest.approx(loss, abs=3e-7)
    if gradient is not None:
        assert grad.abs().sum().item() == pytest.approx(gradient, abs=1e-6)
    assert (stats["clipped"] / stats["tokens"]).item() == pytest.approx(clipped, abs=1e-7)


def test_golden_kl_and_selected_positions():
    _, _, stats = loss_and_gradient("ppo_clip", published_input())
    assert (stats["kl_sum"] / stats["tokens"]).item() == pytest.approx(-0.00370882, abs=1e-7)
    _, _, stats = loss_and_gradient("kl_cov", published_input())
    assert (stats["abs_kl_sum"] / stats["tokens"]).item() == pytest.approx(0.19099064, abs=1e-7)
    inputs = published_input()
    found = mini_batch_statistics("kl_cov", **inputs, options={"kl_cov_ratio": 0.02})
    valid = inputs["mask"] > 0
    assert torch.nonzero(found.selected[valid]).flatten().tolist() == [0, 34, 42]
    covariance = token_covariance(inputs["log_probs"], inputs["advantages"], valid)[valid][[0, 34, 42]]
    assert covariance.tolist() == pytest.approx([2.543084, 2.457162, 1.916476], abs=2e-6)


def test_clip_cov_draws_from_the_given_generator():
    """A generator seeded alike draws what the global one draws, and leaves the global one alone."""
    torch.manual_seed(0)
    expected, _, _ = loss_and_gradient("clip_cov", published_input(), options={"clip_cov_ratio": 0.05, **CLIP_COV})
    torch.manual_seed(5)
    state = torch.get_rng_state()
    generator = seeded()
    value, _, _ = loss_and_gradient(
        "clip_cov", published_input(), options={"clip_cov_ratio": 0.05, **CLIP_COV}, generator=generator
    )
    assert torch.equal(value, expected)
    assert torch.equal(torch.get_rng_state(), state)


def test_clip_cov_bounds_are_strict_and_nothing_to_select_is_plain():
    """A covariance equal to a bound is no candidate; without candidates the loss is the wide-clip surrogate."""
    log_probs = torch.tensor([[-1.0, -3.0]])
    inputs = {
        "log_probs": log_probs,
        "old_log_probs": log_probs.clone(),
        "advantages": torch.tensor([[1.0, -1.0]]),  # both covariances are exactly 1
        "mask": torch.ones(1, 2, dtype=torch.int64),
    }
    for low, high, count in ((1.0, 5.0, 0), (0.5, 1.0, 0), (0.5, 1.5, 2)):
        options = {"cov_low": low, "cov_high": high, "clip_cov_ratio": 1.0}
        value, _, stats = loss_and_gradient("clip_cov", inputs, options=options)
        assert stats["selected"].item() == count
        assert stats["selected_positive"].item() == count / 2
        assert value.item() == 0.0  # -1 + 1 with all tokens, nothing with none
    wide, wide_gradient, _ = loss_and_gradient(
        "ppo_clip", published_input(), options={"clip_low": 1.0, "clip_high": 1.0}
    )
    none, none_gradient, _ = loss_and_gradient("clip_cov", published_input(), options={"cov_low": 4.0})
    assert torch.equal(wide, none) and torch.equal(wide_gradient, none_gradient)


@pytest.mark.parametrize(("tokens", "ratio", "count"), [(100, 0.29, 28), (10, 0.05, 1), (59, 0.05, 2), (60, 0.05, 3)])
def test_selected_count_rounds_down_and_is_at_least_one(tokens, ratio, count):
    inputs = {
        "log_probs": -torch.linspace(0.1, 3, tokens)[None],
        "old_log_probs": -torch.linspace(0.1, 3, tokens)[None],
        "advantages": -torch.linspace(-1, 1, tokens)[None],
        "mask": torch.ones(1, tokens, dtype=torch.int64),
    }
    for name, options in (
        ("kl_cov", {"kl_cov_ratio": ratio}),
        ("clip_cov", {"clip_cov_ratio": ratio, "cov_low": -9.0}),
    ):
        assert policy_loss(name, **inputs, options=options)[1]["selected"].item() == count


@pytest.mark.parametrize(("name", "aggregation"), CASES)
def test_padding_may_hold_nan(name, aggregation):
    """NaN under the mask changes neither value nor gradient (the published code returns NaN)."""
    clean = published_input()
    dirty = {key: tensor.clone() for key, tensor in clean.items()}
    for key in ("log_probs", "old_log_probs", "advantages", "entropy"):
        dirty[key][clean["mask"] == 0] = float("nan")
    results = []
    for inputs in (clean, dirty):
        torch.manual_seed(0)
        results.append(loss_and_gradient(name, inputs, aggregation=aggregation))
    assert torch.equal(results[0][0], results[1][0])
    assert torch.equal(results[0][1], results[1][1])
    assert torch.isfinite(results[1][1]).all()


@pytest.mark.parametrize(("name", "aggregation"), CASES)
def test_empty_mask_gives_zero(name, aggregation):
    inputs = published_input() | {"mask": torch.zeros(4, 64, dtype=torch.int64)}
    value, gradient, stats = loss_and_gradient(name, inputs, aggregation=aggregation)
    assert value.item() == 0.0 and gradient.abs().sum().item() == 0.0 and stats["tokens"].item() == 0


@pytest.mark.parametrize(("name", "aggregation"), CASES)
def test_rows_without_tokens_count_nowhere(name, aggregation):
    """A fully masked row, whatever it holds, changes neither the loss nor the other rows' gradient."""
    short = {key: tensor[1:] for key, tensor in published_input().items()}
    long = published_input()
    long["mask"][0] = 0
    results = []
    for inputs in (short, long):
        torch.manual_seed(0)
        results.append(loss_and_gradient(name, inputs, aggregation=aggregation))
    assert results[0][0].item() == pytest.approx(results[1][0].item(), rel=1e-6)
    torch.testing.assert_close(results[1][1][1:], results[0][1], rtol=1e-6, atol=1e-9)
    assert results[1][1][0].abs().sum() == 0 and results[1][2]["sequences"] == 3


@pytest.mark.parametrize(("name", "aggregation"), CASES)
def test_extreme_ratios_stay_finite(name, aggregation):
    """Log-ratios of +-30, where the reference clamps none but those of GSPO (10) and CISPO (20)."""
    inputs = published_input()
    inputs["old_log_probs"] = inputs["log_probs"] + 30 * torch.sign(torch.cos(torch.arange(256.0))).reshape(4, 64)
    torch.manual_seed(0)
    value, gradient, _ = loss_and_gradient(name, inputs, aggregation=aggregation)
    assert torch.isfinite(value) and torch.isfinite(gradient).all()


@pytest.mark.parametrize("name", sorted(LOSSES))
def test_half_precision_is_computed_in_single(name):
    """Bfloat16 log-probabilities give the loss of the same numbers in single precision."""
    half, single = published_input(), published_input()
    half["log_probs"] = half["log_probs"].bfloat16()
    single["log_probs"] = half["log_probs"].float()
    results = []
    for inputs in (half, single):
        torch.manual_seed(0)
        results.append(policy_loss(name, **inputs, aggregation="seq-mean-token-mean")[0])
    assert results[0].dtype == torch.float32 and torch.equal(*results)


def test_one_token():
    """A single token has covariance 0: KL-Cov still penalises it (at least one), Clip-Cov has no candidate."""
    inputs = {
        "log_probs": torch.tensor([[-1.0]]),
        "old_log_probs": torch.tensor([[-1.5]]),
        "advantages": torch.tensor([[2.0]]),
        "mask": torch.ones(1, 1, dtype=torch.int64),
    }
    value, gradient, stats = loss_and_gradient("kl_cov", inputs)
    assert value.item() == pytest.approx(-2 * math.exp(0.5) + 0.5, rel=1e-6)
    assert gradient.item() == pytest.approx(-2 * math.exp(0.5) + 1, rel=1e-6)
    assert stats["selected"].item() == 1
    assert loss_and_gradient("clip_cov", inputs)[2]["selected"].item() == 0


def test_kl_cov_breaks_ties_without_penalising_more():
    """Equal covariances everywhere: still exactly the share, not all that tie."""
    inputs = {
        "log_probs": torch.tensor([[-1.0, -2.0] * 10]),
        "old_log_probs": torch.tensor([[-1.1, -2.1] * 10]),
        "advantages": torch.tensor([[1.0, -1.0] * 10]),
        "mask": torch.ones(1, 20, dtype=torch.int64),
    }
    assert loss_and_gradient("kl_cov", inputs, options={"kl_cov_ratio": 0.2})[2]["selected"].item() == 4


def test_kl_cov_is_plain_policy_gradient_on_policy():
    """With log p equal to its old value the penalty has no gradient: REINFORCE and KL-Cov agree to the last bit."""
    inputs = published_input()
    inputs["old_log_probs"] = inputs["log_probs"].clone()
    _, penalised, _ = loss_and_gradient("kl_cov", inputs, options={"kl_cov_ratio": 0.2})
    _, plain, _ = loss_and_gradient("reinforce", inputs)
    assert torch.equal(penalised, plain)


def test_dual_clip_bounds_only_bad_tokens():
    inputs = {
        "log_probs": torch.tensor([[2.0, 2.0, 0.1]]),
        "old_log_probs": torch.zeros(1, 3),
        "advantages": torch.tensor([[-1.0, 1.0, -1.0]]),
        "mask": torch.ones(1, 3, dtype=torch.int64),
    }
    value, gradient, _ = loss_and_gradient(
        "ppo_clip", inputs, options={"dual_clip": 3.0}, aggregation="seq-mean-token-sum"
    )
    assert value.item() == pytest.approx(3.0 - 1.2 + math.exp(0.1), rel=1e-6)
    assert gradient[0].tolist() == pytest.approx([0.0, 0.0, math.exp(0.1)], rel=1e-6)


DIFFERENTIABLE = sorted(set(LOSSES) - {"gspo", "cispo"})  # these two stop the gradient of a factor


@pytest.mark.parametrize("name", DIFFERENTIABLE)
def test_gradient_by_finite_differences(name):
    """Selections and weights are held: they are no part of the derivative."""
    inputs = {
        key: tensor[:, 15:25].double() if key != "mask" else tensor[:, 15:25]
        for key, tensor in published_input().items()
    }
    options = {"kl_cov": {"kl_cov_ratio": 0.2}, "clip_cov": {"clip_cov_ratio": 0.3, "cov_low": 0.2}}.get(name)
    statistics = mini_batch_statistics(name, **inputs, options=options, generator=seeded())

    def loss(log_probs):
        return policy_loss(name, **(inputs | {"log_probs": log_probs}), options=options, statistics=statistics)[0]

    assert torch.autograd.gradcheck(loss, inputs["log_probs"].clone().requires_grad_())


def test_unknown_names_are_refused():
    for change in ({"name": "ppo"}, {"options": {"clip": 1}}, {"aggregation": "mean"}):
        with pytest.raises(ValueError, match="allowed"):
            policy_loss(**({"name": "kl_cov"} | published_input() | change))
