"""Loads math-verify and runs its parser once. Only the fork server imports this, so that workers are born warm."""

from workflow_scripts.rewards.symbols_worker import check

for _style in ("strict", "lenient"):
    check(_style, r"\frac{\sqrt{3}}{2}x^2 + \pi", r"(1, 2] \cup \{3\}")
    check(_style, r"x + 1 = 2^{3}", r"\begin{pmatrix} 1 \\ \sin 2 \end{pmatrix}")
