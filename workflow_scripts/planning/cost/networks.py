"""Shapes of transformers: parameters, FLOPs and bytes of a token; and where the shape of an artifact's model stands."""

from dataclasses import dataclass
from functools import cache
from typing import Any

from workflow_scripts.config.artifact import Artifact
from workflow_scripts.config.load import CONFIGS
from workflow_scripts.config.yaml_files import read_yaml

BYTES = {"float32": 4, "bfloat16": 2, "float16": 2}
TRAINED = ("policy", "judge_base", "base")  # roles of the model that a training starts from


@dataclass(frozen=True)
class Network:
    """A decoder of the Qwen2 and Llama family: grouped-query attention, gated MLP, RMSNorm."""

    layers: int
    width: int
    heads: int
    kv_heads: int
    head: int  # width of one head
    mlp: int
    vocab: int
    tied: bool
    bias: bool = False  # of the query, key and value projections

    @property
    def matrices(self) -> int:
        """Weights of the layers that multiply each token: attention and MLP, head and embedding aside."""
        attention = 2 * self.width * self.head * (self.heads + self.kv_heads)
        return self.layers * (attention + 3 * self.width * self.mlp)

    @property
    def output(self) -> int:
        """Weights of the language-model head."""
        return self.vocab * self.width

    @property
    def parameters(self) -> int:
        """All of them; tied ones once."""
        biases = self.layers * self.head * (self.heads + 2 * self.kv_heads) if self.bias else 0
        norms = (2 * self.layers + 1) * self.width
        return self.matrices + biases + norms + self.output * (1 if self.tied else 2)

    def kv_bytes(self, precision: int = 2) -> int:
        """Bytes of the KV cache of one token."""
        return 2 * self.layers * self.kv_heads * self.head * precision

    def flops(self, context: float) -> float:
        """FLOPs of one token's forward pass through the layers, after `context` tokens; the head is not in it."""
        return 2 * self.matrices + 4 * self.layers * self.heads * self.head * context

    @property
    def head_flops(self) -> float:
        """FLOPs of the logits of one token."""
        return 2 * self.output


@cache
def facts(name: str) -> dict[str, Any]:
    """A file of facts in config/ that no key knows: architectures or row_counts."""
    return read_yaml(CONFIGS / f"{name}.yaml")


def network_of(model: Artifact) -> Network | None:
    """The shape of an artifact's model, or of the one that it was trained from; None where it is written nowhere."""
    if model.stage != "prepare_model":
        upstream = next((model.inputs[role] for role in TRAINED if role in model.inputs), None)
        return network_of(upstream) if upstream else None
    source = model.config["source"]
    if source["kind"] == "scratch":
        own = source["architecture"]
        shape = {name: own[name] for name in ("layers", "width", "heads", "mlp", "vocab")}
        return Network(**shape, kv_heads=own["heads"], head=own["width"] // own["heads"], tied=False, bias=True)
    if "base" in model.inputs:
        return network_of(model.inputs["base"])
    known = _shape(source.get("repo"), source.get("resource") or source.get("path"))
    return Network(**known) if known else None


def _shape(repo: str | None, file: str | None) -> dict[str, Any] | None:
    """Of a hub repository, or of a file that is named as one: `SmolLM2-135M-Instruct.Q4_1.gguf`."""
    shapes = facts("architectures")
    if repo:
        return shapes.get(repo)
    name = (file or "").rpartition("/")[2]
    return next((shape for repo, shape in shapes.items() if name.startswith(repo.rpartition("/")[2] + ".")), None)
