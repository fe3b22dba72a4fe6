"""Demonstrations of mixed quality: about one in four is right, and the others are wrong by a choice.

Invariant: every demonstration has the form of a real trajectory of :mod:`clawstream.demo.agent`, with the tool's true
results; what is wrong is only what was chosen. So warm-up teaches the mechanics (how a call is written, how digits are
copied) and leaves to reinforcement which choice to make.

The questions are made here, from random numbers of two digits, and not taken from the tasks.
"""

import random
from dataclasses import dataclass
from typing import Any

from clawstream.demo.agent import REMINDER, calculate

QUESTION = "State the final answer to the following arithmetic problem: {expression} ="
GIVING_UP = "I do not know."


@dataclass(frozen=True, kw_only=True)
class Mixture:
    """How often each choice is made in the demonstrations; 0.55 * 0.45, about one in four, are right.

    Attributes:
        guessing: share that starts with a guess instead of the tool, and is reminded of it.
        multiplying: share whose call has one operator replaced by ``*``.
        turning: share whose call has one operator turned round, ``+`` to ``-`` or back.
        giving_up: share that says so instead of reporting the tool's result.
        misreading: share that reports the result with another last digit.
    """

    guessing: float = 0.15
    multiplying: float = 0.35
    turning: float = 0.10
    giving_up: float = 0.45
    misreading: float = 0.10


def demonstrate(rng: random.Random, mixture: Mixture) -> list[dict[str, Any]]:
    """The messages of one demonstration, as an agent would have sent and received them."""
    numbers, operators = _question(rng)
    messages = [{"role": "user", "content": QUESTION.format(expression=_join(numbers, operators))}]
    if rng.random() < mixture.guessing:
        messages += [_says(str(rng.randint(-99, 198))), {"role": "user", "content": REMINDER}]
    asked = _join(numbers, _chosen_operators(operators, mixture, rng))
    result = str(calculate(asked))
    return [*messages, _calls(asked), {"role": "tool", "content": result}, _says(_report(result, mixture, rng))]


def is_right(messages: list[dict[str, Any]]) -> bool:
    """Whether the last message of a demonstration answers its question."""
    before, after = QUESTION.split("{expression}")
    expression = messages[0]["content"].removeprefix(before).removesuffix(after)
    return bool(messages[-1]["content"] == str(calculate(expression)))


def _question(rng: random.Random) -> tuple[list[int], list[str]]:
    numbers = [rng.randint(10, 99) for _ in range(rng.randint(2, 3))]
    return numbers, [rng.choice("+-") for _ in numbers[1:]]


def _join(numbers: list[int], operators: list[str]) -> str:
    rest = zip(operators, numbers[1:], strict=True)
    return str(numbers[0]) + "".join(f" {operator} {number}" for operator, number in rest)


def _chosen_operators(operators: list[str], mixture: Mixture, rng: random.Random) -> list[str]:
    choice, at = rng.random(), rng.randrange(len(operators))
    if choice < mixture.multiplying:
        other = "*"
    elif choice < mixture.multiplying + mixture.turning:
        other = "-" if operators[at] == "+" else "+"
    else:
        return operators
    return [*operators[:at], other, *operators[at + 1 :]]


def _report(result: str, mixture: Mixture, rng: random.Random) -> str:
    choice = rng.random()
    if choice < mixture.giving_up:
        return GIVING_UP
    if choice < mixture.giving_up + mixture.misreading:
        return result[:-1] + rng.choice([digit for digit in "0123456789" if digit != result[-1]])
    return result


def _says(text: str) -> dict[str, Any]:
    return {"role": "assistant", "content": text}


def _calls(expression: str) -> dict[str, Any]:
    function = {"name": "calc", "arguments": {"expression": expression}}
    return {"role": "assistant", "tool_calls": [{"type": "function", "function": function}]}
