"""How many independent points a series is worth: neighbouring steps of a training run resemble one another.

Standard errors that take n points as independent are too small by about sqrt(n / n_effective). Newey and West's
correction was tried and covers less (tests/benchmarks/interval_coverage.py prints both), since n is small here and
the residuals' memory long.
"""

import numpy as np

_LARGEST = 0.98  # of the lag-1 autocorrelation; beyond it no point would be left


def autocorrelations(x: np.ndarray) -> np.ndarray:
    """Of a series (N,), about its mean, at lags 0 to N - 1; zeros but for lag 0 where the series does not vary."""
    centred = np.asarray(x, dtype=np.float64) - np.mean(x)
    power = float(centred @ centred)
    if power <= 1e-24:
        return np.concatenate([[1.0], np.zeros(len(centred) - 1)])
    return np.correlate(centred, centred, mode="full")[len(centred) - 1 :] / power


def first_autocorrelation(residual: np.ndarray, coefficients: int = 2) -> float:
    """Lag-1 autocorrelation of the residuals of a fit, without most of the bias that the fit gives it.

    Residuals of k fitted coefficients look less correlated than the errors by about (k + 2k r) / n (Kendall 1954
    for a mean); below 0 counts as 0, so that no interval becomes narrower than that of independent errors.
    """
    n, raw = len(residual), float(autocorrelations(residual)[1])
    return float(np.clip(raw + coefficients * (1 + 2 * max(raw, 0.0)) / n, 0.0, _LARGEST)) if raw > 0 else 0.0


def effective_points(residual: np.ndarray, coefficients: int = 2) -> float:
    """Independent points among N residuals of a fit, in [coefficients + 1, N].

    n over the larger of two inflation factors: (1 + r) / (1 - r) of a first-order autoregression, and 1 + 2 times the
    sum of the autocorrelations up to the first negative one, which sees a slow drift below white noise.
    """
    n, first = len(residual), first_autocorrelation(residual, coefficients)
    lags = autocorrelations(residual)[1 : max(n // 2, 2)]
    bias = coefficients * (1 + 2 * max(float(lags[0]), 0.0)) / n
    summed = 1 + 2 * float((until_negative(lags) + bias).sum())
    return float(np.clip(n / max((1 + first) / (1 - first), summed), coefficients + 1, n))


def effective_pairs(x: np.ndarray, y: np.ndarray) -> float:
    """Independent pairs behind the correlation of two series (N,): N / (1 + 2 sum_k r_x(k) r_y(k)) (Bartlett)."""
    products = (autocorrelations(x) * autocorrelations(y))[1:]
    return float(min(len(x) / (1 + 2 * until_negative(products).sum()), len(x)))


def until_negative(values: np.ndarray) -> np.ndarray:
    """The values before the first negative one."""
    negative = np.flatnonzero(values < 0)
    return values[: negative[0]] if len(negative) else values
