r"""The string form in which the entropy paper's grader first compares two boxed answers (the normalisation of MATH).

Behaviour after D. Hendrycks et al., 2103.03874, as the grader of 2505.22617 uses it: spelling variants of LaTeX,
units in \text, degree, percent and dollar signs and spaces do not count; everything else must be the same string.
"""

import re

_STEPS = tuple(
    (re.compile(pattern), replacement)
    for pattern, replacement in (
        (r"\n|\\!|\\left(?![a-z])|\\right(?![a-z])|\\\$|\\?%", ""),
        (r"\\[dt]frac", r"\\frac"),
        (r"\^\s*(?:\\circ|\{\s*\\circ\s*\})", ""),
        (r"\\text\s*\{[^{}]*\}\s*$", ""),
        (r"(^|[\s{])\.(?=\d)", r"\g<1>0."),
        (r"^\s*\w{1,2}\s*=(?!=)", ""),
        (r"\\sqrt\s*(\w)", r"\\sqrt{\1}"),
        (r"\s", ""),
        (r"\\frac([^{\\])([^{\\])", r"\\frac{\1}{\2}"),
        (r"\\frac(\{[^{}]*\})([^{\\])", r"\\frac\1{\2}"),
        (r"\\frac([^{\\])(\{[^{}]*\})", r"\\frac{\1}\2"),
        (r"^0?\.5$", r"\\frac{1}{2}"),
        (r"^(-?\d+)/(-?\d+)$", r"\\frac{\1}{\2}"),
    )
)


def mathd(text: str) -> str:
    r"""The normalised string of an answer: \dfrac12 and 1/2 are \frac{1}{2}. An answer that is all \text stays it."""
    text = text.strip()
    whole = re.fullmatch(r"\\text\s*\{([^{}]*)\}", text)
    text = whole[1].strip() if whole else text
    for pattern, replacement in _STEPS:
        text = pattern.sub(replacement, text)
    return text
