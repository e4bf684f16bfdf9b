"""The arm that tests kill, shared, and one line for the invalidation matrix at the end of a test run."""

import pytest

from tests.e2e.arm import Arm

NAMES = ("rows", "right")


@pytest.fixture(scope="session")
def arm(tmp_path_factory) -> Arm:
    """Six steps of two updates, a checkpoint after every second step; its inputs cost more than its trainings."""
    return Arm.micro(tmp_path_factory.mktemp("arm") / "project", steps=6, checkpoint_every=2)


def pytest_terminal_summary(terminalreporter):
    reports = [report for found in terminalreporter.stats.values() for report in found]
    called = [report for report in reports if getattr(report, "when", None) == "call"]
    counts = {name: sum(n for report in called for key, n in report.user_properties if key == name) for name in NAMES}
    if counts["rows"]:
        terminalreporter.write_line("invalidation matrix: " + ", ".join(f"{name}: {n}" for name, n in counts.items()))
