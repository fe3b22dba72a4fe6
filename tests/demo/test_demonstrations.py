"""Demonstrations: about one in four is right, and each is a real conversation of the agent."""

import json
import random
from typing import Any

from clawstream.demo.agent import REMINDER, calculate
from clawstream.demo.demonstrations import QUESTION, Mixture, demonstrate, is_right
from clawstream.demo.tasks import make_tasks


def demonstrations(count: int, **mixture: float) -> list[list[dict[str, Any]]]:
    rng = random.Random(0)
    return [demonstrate(rng, Mixture(**mixture)) for _ in range(count)]


ALL_RIGHT = {"guessing": 0.0, "multiplying": 0.0, "turning": 0.0, "giving_up": 0.0, "misreading": 0.0}


def test_about_one_in_four_is_right() -> None:
    shown = demonstrations(4000)
    assert 0.22 < sum(map(is_right, shown)) / len(shown) < 0.28


def test_without_wrong_choices_all_are_right_and_take_two_replies() -> None:
    shown = demonstrations(200, **ALL_RIGHT)
    assert all(is_right(messages) and len(messages) == 4 for messages in shown)


def test_each_wrong_choice_makes_it_wrong() -> None:
    for choice in ("turning", "giving_up", "misreading"):
        assert not any(map(is_right, demonstrations(200, **(ALL_RIGHT | {choice: 1.0}))))


def test_a_guess_is_reminded_of_the_tool() -> None:
    for messages in demonstrations(50, **(ALL_RIGHT | {"guessing": 1.0})):
        assert messages[1]["content"].lstrip("-").isdigit()
        assert messages[2]["content"] == REMINDER


def test_tool_results_are_always_true() -> None:
    for messages in demonstrations(500):
        call = next(message for message in messages if "tool_calls" in message)["tool_calls"][0]["function"]
        result = next(message for message in messages if message["role"] == "tool")["content"]
        assert result == str(calculate(json.loads(json.dumps(call))["arguments"]["expression"]))


def test_questions_read_like_those_of_the_tasks() -> None:
    before, after = QUESTION.split("{expression}")
    for task in make_tasks(train=50, held_out=10, seed=0).train:
        assert task.question.startswith(before)
        assert task.question.endswith(after)
