"""Estimates of the KL divergence to the reference, per token (Schulman 2020, "Approximating KL Divergence").

With x = log p - log p_ref of a token sampled from p:

- k1 = x has the divergence as its mean, but no sign and a large variance;
- k2 = x^2 / 2 is biased in value, little where p is close to p_ref;
- k3 = exp(-x) - 1 + x has the divergence as its mean and is never negative.

As a term of the loss it is the gradient that counts, and it takes the samples as given (Tang and Munos 2025, arXiv
2506.09477). Its mean over tokens sampled from p is

- for k1 zero: as a loss k1 is noise;
- for k2 the gradient of KL(p || p_ref), exactly;
- for k3 the gradient of KL(p_ref || p), the other direction; the two agree to first order in x.
"""

ESTIMATORS = {
    "k1": lambda x: x,
    "k2": lambda x: x**2 / 2,
    "k3": lambda x: (-x).expm1() + x,
}


def kl_estimate(log_probs, ref_log_probs, estimator="k3"):
    """Estimated KL(policy || reference) (any shape, nats) from log-probabilities of tokens that the policy sampled.

    Neither the log-ratio nor the estimate is clamped, so value and gradient are those of the formula. Raises
    ValueError on an unknown estimator.
    """
    if estimator not in ESTIMATORS:
        raise ValueError(f"unknown KL estimator {estimator!r}, allowed: {', '.join(ESTIMATORS)}")
    return ESTIMATORS[estimator](log_probs - ref_log_probs)
