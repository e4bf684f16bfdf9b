"""Every random number of a run as a pure function of its seed and its place.

Nothing draws from a shared generator, so there is no generator state to save: a resumed run draws what the
uninterrupted one would have drawn.
"""

import hashlib


def derive_seed(*parts: int | str) -> int:
    """A seed in [0, 2**63) for a named place, for instance `derive_seed(seed, "rollout", step)`."""
    digest = hashlib.sha256("/".join(str(part) for part in parts).encode()).digest()
    return int.from_bytes(digest[:8], "big") >> 1
