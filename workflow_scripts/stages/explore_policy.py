"""Explore: RL from the base policy under the teacher's hard verdict, every rollout kept (2503.23829, stage 1)."""

from workflow_scripts.artifacts import Stage, run_stage
from workflow_scripts.devices import fix_threads


def build(stage: Stage) -> None:
    """Reads policy, teacher and data.

    Writes rollouts.parquet (every response of every step), metrics.parquet and events/ for TensorBoard.
    """
    from workflow_scripts.artifacts.schemas import METRICS, ROLLOUTS
    from workflow_scripts.rl.inputs import make_trainer

    fix_threads()
    trainer, _ = make_trainer(stage, lambda steps: range(1, steps + 1))
    history = trainer.train()
    stage.write("metrics.parquet", history.metrics, METRICS)
    stage.write("rollouts.parquet", history.rollouts, ROLLOUTS)
    stage.account(responses=trainer.responses, rollouts=len(history.rollouts["step"]))


def main(argv: list[str] | None = None) -> int:
    return run_stage("explore_policy", build, argv)


if __name__ == "__main__":
    raise SystemExit(main())
