"""What each of the later losses is for: GSPO, CISPO, covariance weights (CW-GRPO) and the 80/20 entropy mask."""

import math

import pytest
import torch
from losses_by_loop import AGGREGATIONS, loss_and_gradient, published_input, random_input

from workflow_scripts.rl.losses import LOSSES, loss_aggregations, mini_batch_statistics, policy_loss
from workflow_scripts.rl.losses.statistics import token_covariance


def tokens(log_probs, advantages, old=None, entropy=None):
    """One row of tokens."""
    row = [log_probs, log_probs if old is None else old, advantages, [1] * len(log_probs), entropy or log_probs]
    names = ("log_probs", "old_log_probs", "advantages", "mask", "entropy")
    return {name: torch.tensor([values], dtype=torch.float64) for name, values in zip(names, row, strict=True)}


def test_gspo_is_defined_with_one_aggregation_only():
    """Its loss belongs to a sequence. The others take all; the default of `policy_loss` is none for GSPO."""
    for aggregation in ("token-mean", "seq-mean-token-sum"):
        with pytest.raises(ValueError, match="gspo.*allowed: seq-mean-token-mean"):
            policy_loss("gspo", **published_input(), aggregation=aggregation)
    with pytest.raises(ValueError, match="gspo"):
        policy_loss("gspo", **published_input())
    assert {name for name in LOSSES if loss_aggregations(name) != AGGREGATIONS} == {"gspo"}


def test_gspo_has_the_gradient_of_the_sequence_ratio():
    """The token form's slope, averaged over the row, is that of s = exp(mean log-ratio) itself, inside the clip."""
    inputs = random_input(3)
    inputs["advantages"] = inputs["advantages"][:, :1].expand(6, 11)
    options = {"clip_low": 1.0, "clip_high": 1e3}
    value, gradient, _ = loss_and_gradient("gspo", inputs, options=options, aggregation="seq-mean-token-mean")
    log_probs, mask = inputs["log_probs"].clone().requires_grad_(), inputs["mask"]
    ratio = (((log_probs - inputs["old_log_probs"]) * mask).sum(-1) / mask.sum(-1).clamp(min=1)).exp()
    rows = mask.any(dim=-1)
    direct = -(inputs["advantages"][:, 0] * ratio)[rows].mean()
    direct.backward()
    assert value.item() == pytest.approx(direct.item(), rel=1e-12)
    torch.testing.assert_close(gradient, log_probs.grad, rtol=1e-12, atol=1e-15)


def test_gspo_clips_a_response_as_one_and_bounds_its_ratio():
    """Tokens far off in both directions cancel; a mean log-ratio above 10 counts as 10 and has no gradient."""
    balanced = tokens([0.0, -4.0], [1.0, 1.0], old=[-2.0, -2.0])
    value, gradient, stats = loss_and_gradient("gspo", balanced, aggregation="seq-mean-token-mean")
    assert value.item() == -1 and gradient[0].tolist() == [-0.5, -0.5] and stats["clipped"] == 0
    rising = tokens([0.0, 0.0], [-1.0, -1.0], old=[-30.0, -10.0])
    value, gradient, _ = loss_and_gradient("gspo", rising, aggregation="seq-mean-token-mean")
    assert value.item() == pytest.approx(math.exp(10)) and gradient.abs().sum() == 0
    stats = loss_and_gradient(
        "gspo", tokens([0.0, 0.0], [1.0, 1.0], old=[-0.1, 0.0]), aggregation="seq-mean-token-mean"
    )[2]
    assert stats["clipped"] == 2


def test_cispo_keeps_the_gradient_of_clipped_tokens():
    """PPO drops a good token whose ratio is above the clip, CISPO goes on with weight 1.2; below there is no bound."""
    inputs = tokens([-0.5, -3.0], [1.0, 1.0], old=[-1.5, -1.0])
    _, gradient, stats = loss_and_gradient("cispo", inputs, aggregation="seq-mean-token-sum")
    assert gradient[0].tolist() == pytest.approx([-1.2, -math.exp(-2)], rel=1e-12) and stats["clipped"] == 1
    _, gradient, _ = loss_and_gradient("ppo_clip", inputs, aggregation="seq-mean-token-sum")
    assert gradient[0].tolist() == pytest.approx([0.0, -math.exp(-2)], rel=1e-12)
    _, gradient, stats = loss_and_gradient("cispo", inputs, options={"clip_low": 0.2}, aggregation="seq-mean-token-sum")
    assert gradient[0].tolist() == pytest.approx([-1.2, -0.8], rel=1e-12) and stats["clipped"] == 2
    _, gradient, _ = loss_and_gradient("cispo", tokens([-35.0], [1.0], old=[-1.0]))
    assert gradient.item() == pytest.approx(-math.exp(-20), rel=1e-12)  # the clamp of the log-ratio


