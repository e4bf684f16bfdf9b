"""Train a policy by RL from the base policy, under one reward and one entropy setting: an arm of a study."""

from typing import TYPE_CHECKING, Any

from workflow_scripts.artifacts import Stage, StageError, run_stage

if TYPE_CHECKING:
    from workflow_scripts.rl.validation import Validator


def build(stage: Stage) -> None:
    """Reads policy, data and, by the kind of reward, judge and audit or teacher.

    Writes model/, metrics.parquet (a row per step), validation.parquet and samples.parquet (rollouts of three steps).
    """
    import torch

    from workflow_scripts.artifacts.schemas import METRICS, ROLLOUTS, VALIDATION
    from workflow_scripts.models.loading import load_model, load_tokenizer, save_model
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
            validator=_validator(stage, settings, tokenizer),
            reference=load_model(source) if settings.needs_reference else None,
            keep_steps={1, (settings.steps + 1) // 2, settings.steps},
        )
    except ValueError as error:
        raise StageError(str(error)) from None
    history = trainer.train()
    save_model(model, tokenizer, stage.out / "model")
    stage.write("metrics.parquet", columns_of(history.metrics, METRICS), METRICS)
    stage.write("validation.parquet", columns_of(history.validation, VALIDATION), VALIDATION)
    stage.write("samples.parquet", history.rollouts, ROLLOUTS)
    stage.account(
        steps=len(history.metrics),
        responses=settings.steps * settings.rollout.prompts * settings.rollout.samples,
        steps_skipped=sum(row["skipped"] for row in history.metrics),
    )


def _validator(stage: Stage, settings: Any, tokenizer: Any) -> "Validator | None":
    from workflow_scripts.rl.inputs import read_monitors, read_questions
    from workflow_scripts.rl.validation import Validator

    if settings.validation is None:
        return None
    split, role = settings.validation.split, "validation" if "validation" in stage.inputs else "data"
    graders = read_monitors(stage, split, role)
    return Validator(
        read_questions(stage, split, tokenizer, role),
        settings.validation,
        max_tokens=settings.rollout.max_tokens,
        rule=graders["rule"],
        truth=graders.get("truth"),
        budget=settings.update.micro_batch_tokens,
    )


def main(argv: list[str] | None = None) -> int:
    return run_stage("train_policy", build, argv)


if __name__ == "__main__":
    raise SystemExit(main())
