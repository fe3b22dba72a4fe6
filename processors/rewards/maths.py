"""Numbers and formulas in answers, and whether two mean the same. Pure.

Invariant: what cannot be read as a number is compared as text, so an answer is never right by accident of parsing; no
power is taken that could fill memory.
"""

import ast
import operator
import re
from collections.abc import Callable
from fractions import Fraction

_NUMBER = re.compile(r"[-+]?(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+)?(?:[eE][-+]?\d{1,3})?|[-+]?\.\d+")
_FRACTION = re.compile(r"\\[dt]?frac\{([^{}]*)\}\{([^{}]*)\}")
_DECORATION = re.compile(r"\\(?:left|right|,|;|!|quad|text\{[^{}]*\}|mathrm\{[^{}]*\})|[$\s]|\\%|%$")
_OPERATORS: dict[type[ast.AST], Callable[..., Fraction]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.UAdd: operator.pos,
    ast.USub: operator.neg,
}
_MAX_CHARS = 200


def last_number(text: str) -> float | None:
    """The last number in ``text``, thousands separators allowed."""
    found = _NUMBER.findall(text)
    return float(found[-1].replace(",", "")) if found else None


def final_answer(text: str) -> str:
    r"""What is in the last ``\boxed{}``, else after the last "answer is" or ``####``, else the last line."""
    at = text.rfind(r"\boxed{")
    if at >= 0:
        return _braced(text, at + len(r"\boxed{"))
    marked = re.split(r"(?i)####|\banswer\s*(?:is|:)", text)
    chosen = marked[-1] if len(marked) > 1 else text
    lines = [line.strip() for line in chosen.splitlines() if line.strip()]
    return lines[0 if len(marked) > 1 else -1].rstrip(".") if lines else ""


def same(one: str, other: str, tolerance: float = 0.0) -> bool:
    r"""Do two answers mean the same? ``\frac{1}{2}``, ``1/2`` and ``0.5`` do; names and units must be equal as text."""
    plain, others = _plain(one), _plain(other)
    value, wanted = _value(plain), _value(others)
    if value is None or wanted is None:
        return plain == others
    return abs(value - wanted) <= Fraction(tolerance) * max(Fraction(1), abs(wanted))


def _braced(text: str, start: int) -> str:
    depth = 1
    for at in range(start, len(text)):
        depth += (text[at] == "{") - (text[at] == "}")
        if depth == 0:
            return text[start:at]
    return text[start:]


def _plain(text: str) -> str:
    while (replaced := _FRACTION.sub(r"((\1)/(\2))", text)) != text:
        text = replaced
    text = text.replace(r"\cdot", "*").replace(r"\times", "*").replace("−", "-")
    return re.sub(r"(?<=\d),(?=\d{3})", "", _DECORATION.sub("", text))


def _value(text: str) -> Fraction | None:
    if not text or len(text) > _MAX_CHARS:
        return None
    try:
        return _evaluated(ast.parse(text, mode="eval").body)
    except (SyntaxError, ValueError, ZeroDivisionError, RecursionError, KeyError):
        return None


def _evaluated(node: ast.expr) -> Fraction:
    match node:
        case ast.Constant(value=int() | float() as number) if not isinstance(number, bool):
            return Fraction(str(number))
        case ast.BinOp(left=left, op=op, right=right):
            return _OPERATORS[type(op)](_evaluated(left), _evaluated(right))
        case ast.UnaryOp(op=op, operand=operand):
            return _OPERATORS[type(op)](_evaluated(operand))
    raise ValueError(f"{ast.dump(node)} is no number")
