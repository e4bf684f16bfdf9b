"""Explore: RL from the base policy under the teacher's hard verdict, every rollout kept (2503.23829, stage 1)."""

from workflow_scripts.artifacts import Stage, StageError, run_stage


def build(stage: Stage) -> None:
    """Reads policy, teacher and data; writes rollouts.parquet (every response of every step) and metrics.parquet."""
    import torch

    from workflow_scripts.artifacts.schemas import METRICS, ROLLOUTS
    from workflow_scripts.models.loading import load_model, load_tokenizer
    from workflow_scripts.rewards import make_reward
    from workflow_scripts.rl.inputs import columns_of, read_monitors, read_questions, read_settings
    from workflow_scripts.rl.trainer import Trainer

    torch.set_num_threads(1)  # bit-for-bit repetition; a second thread gains little on models this small
    config, settings = stage.config, read_settings(stage)
    reward = make_reward(config["reward"], stage)
    source = stage.path("policy", "model")
    model, tokenizer = load_model(source), load_tokenizer(source)
    try:
        trainer = Trainer(
            model=model,
            tokenizer=tokenizer,
            questions=read_questions(stage, config["split"], tokenizer),
            settings=settings,
            reward=reward,
            stage=stage,
            monitors=read_monitors(stage, config["split"]),
            reference=load_model(source) if settings.needs_reference else None,
            keep_steps=range(1, settings.steps + 1),
        )
    except ValueError as error:
        raise StageError(str(error)) from None
    history = trainer.train()
    stage.write("metrics.parquet", columns_of(history.metrics, METRICS), METRICS)
    stage.write("rollouts.parquet", history.rollouts, ROLLOUTS)
    responses = settings.steps * settings.rollout.prompts * settings.rollout.samples
    stage.account(responses=responses, rollouts=len(history.rollouts["step"]))


def main(argv: list[str] | None = None) -> int:
    return run_stage("explore_policy", build, argv)


if __name__ == "__main__":
    raise SystemExit(main())
