"""Config models of data: where questions come from, how a record becomes one, and how they are split."""

from typing import Any, Literal

from pydantic import Field, PositiveInt, model_validator

from workflow_scripts.config.base import Name, Revision, Sha256, SplitRef, Strict


class Columns(Strict):
    """How a record becomes a question. A dot reaches into nested columns, a number takes an entry of a list."""

    prompt: str = Field("prompt", description="column of the question; of chat messages the last user turn")
    before: str = Field("", description="text in front of every question, removed; rows without it are dropped")
    after: str = Field("", description="text behind every question, removed; rows without it are dropped")
    reference: str = Field("reference", description="column that holds the reference answer")
    answer: Literal["whole", "hashes", "boxed", "math", "value"] = Field(
        "whole", description="rule that finds the answer in that column (data/answers.py)"
    )
    subject: str | None = Field(None, description="column with the subject; None: the dataset's name")
    subjects: Literal["given", "groups"] = Field(
        "given", description="groups: the five of 2503.23829 (data/subjects.py) in place of the given names"
    )
    keep: dict[str, list[str | bool | int | float | None]] = Field(
        default_factory=dict, description="column -> values of the rows to keep"
    )
    max_chars: PositiveInt | None = Field(None, description="rows with a longer prompt or reference are dropped")


class GeneratorSource(Strict):
    kind: Literal["generator"]
    generator: Literal["nano_world"]
    table: Literal["questions", "demonstrations", "pairs"]
    options: dict[str, Any] = Field(default_factory=dict, description="options of the generator")


class HubSource(Strict):
    kind: Literal["hub"]
    repo: str
    revision: Revision = Field(description="commit of the data set; 'unpinned' can be planned but not run")
    name: str | None = Field(None, description="configuration of the data set on the hub")
    columns: Columns = Columns()

    @property
    def downloaded(self) -> bool:
        """Whether it comes from the hub; a `repo` that begins with a dot or a slash is a copy that is here already."""
        return not self.repo.startswith((".", "/"))


class FileSource(Strict):
    kind: Literal["file"]
    path: str = Field(
        description="JSONL, JSON, CSV or Parquet files, relative to the working directory; "
        "{origin} stands for a split's source, * for any text"
    )
    sha256: dict[str, Sha256] = Field(
        default_factory=dict, description="file -> digest it must have; where none is given, that of the file found"
    )
    columns: Columns = Columns()


class PackageSource(Strict):
    kind: Literal["package"]
    package: str = Field(description="installed Python package that carries the file")
    version: str = Field(description="its version, which stands for the data")
    resource: str = Field(description="path of the file inside the package; {origin} stands for a split's source")
    columns: Columns = Columns()


class ReasoningGymSource(Strict):
    kind: Literal["reasoning_gym"]
    version: str = Field(description="version of the installed package reasoning-gym")
    tasks: dict[str, dict[str, Any]] = Field(description="kinds of tasks and their options")
    size: PositiveInt = Field(description="tasks of each kind to draw the splits of one source from")


class PairsSource(Strict):
    """Pairs of an answer and a reference, half of them equal, for models that learn to give verdicts."""

    kind: Literal["pairs"]
    questions: list[Name] = Field(
        min_length=1,
        description="datasets whose questions they are made from; a split's source names a split of theirs",
    )


class MixtureSource(Strict):
    """Questions of other data sets together, each with the name of its data set as the subject."""

    kind: Literal["mixture"]
    parts: list[SplitRef] = Field(min_length=1)


class Split(Strict):
    rows: PositiveInt | None = Field(None, description="questions to draw; None: all")
    subjects: list[str] | None = Field(None, description="subjects to keep; None: all")
    source: str | None = Field(None, description="split of the source to draw from; None: the same name")


Source = GeneratorSource | HubSource | FileSource | PackageSource | ReasoningGymSource | PairsSource | MixtureSource


class Dataset(Strict):
    source: Source = Field(discriminator="kind")
    splits: dict[Name, Split]
    licence: str | None = Field(None, description="licence of the data as their publisher states it; in no key")
    grading: Literal["math", "text"] = Field(
        "math", description="how rules read answers: math with LaTeX and symbols, or text, words and numbers alone"
    )
    against: list[Name] = Field(default_factory=list, description="datasets whose questions are removed from this one")

    @property
    def table(self) -> str:
        """What its splits hold: questions, demonstrations or pairs."""
        return {"generator": getattr(self.source, "table", ""), "pairs": "pairs"}.get(self.source.kind, "questions")

    @model_validator(mode="after")
    def pairs_stand_apart(self) -> "Dataset":
        if self.source.kind == "pairs" and self.against:
            raise ValueError("against: pairs are kept apart by the split that their questions come from")
        return self
