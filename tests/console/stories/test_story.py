import pytest
from msgspec.structs import replace

from clawstream.console.index.reading import Kept, Outcome
from clawstream.console.stories.messages import Call, Said, answer, asked, messages
from clawstream.console.stories.story import Story, story
from clawstream.console.stories.timeline import timeline
from clawstream.console.stories.tokens import group_advantage, tokens
from clawstream.schemas import PolicySpan, PromptPrefix, Record, pack_logprobs
from tests.builders import (
    NOON,
    a_feedback,
    a_rejection,
    a_reward,
    a_sample,
    a_sequence,
    a_step,
    a_trajectory,
    an_update,
)
from tests.console.index.test_store import STALE


def told(*records: Record) -> Story:
    return story([Kept(topic="", partition=0, offset=number, record=each) for number, each in enumerate(records)])


def after(step_id: str) -> PromptPrefix:
    return PromptPrefix(step_id=step_id, token_count=4, sha256="0" * 64)


def test_turns_know_what_they_go_on_from() -> None:
    found = told(
        a_step(step_id="a"),
        a_step(step_id="b", prompt_prefix=after("a")),
        a_step(step_id="c", prompt_prefix=after("a")),
        a_step(step_id="d"),
    )
    assert [(turn.follows, turn.branches) for turn in found.turns] == [
        (None, False),
        (0, False),
        (0, True),
        (None, True),
    ]


def test_every_record_is_where_it_belongs() -> None:
    of_step, of_whole = a_reward(0.5, step_id="a", kind="process"), a_reward()
    elsewhere, rejection = a_feedback("rewarded", reward=1.0, step_id="gone"), a_rejection("a")
    found = told(of_step, a_step(step_id="a"), of_whole, elsewhere, rejection, a_sample(step_ids=["a"]), a_trajectory())
    assert found.turns[0].rewards == [of_step]
    assert found.turns[0].rejections == [rejection]
    assert found.whole.rewards == [of_whole]
    assert found.whole.feedback == [elsewhere]
    assert found.sample_of("a") == found.samples[0]
    assert found.sample_of("b") is None


def test_tokens_are_those_of_the_log() -> None:
    step = a_step(
        prompt=[1, 2],
        response=[3, 4, 5],
        prompt_prefix=after("x"),
        response_logprobs=pack_logprobs([-0.5, -1.0, -2.0]),
        policy_spans=[PolicySpan(version=6, start=0, end=1), PolicySpan(version=7, start=1, end=3)],
    )
    found = tokens(step, a_sample(1.0, mean=0.5, std=0.25), 100)
    assert [(token.position, token.id, token.logprob, token.version) for token in found] == [
        (4, 1, None, None),
        (5, 2, None, None),
        (6, 3, -0.5, 6),
        (7, 4, -1.0, 7),
        (8, 5, -2.0, 7),
    ]
    assert [token.advantage for token in found] == [None, None, 2.0, 2.0, 2.0]
    assert [token.trained for token in tokens(step, None, 100)] == [False] * 5
    assert [token.id for token in tokens(step, None, 3)] == [1, 2, 3]


def test_an_advantage_needs_no_spread() -> None:
    assert group_advantage(a_sample(1.0, mean=0.25, std=0.0)) == 0.75


def test_a_life_is_told_in_order() -> None:
    moments = [NOON.replace(minute=minute) for minute in range(8)]
    found = told(
        a_feedback("opened", at=moments[0]),
        a_step(step_id="a", finished_at=moments[1]),
        a_feedback("curated", at=moments[2], source="ana", detail_json='{"trainable": true}'),
        a_feedback("completed", at=moments[3]),
        a_reward(0.5, at=moments[4], source="judge"),
        a_trajectory(closed_at=moments[5]),
        a_sample(sample_id="s1", ready_at=moments[6], sequences=[a_sequence([1], [2], version=4)]),
    )
    outcomes = [Outcome(sample_id="s1", update_id="u7", version=7, status="trained")]
    update = an_update(7, sample_ids=["s1"])
    events = timeline(found, outcomes, [replace(update, at=moments[7])])
    assert [event.what for event in events] == [
        "opened",
        "turn 0 sampled",
        "curated",
        "completed",
        "judged",
        "sealed",
        "ready",
        "trained in update 7",
    ]
    assert events[-1].detail == "at lag 2, with 1 samples"
    assert "trainable: True" in events[2].detail


def test_a_discarded_sample_says_why() -> None:
    found = told(a_sample(sample_id="s1", ready_at=NOON))
    outcomes = [Outcome(sample_id="s1", update_id="u7", version=7, status="discarded")]
    (_, last) = timeline(found, outcomes, [an_update(7, discarded=[STALE])])
    assert (last.what, last.detail) == ("discarded by update 7", "stale: 9 versions")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('[{"role": "user", "content": "hi"}]', [Said(role="user", text="hi")]),
        (
            '[{"role": "user", "content": [{"type": "text", "text": "a"}, {"x": 1}]}]',
            [Said(role="user", text='a\n{"x": 1}')],
        ),
        ('[{"role": "tool", "content": null}, 3]', [Said(role="tool", text=""), Said(role="?", text="3")]),
        ("no json", [Said(role="?", text="no json")]),
        (
            '[{"role": "a", "reasoning": "hm", "tool_calls": [{"function": {"name": "f", "arguments": {}}}, 4]}]',
            [
                Said(
                    role="a",
                    text="",
                    reasoning="hm",
                    calls=[Call(name="f", arguments="{}"), Call(name="?", arguments="")],
                )
            ],
        ),
    ],
)
def test_messages_are_texts(text: str, said: list[Said]) -> None:
    assert messages(text) == said


def test_content_that_is_kept_apart_is_named() -> None:
    url = f"blob:sha256:{'a' * 64}?size=51234&type=image/png"
    step = a_step(
        new_messages_json=f'[{{"role": "user", "content": [{{"type": "image_url", "image_url": {{"url": "{url}"}}}}]}}]'
    )
    assert asked(step)[0].text == "[image/png, 51234 bytes, aaaaaaaaaaaa…]"
    assert answer(step) == Said(role="assistant", text="hello")
