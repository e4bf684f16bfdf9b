"""Shares of the tokens with the greatest covariance whose means are measured (2505.22617, Table 1)."""

COVARIANCE_SHARES = {  # column of METRICS -> share
    "cov_top_002": 0.0002,
    "cov_top_02": 0.002,
    "cov_top_2": 0.02,
    "cov_top_20": 0.2,
    "cov_top_50": 0.5,
    "cov_all": 1.0,
}
