"""Untrained models for unit tests."""

import torch

from workflow_scripts.models.scratch import build_model

STD = 0.02  # of Qwen2's own start; the pipeline's larger one would hide small updates below the rounding of the weights


def small_model(architecture: dict[str, int], tokenizer, seed: int):
    """A model in evaluation mode whose matrices have the deviation STD."""
    model = build_model(architecture, tokenizer, seed).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.dim() == 2:
                parameter.mul_(STD / model.config.initializer_range)
    return model
