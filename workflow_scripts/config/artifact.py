"""One job and what it makes: its spec, its key and its path."""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property, wraps

from workflow_scripts.artifacts.keys import KEY_DIGITS, canonical_json, digest

FOLDERS = {
    "fetch_model": "downloads",
    "fetch_dataset": "downloads",
    "sample_data": "data",
    "prepare_model": "models",
    "explore_policy": "exploration",
    "label_rollouts": "labels",
    "distill_judge": "judges",
    "audit_judge": "judges",
    "train_policy": "policies",
    "sample_answers": "evaluations",
    "grade_answers": "evaluations",
    "fit_entropy_law": "tables",
    "compare_results": "tables",
    "render_report": "report",
}
STABLE = {"fit_entropy_law": "entropy_law", "compare_results": "comparison", "render_report": ""}


@dataclass(frozen=True)
class Artifact:
    """One job and what it makes."""

    stage: str
    name: str
    config: dict
    code: str
    here: str = field(compare=False)
    inputs: dict[str, "Artifact"] = field(default_factory=dict)

    @cached_property
    def spec(self) -> dict:
        upstream = {role: artifact.key for role, artifact in self.inputs.items()}
        return {"stage": self.stage, "config": self.config, "code": self.code, "inputs": upstream}

    @cached_property
    def text(self) -> str:
        """The spec as canonical JSON, whose digest is the key."""
        return canonical_json(self.spec)

    @cached_property
    def key(self) -> str:
        return digest(self.text)[:KEY_DIGITS]

    @property
    def identity(self) -> str:
        return f"{self.name}-{self.key}"

    @property
    def manifest(self) -> str:
        """Path of the manifest below the results root; on a stable path the key stands in the file's name."""
        folder = FOLDERS[self.stage]
        if self.stage in STABLE:
            return "/".join(part for part in (folder, STABLE[self.stage], f"manifest-{self.key}.json") if part)
        return f"{folder}/{self.identity}/manifest.json"


def once(make: Callable) -> Callable:
    """A method of the graph that is worked out once per arguments, however many artifacts read what it gives."""

    @wraps(make)
    def recall(self, *args):
        call = (make.__name__, *args)
        if call not in self._made:
            self._made[call] = make(self, *args)
        return self._made[call]

    return recall


def plain(model, *names: str) -> dict:
    """A config model as plain JSON values, all fields or those named."""
    return model.model_dump(mode="json", include=set(names) or None)


def spec_text(artifact: Artifact) -> str:
    """The spec as the stage's command line carries it."""
    return artifact.text
