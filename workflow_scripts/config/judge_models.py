"""Config of the judge: exploration, teacher labels, distillation, audit and gate."""

from typing import Annotated, Literal

from pydantic import Field, PositiveFloat, PositiveInt

from workflow_scripts.config.base import Kappa, Name, NonNegative, Share, SplitRef, Strict
from workflow_scripts.config.computation import Computation


class Exploration(Strict):
    policy: Name
    teacher: Name
    data: SplitRef
    algorithm: Name
    entropy: Name = Field(description="policy loss of the exploration")


class Labels(Strict):
    votes: PositiveInt = Field(10, description="sampled verdicts per answer of the audit split")
    vote_temperature: PositiveFloat = 1.0
    audit_share: Share = 0.2
    validation_share: Share = 0.1
    shard_rows: PositiveInt = Field(
        4096, description="distinct answers between two files that a killed job resumes from"
    )
    rollouts_per_job: PositiveInt = Field(
        1_000_000, description="rollouts of an exploration that one job labels; above it the labels are scattered"
    )


class JudgeTraining(Computation):
    epochs: PositiveInt = 1
    batch: PositiveInt = 128
    lr: PositiveFloat = 5e-6
    warmup: Share = 0.05
    weight_decay: NonNegative = 0.0


class Gate(Strict):
    """What a judge must reach on the audit split before an arm may train on it."""

    balanced_accuracy: Share = Field(description="against the teacher, at least")
    kappa: Kappa = Field(description="Cohen's kappa with the teacher, at least")
    false_positive_rate: Share = Field(description="on the worst probe, at most")
    accuracy: Share | None = Field(None, description="against the teacher, at least; None: not asked for")
    ece: Share | None = Field(None, description="expected calibration error against the teacher, at most")
    kappa_truth: Kappa | None = Field(
        None, description="Cohen's kappa with the truth, at least; a data set without fails"
    )
    flipped: Share | None = Field(None, description="verdicts that the worst change of wording turns, at most")


class ImportedRatings(Strict):
    kind: Literal["file"]
    path: str = Field(description="Parquet file with question_id, answer, reference and verdict of a further rater")
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")] = Field(description="digest of that file, part of the key")


class ModelRatings(Strict):
    kind: Literal["model"]
    model: Name


class Audit(Strict):
    """What a judge is compared with beside its teacher, its base, the rules and, where it is known, the truth."""

    compare: list[Name] = Field(default_factory=list, description="models that judge off the shelf")
    second_rater: ImportedRatings | ModelRatings | None = Field(
        None, discriminator="kind", description="rater against whom the teacher's votes are measured too"
    )
    wording_answers: PositiveInt = Field(400, description="answers that are put in other words to see verdicts change")


class Judge(Strict):
    base: Name
    exploration: Name
    labels: Labels = Labels()
    training: JudgeTraining
    adversarial_negatives: bool = True
    audit: Audit = Audit()
    gate: Gate
