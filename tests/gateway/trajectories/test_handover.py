"""What another process wrote is known here as if it had been written here; what is kept is bounded."""

import asyncio
import contextlib
import threading
from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from clawstream.gateway.log.ledger import WRITER
from clawstream.gateway.tokens.history import answer_message
from clawstream.gateway.tokens.prefix import PrefixStore, known_of, shorten
from clawstream.gateway.trajectories.handover import Handover, Others, learn
from clawstream.gateway.trajectories.seen import Seen
from clawstream.schemas import TOKEN_BYTES, Step, pack_tokens
from clawstream.streams.reading.tail import RawRecord, Tail
from clawstream.streams.settings import KafkaSettings
from clawstream.streams.writing.producer import Producer
from clawstream.topics import STEPS
from tests.builders import a_step

USER = {"role": "user", "content": "hi"}
TOOLS = [{"type": "function", "function": {"name": "calc"}}]


def raw(key: str, value: bytes, writer: str = "other") -> RawRecord:
    return RawRecord(partition=0, offset=0, timestamp_ms=0, key=key, value=value, headers={WRITER: writer.encode()})


def test_others_are_kept_in_order_and_taken_once() -> None:
    others = Others(1000, "me")
    for record in (raw("t", b"1"), raw("u", b"x"), raw("t", b"2"), raw("t", b"mine", "me")):
        others.add(record)
    assert others.take("t") == [b"1", b"2"]
    assert others.take("t") == []
    assert others.held_bytes == 1


def test_others_are_bounded_and_what_was_written_longest_ago_goes_first() -> None:
    others = Others(10, "me")
    for key in ("a", "b", "a", "c"):
        others.add(raw(key, b"x" * 4))
    assert others.held_bytes == 4
    assert (others.take("a"), others.take("b"), others.take("c")) == ([], [], [b"xxxx"])
    others.add(raw("big", b"x" * 11))
    assert others.held_bytes == 0


@given(
    st.lists(
        st.tuples(
            st.lists(st.integers(0, 3), max_size=3),
            st.lists(st.integers(0, 3), min_size=1, max_size=3),
            st.sampled_from([[], TOOLS]),
        ),
        min_size=1,
        max_size=6,
    )
)
def test_what_is_learned_from_the_log_is_what_the_writer_knows(turns: list[Any]) -> None:
    writer, reader = PrefixStore(100_000, 16), PrefixStore(100_000, 16)
    history, messages = b"", [USER]
    for number, (added, response, tools) in enumerate(turns):
        prompt, text = history + pack_tokens([9, *added]), f"answer {number}"
        known = writer.find("t1", prompt)
        stored = shorten(prompt, messages, tools, known)
        history = prompt + pack_tokens(response)
        step = a_step(
            response=response,
            step_id=str(number),
            text=text,
            prompt_prefix=stored.prefix,
            prompt_tokens=stored.prompt_tokens,
            new_messages_json=stored.new_messages_json,
            tools_json=stored.tools_json,
        )
        answer = answer_message(text, ())
        writer.remember("t1", known_of(str(number), history, messages, answer, tools, {}, "policy"))
        learn(step, reader)
        messages = [*messages, {"role": "assistant", "content": f" {text}"}, {"role": "user", "content": "go on"}]
    assert reader.steps("t1") == sorted(writer.steps("t1"), key=lambda known: int(known.step_id))


@pytest.mark.parametrize(
    "fields",
    [
        {"turn_type": "side"},
        {"trainable": False, "untrainable_reason": "length: the answer was cut off at its token limit"},
        {"prompt_prefix": {"step_id": "unknown", "token_count": 1, "sha256": ""}},
    ],
)
def test_what_must_not_be_gone_on_from_is_not_learned(fields: dict[str, Any]) -> None:
    store = PrefixStore(1000, 4)
    learn(msgspec.convert(msgspec.to_builtins(a_step()) | fields, Step), store)
    assert store.steps("t1") == []


def test_a_greedy_answer_is_exact_and_is_learned() -> None:
    store = PrefixStore(1000, 4)
    learn(
        a_step(trainable=False, untrainable_reason="temperature: temperature is 0: the answer was chosen, not sampled"),
        store,
    )
    assert len(store.steps("t1")) == 1
    assert len(store.steps("t1")[0].tokens) == 4 * TOKEN_BYTES


@contextlib.asynccontextmanager
async def followed(kafka: KafkaSettings, store: PrefixStore) -> AsyncIterator[tuple[Handover, Producer]]:
    handover = Handover(Tail(kafka, STEPS, 10), Others(10_000_000, "me"), store, 5.0, Seen(10))
    stop, producer = threading.Event(), Producer(kafka, "test")
    following = asyncio.create_task(asyncio.to_thread(handover.follow, stop))
    try:
        yield handover, producer
    finally:
        stop.set()
        await following
        await asyncio.to_thread(producer.close)


@pytest.mark.kafka
async def test_catching_up_sees_all_that_was_in_the_log(kafka: KafkaSettings) -> None:
    store = PrefixStore(100_000, 16)
    async with followed(kafka, store) as (handover, producer):
        for number in range(5):
            await producer.asend(STEPS, a_step(step_id=str(number)), {WRITER: "other"})
            assert await handover.catch_up("t1")
            assert handover.learn("t1")
            assert [known.step_id for known in store.steps("t1")] == [str(each) for each in range(number + 1)]
        assert not handover.learn("t1")
        producer.send_bytes(kafka.name("steps"), b"t1", b"no step").result(10)
        await producer.asend(STEPS, a_step(step_id="mine"), {WRITER: "me"})
        assert await handover.catch_up("t1")
        assert handover.learn("t1")
        assert len(store.steps("t1")) == 5


@pytest.mark.kafka
async def test_a_log_that_is_not_followed_is_not_waited_for(kafka: KafkaSettings) -> None:
    tail, producer = Tail(kafka, STEPS, 10), Producer(kafka, "test")
    handover = Handover(tail, Others(1000, "me"), PrefixStore(1000, 4), 0.3, Seen(10))
    await producer.asend(STEPS, a_step())
    assert not await handover.catch_up("t1")
    tail.close()
    await asyncio.to_thread(producer.close)
