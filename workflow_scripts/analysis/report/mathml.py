"""Formulas as MathML, which browsers draw without a library, from the little of TeX's notation that ours need.

Known: letters, numbers, operators, _ and ^, braces, \\frac, \\text and the names in the tables below.
"""

import re
from html import escape

_TOKEN = re.compile(r"\\text\{[^}]*\}|\\[A-Za-z]+|\\[,;]|[A-Za-z]|[0-9.]+|\S")
_LETTERS = {"beta": "β", "epsilon": "ε", "rho": "ρ", "sigma": "σ", "tau": "τ", "theta": "θ"}
_OPERATORS = {"sum": "∑", "ge": "≥", "ne": "≠", "sim": "∼", "cap": "∩", "cup": "∪", "lfloor": "⌊", "rfloor": "⌋"}
_SPACES = {",": "0.17em", ";": "0.4em"}
_WORDS = {"max", "exp", "log", "clip", "mean", "std"}


def mathml(tex: str) -> str:
    """A block formula. Raises ValueError on notation that is not known."""
    tokens = _TOKEN.findall(tex)
    body = _row(tokens, "")
    if tokens:
        raise ValueError(f"{tex}: unexpected {tokens[0]!r}")
    return f'<math display="block">{body}</math>'


def _row(tokens: list[str], end: str) -> str:
    parts = []
    while tokens and tokens[0] != end:
        parts.append(_scripted(tokens))
    if end:
        tokens.pop(0)
    return f"<mrow>{''.join(parts)}</mrow>"


def _scripted(tokens: list[str]) -> str:
    """An atom with what stands below and above it."""
    base, scripts = _atom(tokens), {}
    while tokens and tokens[0] in ("_", "^"):
        mark = tokens.pop(0)
        scripts[mark] = _atom(tokens)
    if len(scripts) == 2:
        return f"<msubsup>{base}{scripts['_']}{scripts['^']}</msubsup>"
    for mark, tag in (("_", "msub"), ("^", "msup")):
        if mark in scripts:
            return f"<{tag}>{base}{scripts[mark]}</{tag}>"
    return base


def _atom(tokens: list[str]) -> str:
    token = tokens.pop(0)
    if token == "{":
        return _row(tokens, "}")
    if token.startswith("\\text{"):
        return f"<mtext>{escape(token[6:-1])}</mtext>"
    if token.startswith("\\"):
        return _command(token[1:], tokens)
    if token.isalpha():
        return f"<mi>{token}</mi>"
    if token[0].isdigit():
        return f"<mn>{token}</mn>"
    return f"<mo>{escape(token)}</mo>"


def _command(name: str, tokens: list[str]) -> str:
    if name == "frac":
        return f"<mfrac>{_atom(tokens)}{_atom(tokens)}</mfrac>"
    if name in _SPACES:
        return f'<mspace width="{_SPACES[name]}"/>'
    if name in _WORDS:
        return f'<mi>{name}</mi><mspace width="{_SPACES[","]}"/>'
    if name in _LETTERS:
        return f"<mi>{_LETTERS[name]}</mi>"
    if name in _OPERATORS:
        return f"<mo>{_OPERATORS[name]}</mo>"
    raise ValueError(f"\\{name} is not known")
