"""The pool of killable workers: whatever a check does, each task gets a verdict in time, and no process stays."""

import os
import signal
import subprocess
import sys
import threading
import time

import numpy as np
import psutil
import pytest
import torch  # noqa: F401  what no worker may inherit

from tests.project import ROOT
from tests.unit.rewards.checks import check
from workflow_scripts.artifacts import StageError
from workflow_scripts.rewards.verdict import Verdict, failure_warning
from workflow_scripts.rewards.verifier_pool import VerifierPool


@pytest.fixture
def pool():
    with VerifierPool(check, workers=2, deadline=0.5) as made:
        yield made


def processes() -> list[psutil.Process]:
    """Workers of this process: what the fork server has forked."""
    return [p for p in psutil.Process().children(recursive=True) if "forkserver" in " ".join(p.cmdline())]


def test_verdicts_come_in_the_order_of_the_tasks(pool):
    names = ["equal", "different", "unparsable"] * 20
    assert pool.verify([(name,) for name in names]) == [Verdict(name) for name in names]
    assert pool.verify([]) == []
    assert pool.started <= 2


def test_a_hang_in_c_costs_its_deadline_and_its_worker_alone(pool):
    pool.verify([("equal",)] * 2)  # both have started
    begin = time.perf_counter()
    verdicts = pool.verify([("hang",), ("equal",), ("hang",), ("different",)])
    assert verdicts == [Verdict.TIMEOUT, Verdict.EQUAL, Verdict.TIMEOUT, Verdict.DIFFERENT]
    assert time.perf_counter() - begin < 4
    assert pool.verify([("equal",)] * 5) == [Verdict.EQUAL] * 5


def test_a_worker_that_dies_fails_or_eats_memory_is_an_error_and_is_replaced(pool):
    for command in ("die", "raise", "nonsense", "hog"):
        assert pool.verify([(command,), ("equal",)]) == [Verdict.ERROR, Verdict.EQUAL], command
    assert pool.verify([("equal",)] * 4) == [Verdict.EQUAL] * 4


def test_a_signal_to_the_whole_job_costs_no_verdict(pool):
    """SLURM sends SIGTERM to every process of a job: the fork server, idle workers, and one in the middle of a pair."""
    pool.verify([("equal",)] * 2)
    results = pool.as_completed([("sleep", "0.3"), ("equal",)])
    assert next(results) == (1, Verdict.EQUAL)
    for process in processes():
        process.terminate()
    assert list(results) == [(0, Verdict.EQUAL)]
    assert pool.verify([("equal",)] * 4) == [Verdict.EQUAL] * 4


def test_results_come_as_they_are_ready_and_the_rest_can_be_left(pool):
    pool.verify([("equal",)] * 2)
    results = pool.as_completed([("sleep", "0.4"), ("equal",), ("different",)])
    assert next(results) == (1, Verdict.EQUAL)
    results.close()
    assert pool.verify([("equal",)] * 3) == [Verdict.EQUAL] * 3


def test_many_threads_share_the_workers_and_get_their_own_verdicts(pool):
    tasks = [("equal",), ("different",), ("hang",), ("unparsable",)]
    found = {}
    threads = [
        threading.Thread(target=lambda n=n: found.update({n: pool.verify(tasks[n % 4 :] + tasks[: n % 4])}))
        for n in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    expected = [Verdict.EQUAL, Verdict.DIFFERENT, Verdict.TIMEOUT, Verdict.UNPARSABLE]
    assert found == {n: expected[n % 4 :] + expected[: n % 4] for n in range(4)}


def test_workers_inherit_nothing_of_this_process_and_are_renewed():
    with VerifierPool(check, workers=1, lifetime=2) as pool:
        assert pool.verify([("cuda",)]) == [Verdict.EQUAL]
        fresh_then_old = [Verdict.EQUAL, Verdict.DIFFERENT]
        pool.verify([("equal",)])
        assert pool.verify([("remember",)] * 4) == fresh_then_old * 2


def test_closing_leaves_no_process_and_no_zombie():
    before = set(processes())
    pool = VerifierPool(check, workers=2, deadline=0.3)
    pool.verify([("equal",), ("hang",), ("die",)])
    pool.verify([("equal",)])
    assert set(processes()) - before
    pool.close()
    time.sleep(0.2)
    left = [p for p in set(processes()) - before if not is_fork_server(p)]
    assert left == [] and not [p for p in processes() if p.status() == psutil.STATUS_ZOMBIE]
    with pytest.raises(RuntimeError, match="closed"):
        pool.verify([("equal",)])


def is_fork_server(process: psutil.Process) -> bool:
    return process.ppid() == os.getpid()


ORPHANS = """
import threading, time
from tests.unit.rewards.checks import check
from workflow_scripts.rewards.verifier_pool import VerifierPool
if __name__ == "__main__":
    pool = VerifierPool(check, workers=2, deadline=1.0)
    pool.verify([("equal",)] * 2)
    threading.Thread(target=pool.verify, args=([("hang",)],), daemon=True).start()
    time.sleep(0.3)
    print("ready", flush=True)
    time.sleep(60)
"""


def test_a_killed_parent_leaves_no_worker_behind_not_even_a_hanging_one(tmp_path):
    script = tmp_path / "orphans.py"
    script.write_text(ORPHANS)
    parent = subprocess.Popen(
        [sys.executable, str(script)], stdout=subprocess.PIPE, env={**os.environ, "PYTHONPATH": str(ROOT)}
    )
    assert parent.stdout.readline() == b"ready\n"
    workers = psutil.Process(parent.pid).children(recursive=True)
    assert len(workers) >= 3
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    _, alive = psutil.wait_procs(workers, timeout=90)
    assert alive == []


def test_few_failures_warn_many_stop_and_one_never_does():
    failed = np.zeros(200, dtype=bool)
    assert failure_warning(failed, "step 3") is None
    failed[:2] = True
    assert failure_warning(failed, "step 3") == "step 3: the rule timed out or failed on 2 of 200 answers (1.0%)"
    failed[:10] = True
    with pytest.raises(StageError, match=r"step 3: .* 10 of 200 answers \(5.0%\); the limit is 5%"):
        failure_warning(failed, "step 3")
    assert failure_warning(np.array([True, False]), "step 3") is not None
    assert failure_warning(np.zeros(0, dtype=bool), "step 3") is None


@pytest.mark.parametrize("from_stdin", [True, False])
def test_a_script_without_a_guard_is_not_run_again_by_the_workers(tmp_path, from_stdin):
    """Grading works from stdin and from a plain script: workers know nothing of the caller's module."""
    code = "from workflow_scripts.rewards.rule import grade\nprint(grade('x^2+2x+1', '(x+1)^2').value)\n"
    script = tmp_path / "script.py"
    script.write_text(code)
    command = [sys.executable, "-"] if from_stdin else [sys.executable, str(script)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    stdin = code if from_stdin else None
    done = subprocess.run(command, input=stdin, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "equal\n"), done.stderr
