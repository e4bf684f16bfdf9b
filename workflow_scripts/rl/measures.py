"""What is measured of a rollout batch before the update: entropy in its variants, and the covariance profile."""

import math
from collections.abc import Sequence

import torch

from workflow_scripts.rl.covariance_shares import COVARIANCE_SHARES
from workflow_scripts.rl.losses.statistics import token_covariance


def response_entropy(entropy: torch.Tensor, mask: torch.Tensor) -> float | None:
    """Mean over responses of the mean token entropy, nats (Entropy Mechanism, Eq. 5); None without responses."""
    lengths = mask.sum(dim=-1)
    rows = lengths > 0
    if not bool(rows.any()):
        return None
    return float(((entropy * mask).sum(dim=-1)[rows].double() / lengths[rows]).mean())


def token_entropy(entropy: torch.Tensor, mask: torch.Tensor) -> float:
    """Mean entropy over all tokens, nats: long responses weigh more."""
    return float(entropy[mask].double().mean()) if bool(mask.any()) else math.nan


def covariance_profile(
    log_probs: torch.Tensor, advantages: torch.Tensor, mask: torch.Tensor
) -> dict[str, float | None]:
    """Mean token covariance (Eq. 10) of the top 0.02 %, ... of all tokens (Table 1); a share has at least one token."""
    values = token_covariance(log_probs, advantages, mask)[mask].double()
    if len(values) == 0:
        return dict.fromkeys(COVARIANCE_SHARES)
    ordered = values.sort(descending=True).values
    counts = {name: max(1, int(share * len(ordered))) for name, share in COVARIANCE_SHARES.items()}
    return {name: float(ordered[:count].mean()) for name, count in counts.items()}


def group_covariance(
    log_probs: torch.Tensor, advantages: torch.Tensor, mask: torch.Tensor, groups: torch.Tensor
) -> torch.Tensor:
    """Covariance of log-probability and advantage within each group (G,), double, in order of group number.

    Entropy Mechanism, Eq. 9, the bandit view: the prompt is the state, the whole response the action, and log pi(y|x)
    its mean token log-probability (1/|y|) sum_t log p_t. `log_probs`, `advantages` and `mask` are (B, T), `groups` (B,)
    int; what lies outside `mask` is not read, a response without tokens is left out. The covariance is the population's
    over the samples of a group: the theorem's expectation over the policy, estimated by its samples.

    The paper does not state whether its figure has pi*A (Theorem 1, vanilla gradient) or A (Theorem 2, natural
    gradient) in the second slot, nor which pi. A is taken here, as in Eq. 10 and both methods: the mean over the tokens
    of a response, which all have the same one under every estimator but REINFORCE++. Groups that a filter dropped are
    no rows of the batch; a mean that counts them as 0 divides the sum by the number of sampled groups.
    """
    lengths = mask.sum(dim=-1)
    rows = lengths > 0
    log_prob, advantage = (
        torch.where(mask, values, 0)[rows].double().sum(dim=-1) / lengths[rows] for values in (log_probs, advantages)
    )
    _, index = torch.unique(groups[rows], return_inverse=True)
    size = torch.bincount(index)
    centred = [x - (torch.bincount(index, weights=x) / size)[index] for x in (log_prob, advantage)]
    return torch.bincount(index, weights=centred[0] * centred[1]) / size


def repetition(tokens: torch.Tensor, mask: torch.Tensor, prompts: Sequence[Sequence[int]]) -> float:
    """Share of the distinct prompts to which the response given to most of them was given; 0 for fewer than two.

    `tokens`, `mask` (B, T) and `prompts` (B lists of ids). Equal samples of one prompt count once: a sure policy
    repeats itself on a question, a hacking one across questions.
    """
    asked: dict[tuple[int, ...], set[tuple[int, ...]]] = {}
    for prompt, row, inside in zip(prompts, tokens, mask, strict=True):
        asked.setdefault(tuple(row[inside].tolist()), set()).add(tuple(prompt))
    count = len({tuple(prompt) for prompt in prompts})
    return max(map(len, asked.values())) / count if count > 1 else 0.0
