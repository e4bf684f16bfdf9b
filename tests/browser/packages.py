"""Chromium: the one of this machine, or Debian's, installed where that is allowed. Playwright's own is not fetched."""

import os
import shutil
import subprocess

NAMES = ("chromium", "chromium-browser", "google-chrome")
PACKAGE = "chromium"


class Unavailable(Exception):
    """No browser can be had on this machine; the message says in one line why."""


def chromium() -> str:
    """Path of a Chromium; installs the package as root where apt-get is present. Raises Unavailable."""
    if not found():
        install()
    return found()


def found() -> str:
    return next(filter(None, map(shutil.which, NAMES)), "")


def install() -> None:
    if os.geteuid() != 0 or not shutil.which("apt-get"):
        raise Unavailable(f"no {NAMES[0]} on this machine: needs the package {PACKAGE}")
    for arguments in (["update"], ["install", "--yes", "--no-install-recommends", PACKAGE]):
        environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        done = subprocess.run(["apt-get", "-qq", *arguments], env=environment, text=True, capture_output=True)
        if done.returncode:
            raise Unavailable(f"apt-get {arguments[0]} failed: {(done.stderr.strip().splitlines() or ['?'])[-1]}")
    if not found():
        raise Unavailable(f"{PACKAGE} is installed, but there is no {' or '.join(NAMES)}")