def test_covariance_weights_have_mean_one_and_tame_extremes_of_both_signs():
    inputs = random_input(1, shape=(8, 40))
    mask = inputs["mask"] > 0
    weights = mini_batch_statistics("cw_grpo", **inputs).weights
    covariance = token_covariance(inputs["log_probs"], torch.where(mask, inputs["advantages"], 0.0), mask)
    assert weights[mask].mean().item() == pytest.approx(1, rel=1e-12) and weights[~mask].abs().max() == 0
    order = covariance[mask].abs().argsort()
    assert (weights[mask][order].diff() <= 0).all()  # the larger |c|, the smaller the weight
    assert weights[mask][covariance[mask].argmin()] < 0.5 and weights[mask][covariance[mask].argmax()] < 0.5


def test_covariance_weights_multiply_the_clipped_loss_and_have_no_gradient():
    inputs = random_input(1)
    weights = mini_batch_statistics("cw_grpo", **inputs).weights
    _, weighted, _ = loss_and_gradient("cw_grpo", inputs)
    _, plain, _ = loss_and_gradient("ppo_clip", inputs)
    torch.testing.assert_close(weighted, weights * plain, rtol=1e-12, atol=1e-15)


def test_covariance_weights_are_one_where_covariances_do_not_differ():
    """Equal advantages (c = 0), two tokens (equal c), one token; and c that differ by far less than their size."""
    for inputs in (tokens([-1.0, -2.0, -4.0], [0.5] * 3), tokens([-1.0, -4.0], [1.0, -1.0]), tokens([-1.0], [2.0])):
        expected = torch.ones_like(inputs["log_probs"])
        torch.testing.assert_close(mini_batch_statistics("cw_grpo", **inputs).weights, expected)
    # every c here is 4 +- 1e-6: exp(-c^2 / (2 sigma^2)) itself is 0, and the plain quotient 0 / 0
    near = tokens([-1.0, -5.0, -1.0, -5.000001], [1.0, -1.0, 1.0, -1.0])
    weights = mini_batch_statistics("cw_grpo", **near).weights
    assert torch.isfinite(weights).all() and weights.mean().item() == pytest.approx(1)


def test_entropy_mask_keeps_the_top_share_and_every_tie():
    """1 + floor(share * (n - 1)) tokens, the count above the linear quantile; a tie with the last one stays in."""
    for count, share, kept in ((10, 0.2, 2), (11, 0.2, 3), (1, 0.2, 1), (5, 0.2, 1), (10, 1.0, 10), (10, 0.0, 1)):
        inputs = tokens([-1.0] * count, [1.0] * count, entropy=[0.1 * (i * 7 % count) for i in range(count)])
        chosen = mini_batch_statistics("entropy_mask", **inputs, options={"entropy_share": share}).selected
        assert chosen.sum() == kept
        threshold = torch.quantile(inputs["entropy"], 1 - share)
        assert torch.equal(chosen, inputs["entropy"] >= threshold - 1e-12)
    tied = tokens([-1.0] * 5, [1.0] * 5, entropy=[0.3, 0.9, 0.9, 0.2, 0.9])
    assert mini_batch_statistics("entropy_mask", **tied).selected[0].tolist() == [False, True, True, False, True]


def test_entropy_mask_drops_gradients_and_keeps_the_denominator():
    """The kept tokens have exactly their PPO gradient: dropped ones still count in the mean."""
    inputs = published_input()
    value, gradient, stats = loss_and_gradient("entropy_mask", inputs)
    kept = mini_batch_statistics("entropy_mask", **inputs).selected
    _, plain, _ = loss_and_gradient("ppo_clip", inputs, options={"clip_high": 0.28})
    assert torch.equal(gradient, plain * kept) and plain[~kept].abs().max() > 0
    assert stats["selected"] == kept.sum() == 40  # 1 + floor(0.2 * 197)
    assert stats["selected_positive"] == (kept & (inputs["advantages"] > 0)).sum()


def test_entropy_mask_needs_the_entropy_and_gives_it_no_gradient():
    inputs = published_input()
    for function in (policy_loss, mini_batch_statistics):
        with pytest.raises(ValueError, match="needs the entropy"):
            function("entropy_mask", **(inputs | {"entropy": None}))
    entropy = inputs["entropy"].requires_grad_()
    loss_and_gradient("entropy_mask", inputs)
    assert entropy.grad is None
