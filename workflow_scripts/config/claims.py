"""The claims as a scale tests them: config/claims.yaml names the settings of nano, `paper` those of config/paper.yaml.

A claim's `paper` is laid over its quantity where the scale is paper (null takes an option away); a text in its place
says why the claim cannot be tested there. Which of both holds is settled here, before anything is computed.
"""

SCALES = ("nano", "paper")


def claims_at(scale: str, raw: dict) -> dict:
    """The file's content with one quantity per claim, that of the scale."""
    return {**raw, "claims": [_at(scale, claim) for claim in raw.get("claims", [])]} if raw else {}


def _at(scale: str, claim: dict) -> dict:
    own = {name: value for name, value in claim.items() if name not in SCALES}
    there = claim.get(scale, {})
    if isinstance(there, str):
        return own | {"untestable": there}
    quantity = {**own["quantity"], **there}
    return own | {"quantity": {name: value for name, value in quantity.items() if value is not None}}
