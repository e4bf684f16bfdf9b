"""What SLURM does to a job costs nothing; `python -m tests.benchmarks.faults --slurm` has it all, again and again."""

import random

from tests.benchmarks.faults.cluster import ClusterBench, cancel


def test_a_cancelled_trainer_saves_its_step_and_a_retry_ends_with_the_same_bytes(cluster, tmp_path):
    outcome = cancel(ClusterBench(tmp_path, cluster), random.Random(0))
    assert outcome.identical and outcome.twice == 0, outcome
