"""The soft rule of the reward paper: Jaccard similarity of answer and reference (2503.23829, section 4.2)."""

from workflow_scripts.rewards.normal_form import normal_form


def jaccard(answer: str, reference: str) -> float:
    """|A ∩ R| / |A ∪ R| of the two token sets, in [0, 1]; 0 where both are empty.

    The paper does not state its tokenisation. Ours is the normal form of the rule: case-folded words without articles
    and punctuation, and numbers by value, so that "twenty-one" and "21" share their token.
    """
    ours, theirs = set(normal_form(answer)), set(normal_form(reference))
    union = ours | theirs
    return len(ours & theirs) / len(union) if union else 0.0
