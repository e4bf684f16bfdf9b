"""Download a pinned revision of a model from the hub, on the machine where Snakemake runs."""

from workflow_scripts.artifacts import run_stage
from workflow_scripts.hub import fetch


def main(argv: list[str] | None = None) -> int:
    """Run the stage from the command line."""
    return run_stage("fetch_model", fetch, argv, online=True)


if __name__ == "__main__":
    raise SystemExit(main())
