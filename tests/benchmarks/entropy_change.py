"""Does the covariance of Eq. 9 predict the change of entropy? `python tests/benchmarks/entropy_change.py ARM...`

ARM is the folder of a finished policy that was trained with one on-policy update per rollout. Its metrics hold, per
step, H after - H before the update on the same responses, and the mean covariance of all groups (a dropped one is 0).
What is computed, and how, is that of the report: workflow_scripts/analysis/covariance.py.
"""

import sys
from pathlib import Path

import pyarrow.parquet as pq

from workflow_scripts.analysis.autocorrelation import autocorrelations
from workflow_scripts.analysis.covariance import CHANGES, changed, correlate, fall_and_covariance
from workflow_scripts.analysis.curves import validation_curve


def main(folders: list[str]) -> None:
    for folder in map(Path, folders):
        metrics = pq.read_table(folder / "metrics.parquet").to_pydict()
        curve = validation_curve(pq.read_table(folder / "validation.parquet"))
        print(folder.name)
        for measured_on, pair in fall_and_covariance(metrics, curve).items():
            for series in CHANGES:
                fall, covariance = (changed(values, series) for values in pair)
                one = correlate(fall, covariance)
                print(
                    f"  {measured_on:<15}{series:<18} Spearman {one.value:+.3f} [{one.low:+.3f}, {one.high:+.3f}]"
                    f"  n {one.n}, independent {one.n_effective:.0f},"
                    f" lag-1 autocorrelation {autocorrelations(fall)[1]:+.2f} {autocorrelations(covariance)[1]:+.2f}"
                )


if __name__ == "__main__":
    main(sys.argv[1:])
