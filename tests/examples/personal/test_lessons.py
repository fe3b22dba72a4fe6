import random

from examples.personal.lessons import Habits, demonstrate
from examples.personal.styles import HINTS, STYLES, TOLD, TOPICS, is_in, reply


def last_answers(habits: Habits, count: int = 600) -> list[tuple[str, str]]:
    """Last requests and answers."""
    rng = random.Random(3)
    conversations = [demonstrate(rng, habits) for _ in range(count)]
    return [(messages[-2]["content"], messages[-1]["content"]) for messages in conversations]


def test_a_base_without_hints_is_rarely_in_any_style() -> None:
    answers = last_answers(Habits(hinted=0.0))
    for style in STYLES:
        assert sum(is_in(style, answer) for _, answer in answers) / len(answers) < 0.1


def test_after_a_hint_nearly_every_answer_is_in_its_style() -> None:
    answers = last_answers(Habits(hinted=1.0))
    heeded = 0
    for asked, answer in answers:
        hint = asked.partition(TOLD)[2]
        style = next(style for style in STYLES if HINTS[style] == hint)
        heeded += is_in(style, answer)
    assert heeded / len(answers) > 0.85


def test_roles_take_turns_and_every_answer_has_a_known_form() -> None:
    rng = random.Random(4)
    known = {reply(topic, (a, b, c)) for topic in TOPICS for a in STYLES for b in STYLES for c in STYLES}
    for _ in range(50):
        messages = demonstrate(rng, Habits())
        assert [message["role"] for message in messages] == ["user", "assistant"] * (len(messages) // 2)
        assert {message["content"] for message in messages[1::2]} <= known


def test_one_sentence_in_another_style_is_another_style() -> None:
    assert is_in("plain", reply("tea", ("plain", "plain", "plain")))
    assert not is_in("plain", reply("tea", ("plain", "warm", "plain")))
