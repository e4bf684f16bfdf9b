"""Train a policy by RL from the base policy, under one reward and one entropy setting: an arm of a study."""

from workflow_scripts.artifacts import Stage, run_stage
from workflow_scripts.devices import fix_threads
from workflow_scripts.evaluation.passed import require_passed_gate


def build(stage: Stage) -> None:
    """Reads policy, data and, by the kind of reward, judge and audit or teacher.

    Writes model/, metrics.parquet (a row per step), validation.parquet, samples.parquet (rollouts of three steps) and
    events/ for TensorBoard.
    """
    from workflow_scripts.artifacts.schemas import METRICS, ROLLOUTS, VALIDATION
    from workflow_scripts.rl.inputs import make_trainer

    fix_threads()
    trainer, tokenizer = make_trainer(stage, lambda steps: {1, (steps + 1) // 2, steps})
    history = trainer.train()
    trainer.backend.save(stage.out / "model", tokenizer)
    stage.write("metrics.parquet", history.metrics, METRICS)
    stage.write("validation.parquet", history.validation, VALIDATION)
    stage.write("samples.parquet", history.rollouts, ROLLOUTS)
    stage.account(
        steps=len(history.metrics),
        responses=trainer.responses,
        steps_skipped=sum(row["skipped"] for row in history.metrics),
    )


def main(argv: list[str] | None = None) -> int:
    return run_stage("train_policy", build, argv, guards={"audit": require_passed_gate})


if __name__ == "__main__":
    raise SystemExit(main())
