"""Number of parameters of a decoder from its config.json, embeddings and head left out (2505.22617, Fig. 7)."""

from typing import Any

_BIASED = ("qwen2",)  # query, key and value have biases, whatever the file says
_QK_NORM = ("qwen3",)


def non_embedding_parameters(config: dict[str, Any]) -> int | None:
    """Weights of all layers and the last norm of a dense decoder of the Llama family (Llama, Mistral, Qwen2, Qwen3).

    None for another architecture: a guess would put a wrong point on a fit against size.
    """
    family = str(config.get("model_type", "")).removesuffix("_text")
    if family not in ("llama", "mistral", *_BIASED, *_QK_NORM):
        return None
    width, heads = config["hidden_size"], config["num_attention_heads"]
    head = config.get("head_dim") or width // heads
    query, key = heads * head, (config.get("num_key_value_heads") or heads) * head
    attention = 2 * width * query + 2 * width * key
    if family in _BIASED or config.get("attention_bias"):
        attention += query + 2 * key
    if family in _QK_NORM:
        attention += 2 * head
    norms, mlp = 2 * width, 3 * width * config["intermediate_size"]
    return config["num_hidden_layers"] * (attention + mlp + norms) + width
