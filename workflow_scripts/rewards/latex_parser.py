r"""The LaTeX parser under math-verify, made quicker in two places; what it gives stays the same.

Where its grammar is ambiguous to a look at the next tokens alone, ANTLR predicts with the full context of the rules
that led there (LL), which it cannot remember: most of the time of a parse, each time. Prediction without that context
(SLL) is remembered, and by ANTLR's documentation (PredictionMode.SLL) gives either the same tree or a syntax error. So
it goes first, and after an error the parse starts anew with LL.

A number goes through Python's tokenizer and `exec` in sympy, where its digits say all.
"""

import re
from functools import cache
from types import SimpleNamespace
from typing import Any

_DECIMAL = re.compile(r"[0-9]*\.[0-9]+")


@cache
def quicken() -> None:
    """From now on math-verify parses so in this process."""
    from antlr4 import PredictionMode
    from antlr4.atn.ParserATNSimulator import ParserATNSimulator
    from antlr4.dfa.DFA import DFA
    from antlr4.PredictionContext import PredictionContextCache
    from latex2sympy2_extended import latex2sympy2
    from sympy import Float, Integer

    grammar = latex2sympy2.PSParser.atn
    # of its own: what SLL remembers would mislead LL
    remembered = [DFA(state, index) for index, state in enumerate(grammar.decisionToState)]
    contexts = PredictionContextCache()

    class Quicker(latex2sympy2._Latex2Sympy):
        def create_parser(self, latex_str: str) -> Any:
            parser = super().create_parser(latex_str)
            parser._interp = ParserATNSimulator(parser, grammar, remembered, contexts)
            parser._interp.predictionMode = PredictionMode.SLL
            try:
                tree = parser.math()
            except Exception:  # a syntax error is one of no class of its own
                return super().create_parser(latex_str)
            return SimpleNamespace(math=lambda: tree)

        def parse_number(self, text: str) -> Any:
            if text.isascii() and text.isdigit():
                return Integer(text)
            return Float(text) if _DECIMAL.fullmatch(text) else super().parse_number(text)

    latex2sympy2._Latex2Sympy = Quicker
