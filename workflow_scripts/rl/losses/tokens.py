"""The tokens that a loss sees: one bundle of tensors, cleaned of what lies under the mask."""

from dataclasses import dataclass, replace

import torch


@dataclass(frozen=True)
class Tokens:
    """Tensors (B, T), zero where `mask` (bool) does not hold; only `log_probs` carries a gradient.

    `entropy` is in nats, None where the caller has none.
    """

    log_probs: torch.Tensor
    old_log_probs: torch.Tensor
    advantages: torch.Tensor
    mask: torch.Tensor
    entropy: torch.Tensor | None = None

    @classmethod
    def clean(cls, log_probs, old_log_probs, advantages, mask, entropy=None):
        """Zeros under the mask and at least single precision; `where` keeps NaN out of the gradient too."""
        mask = mask > 0
        zero = log_probs.new_zeros((), dtype=torch.promote_types(log_probs.dtype, torch.float32))

        def cleaned(tensor):
            return torch.where(mask, tensor.to(zero.dtype), zero)

        return cls(
            log_probs=cleaned(log_probs),
            old_log_probs=cleaned(old_log_probs.detach()),
            advantages=cleaned(advantages.detach()),
            mask=mask,
            entropy=None if entropy is None else cleaned(entropy.detach()),
        )

    def detached(self):
        """The same tokens without gradient: what selections and weights are computed from."""
        return replace(self, log_probs=self.log_probs.detach())

    @property
    def log_ratio(self):
        """log p - log p_old (B, T), not clamped."""
        return self.log_probs - self.old_log_probs
