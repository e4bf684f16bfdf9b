"""The METRICS row of a step, from its rollouts and its updates."""

from typing import Any

import numpy as np

from workflow_scripts.rewards import RewardResult
from workflow_scripts.rl.batch import Rollouts
from workflow_scripts.rl.measures import (
    covariance_profile,
    group_covariance,
    repetition,
    response_entropy,
    token_entropy,
)
from workflow_scripts.rl.mismatch import mismatch_figures
from workflow_scripts.rl.update import UpdateReport, summed

MONITORED = ("truth", "rule", "rule_failed")


def rule_failures(results: list[RewardResult]) -> dict[str, np.ndarray]:
    """`rule_failed` (B,) bool: the responses on which any rule among the rewards failed; nothing without a rule."""
    failed = [result.failed for result in results if result.failed is not None]
    return {"rule_failed": np.any(failed, axis=0)} if failed else {}


def rollout_figures(everything: Rollouts, kept: Rollouts, monitored: dict[str, np.ndarray]) -> dict[str, Any]:
    """Columns on what was sampled: `everything` with raw rewards, and the `kept` rollouts, on which is trained."""
    mask = everything.mask
    groups, groups_kept = len(everything.groups.unique()), len(kept.groups.unique())
    return {
        "reward": float(everything.rewards.mean()),
        "verdict": float(everything.verdicts.double().mean()),
        **{name: float(monitored[name].mean()) if name in monitored else None for name in MONITORED},
        "entropy": response_entropy(kept.entropy, kept.mask),
        "entropy_all": response_entropy(everything.entropy, mask),
        "entropy_token": token_entropy(everything.entropy, mask),
        "length": float(mask.sum(dim=-1).double().mean()),
        "truncated": float(everything.truncated.double().mean()),
        "repetition": repetition(everything.tokens, everything.mask, everything.prompts),
        "groups": groups,
        "groups_kept": groups_kept,
        "kl_ref": _kl_to_reference(kept),
        "group_cov": _group_covariance(kept, groups),
        **mismatch_figures(everything.old_log_probs, everything.engine_log_probs, mask),
        **covariance_profile(kept.old_log_probs, kept.advantages, kept.mask),
    }


def update_figures(reports: list[UpdateReport], lr: float) -> dict[str, Any]:
    """Columns on the updates of one step; zeros, `lr` and `skipped` where there was none."""
    done = [report for report in reports if not report.skipped]
    stats = summed([report.stats for report in done])
    tokens, count = max(stats.get("tokens", 0.0), 1.0), max(len(done), 1)
    return {
        "loss": sum(report.loss for report in done) / count,
        "grad_norm": sum(report.grad_norm for report in done) / count,
        "lr": reports[-1].lr if reports else lr,
        "kl": stats.get("kl_sum", 0.0) / tokens,
        "clip_fraction": stats.get("clipped", 0.0) / tokens,
        "selected": int(stats.get("selected", 0)),
        "selected_positive": int(stats.get("selected_positive", 0)),
        "not_finite": len(reports) - len(done),
        "skipped": len(done) < len(reports) or not reports,
    }


def _kl_to_reference(kept: Rollouts) -> float | None:
    if kept.ref_log_probs is None or not len(kept):
        return None
    return float((kept.old_log_probs - kept.ref_log_probs)[kept.mask].double().mean())


def _group_covariance(kept: Rollouts, groups: int) -> float:
    """Mean over all groups sampled; one that was dropped has no advantage and so no covariance."""
    if not len(kept):
        return 0.0
    found = group_covariance(kept.old_log_probs, kept.advantages, kept.mask, kept.groups)
    return float(found.sum()) / groups
