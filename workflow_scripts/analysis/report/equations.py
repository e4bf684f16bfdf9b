"""The equation of what a study varies: policy loss, advantage or reward, with the values of the named settings."""

from workflow_scripts.analysis.arms import Arm
from workflow_scripts.analysis.report.blocks import Equations
from workflow_scripts.analysis.report.mathml import mathml
from workflow_scripts.analysis.report.style import pretty

_CLIPPED = r"\clip(r_t, 1-\epsilon_l, 1+\epsilon_h)"
_COVARIANCE = r"(\log p_t - \mean \log p)(A_t - \mean A)"
LOSSES = {
    "reinforce": (r"L = -A \log p_t", "Williams 1992"),
    "ppo_clip": (rf"L = \max(-A r_t,\; -A\, {_CLIPPED}),\; r_t = \frac{{p_t}}{{p_t^o}}", "Schulman et al. 2017, Eq. 7"),
    "clip_cov": (
        rf"L = 0\; \text{{for}}\; \lfloor \rho N \rfloor\; \; t\; \text{{with}}\; w_l < {_COVARIANCE} < w_h",
        "2505.22617, Eqs. 10 to 12; all other tokens: the clipped surrogate",
    ),
    "kl_cov": (
        rf"L = -A r_t + \beta |\log r_t|\; \text{{for the}}\; k N\; t\; \text{{of largest}}\; {_COVARIANCE}",
        "2505.22617, Eqs. 10, 13 and 14; all other tokens: −A r",
    ),
    "gspo": (
        r"L = \max(-A s,\; -A\, \clip(s, 1-\epsilon_l, 1+\epsilon_h)),\; s = \exp \frac{1}{T} \sum_t \log r_t",
        "2507.18071",
    ),
    "cispo": (rf"L = -{_CLIPPED} A \log p_t", "2506.13585; the clipped ratio is a weight without gradient"),
    "cw_grpo": (
        rf"L = \max(-w A r_t,\; -w A\, {_CLIPPED}),\; w \sim \exp(-\frac{{c_t^2}}{{2 \sigma^2}})",
        "2605.11538; c is the covariance of the token, w is scaled to mean 1",
    ),
    "entropy_mask": (
        rf"L = \max(-A r_t,\; -A\, {_CLIPPED})\; \text{{where}}\; H_t \ge \tau,\; \text{{else}}\; 0",
        "2506.01939; τ leaves the tokens of highest entropy",
    ),
}
ADVANTAGES = {
    "reinforce": (r"A_i = R_i", "Williams 1992"),
    "reinforce_plus_plus": (r"A_i = R_i,\; \text{whitened over the batch}", "2501.03262"),
    "reinforce_plus_plus_baseline": (r"A_i = R_i - \mean R,\; \text{whitened over the batch}", "2501.03262"),
    "rloo": (r"A_i = R_i - \frac{1}{n-1} \sum_{j \ne i} R_j", "2402.14740"),
    "grpo": (r"A_i = \frac{R_i - \mean R}{\std R + \epsilon}", "2402.03300"),
    "dr_grpo": (r"A_i = R_i - \mean R", "2503.20783"),
    "qae": (r"A_i = \frac{R_i - b}{\std R + \epsilon},\; b\; \text{a quantile of}\; R", "2509.22611"),
}
_YES, _NO = r"P(\text{YES})", r"P(\text{NO})"
_SHARE = rf"\frac{{{_YES}}}{{{_YES} + {_NO}}}"
_BINARY = (rf"R = 1\; \text{{where}}\; {_SHARE} \ge \theta,\; \text{{else}}\; 0", "the verdict")
_SOFT = (rf"R = {_SHARE}", "the normalised probability")
_EQ4 = (rf"R = {_YES}\; \text{{on YES}},\; 1 - {_NO}\; \text{{on NO}},\; \text{{else}}\; 0", "2503.23829, Eq. 4")
_RULE = (r"R = 1\; \text{where the rule accepts}\; y\; \text{for}\; y^*,\; \text{else}\; 0", "the rule's verdict")
_JACCARD = (r"R = \frac{|y \cap y^*|}{|y \cup y^*|}", "Jaccard similarity of the words; 2503.23829, section 4.2")
_TRUTH = (r"R = 1\; \text{where}\; y\; \text{is truly right},\; \text{else}\; 0", "known to the generator alone")


def equations(arms: list[Arm], settings: dict) -> Equations | None:
    """The formulas of the losses, advantages and rewards among which the arms differ; of the loss where of none."""
    differing = [name for name in ("entropy", "reward", "algorithm") if len({getattr(arm, name) for arm in arms}) > 1]
    makers = {"entropy": _loss, "reward": _reward, "algorithm": _advantage}
    found: dict[tuple[str, str], list[str]] = {}
    for kind in differing or ["entropy"]:
        for name in dict.fromkeys(getattr(arm, kind) for arm in arms):
            formula = makers[kind](name, settings)
            if formula:
                found.setdefault(formula, []).append(pretty(name))
    caption = (
        "p is the policy's probability of a token, pᵒ that before the update, A the advantage, R the reward, y the "
        "answer and y* the reference; the settings below hold the values of the constants."
    )
    formulas = [(", ".join(names), mathml(tex), note) for (tex, note), names in found.items()]
    return Equations("What varies", caption, formulas) if formulas else None


def _loss(name: str, settings: dict) -> tuple[str, str] | None:
    return LOSSES.get(settings.get("entropy", {}).get(name, {}).get("loss"))


def _advantage(name: str, settings: dict) -> tuple[str, str] | None:
    return ADVANTAGES.get(settings.get("algorithms", {}).get(name, {}).get("advantage", {}).get("name"))


def _reward(name: str, settings: dict) -> tuple[str, str] | None:
    reward = settings.get("rewards", {}).get(name, {})
    if reward.get("kind") in ("judge", "teacher"):
        return (_EQ4 if reward.get("form") == "eq4" else _SOFT) if reward.get("soft") else _BINARY
    if reward.get("kind") == "rule":
        return _JACCARD if reward.get("soft") else _RULE
    return _TRUTH if reward.get("kind") == "truth" else None
