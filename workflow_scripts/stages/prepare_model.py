"""Make a model directory: train a tiny model from scratch, fine-tune another one, or take one from hub or file.

Under several ranks a fine-tuning is shared; of the others the first rank does the work.
"""

from workflow_scripts.artifacts import Stage, StageError, run_stage
from workflow_scripts.models import MODEL_SOURCES
from workflow_scripts.ranks import Ranks


def build(stage: Stage) -> None:
    """Write model/ (and training.parquet if it was trained here)."""
    from importlib import import_module

    source = stage.config["source"]
    module = MODEL_SOURCES.get(source["kind"])
    if module is None:
        raise StageError(f"model source {source['kind']!r} is unknown (known: {', '.join(MODEL_SOURCES)})")
    if source["kind"] != "finetuned":
        if not stage.ranks.first:
            return
        stage.ranks = Ranks()  # alone: nobody answers it until the model is there
    try:
        import_module(module).prepare(stage, source, stage.config["seed"])
    except ValueError as error:
        raise StageError(f"model {stage.config['model']}: {error}") from error


def main(argv: list[str] | None = None) -> int:
    """Run the stage from the command line."""
    return run_stage("prepare_model", build, argv)


if __name__ == "__main__":
    raise SystemExit(main())
