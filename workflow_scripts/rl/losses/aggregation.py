"""From token losses to one number: the three ways in use, by local or by global count."""

AGGREGATIONS = ("token-mean", "seq-mean-token-sum", "seq-mean-token-mean")


def aggregate(losses, mask, aggregation="token-mean", normalizer=None):
    """Aggregate `losses` (B, T) over `mask` (B, T) bool.

    token-mean divides the sum over tokens by the number of tokens; seq-mean-token-sum the sum over sequences of token
    sums, and seq-mean-token-mean that of token means, by the number of non-empty sequences. `normalizer` replaces
    that number: the count of the mini-batch over all micro-batches and ranks, so that their losses add up to the loss
    of the mini-batch. An empty mask gives 0 with zero gradient.
    """
    if aggregation not in AGGREGATIONS:
        raise ValueError(f"unknown aggregation {aggregation!r}, allowed: {', '.join(AGGREGATIONS)}")
    if aggregation == "token-mean":
        count, total = mask.sum(), (losses * mask).sum()
    else:
        sums = (losses * mask).sum(dim=-1)
        if aggregation == "seq-mean-token-mean":
            sums = sums / (mask.sum(dim=-1) + 1e-8)
        count, total = mask.any(dim=-1).sum(), sums.sum()
    return total / (count + 1e-8 if normalizer is None else max(normalizer, 1))


def normalizer_of(mask, aggregation):
    """The count that `aggregation` divides by for a mini-batch: tokens or non-empty sequences of `mask` (B, T)."""
    return int(mask.sum()) if aggregation == "token-mean" else int(mask.any(dim=-1).sum())
