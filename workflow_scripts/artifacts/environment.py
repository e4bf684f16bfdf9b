"""What a stage's process may reach: the network is closed but for the fetching stages, and secrets are not printed."""

import os
import re

# Read by huggingface_hub, datasets and transformers when they are imported, which stages do inside build().
OFFLINE = {"HF_HUB_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1"}
QUIET = {"HF_HUB_DISABLE_TELEMETRY": "1", "DO_NOT_TRACK": "1"}
TOKENS = ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN", "HF_TOKEN_PATH")

_SECRET = re.compile(r"(^|_)(TOKEN|KEY|SECRET|PASSWORD)S?(_|$)")
_SHORTEST = 8  # characters of what is taken for a secret


def set_network(online: bool) -> None:
    """Have this process, and those that it starts, ask no hub and hold no token of one, unless `online`."""
    os.environ.update(QUIET)
    if not online:
        os.environ.update(OFFLINE)
        for name in TOKENS:
            os.environ.pop(name, None)


def redacted(text: str) -> str:
    """The text with the values of variables whose names speak of tokens, keys, secrets or passwords left out."""
    for name, value in os.environ.items():
        if _SECRET.search(name.upper()) and len(value) >= _SHORTEST:
            text = text.replace(value, f"<{name}>")
    return text
