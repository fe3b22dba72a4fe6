"""Streamed equals unstreamed equals recorded, in every dialect, however the node cuts its answer.

The streams are read by the official clients' own code.
"""

import json
from typing import Any

import pytest
from anthropic.lib.streaming._messages import accumulate_event
from hypothesis import given
from hypothesis import strategies as st
from openai.lib.streaming.chat._completions import ChatCompletionStreamState
from openai.types.chat import ChatCompletionChunk
from openai.types.responses import Response
from pydantic import TypeAdapter

from clawstream.gateway.chat.answers import Answers
from clawstream.gateway.chat.sse import SseDecoder
from clawstream.gateway.dialects.chat import ChatExchange
from clawstream.gateway.dialects.completions import CompletionsExchange
from clawstream.gateway.dialects.exchange import Exchange
from clawstream.gateway.dialects.messages import MessagesExchange
from clawstream.gateway.dialects.responses import ResponsesExchange
from tests.builders import NOON
from tests.gateway.samples import as_chunk, chunk_data, completion_data

TEXT = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=12)
CALLS = st.tuples(
    st.from_regex(r"\A[a-z]{1,8}\Z"), st.dictionaries(st.text(max_size=3), st.integers() | TEXT | st.none(), max_size=3)
)
PARTS = st.lists(
    st.one_of(
        st.tuples(st.just("reasoning"), TEXT), st.tuples(st.just("content"), TEXT), st.tuples(st.just("call"), CALLS)
    ),
    max_size=6,
)
Deltas = list[dict[str, Any]]
MESSAGES = [{"role": "user", "content": "hi"}]
BODIES: dict[str, dict[str, Any]] = {
    "chat": {"messages": MESSAGES, "stream_options": {"include_usage": True}},
    "responses": {"input": "hi"},
    "messages": {"messages": MESSAGES, "max_tokens": 9},
}
DIALECTS: dict[str, Any] = {"chat": ChatExchange, "responses": ResponsesExchange, "messages": MessagesExchange}


@st.composite
def answers_in_deltas(draw: st.DrawFn) -> Deltas:
    """An answer as deltas: each part cut at random, neighbours sometimes in one delta."""
    deltas: Deltas = []
    for kind, said in draw(PARTS):
        if kind != "call":
            deltas += [{kind: piece} for piece in draw(cuts(said))]
            continue
        index, (name, arguments) = sum("id" in call for call in calls_of(deltas)), said
        start = {"index": index, "id": f"call-{index}", "type": "function", "function": {"name": name}}
        pieces = draw(cuts(json.dumps(arguments)))
        deltas += [{"tool_calls": [start]}]
        deltas += [{"tool_calls": [{"index": index, "function": {"arguments": piece}}]} for piece in pieces]
    merged: Deltas = [{"role": "assistant", "content": ""}]
    for delta in deltas:
        if "reasoning" in merged[-1] and "content" in delta and "content" not in merged[-1] and draw(st.booleans()):
            merged[-1] = merged[-1] | delta
        else:
            merged.append(delta)
        merged += [{}] * draw(st.integers(0, 1))
    return merged


def calls_of(deltas: Deltas) -> list[dict[str, Any]]:
    return [call for delta in deltas for call in delta.get("tool_calls", ())]


@st.composite
def cuts(draw: st.DrawFn, text: str) -> list[str]:
    """``text`` in pieces, none of them empty."""
    places = sorted(draw(st.sets(st.integers(1, max(1, len(text) - 1)), max_size=4)))
    pieces = [text[start:end] for start, end in zip([0, *places], [*places, len(text)], strict=True)]
    return [piece for piece in pieces if piece]


def chunks_of(deltas: Deltas) -> list[dict[str, Any]]:
    finish = "tool_calls" if calls_of(deltas) else "stop"
    chunks = [chunk_data(delta, tokens=[7], prompt_token_ids=[1, 2]) for delta in deltas]
    used = {"prompt_tokens": 2, "completion_tokens": len(deltas), "total_tokens": 2 + len(deltas)}
    return [*chunks, chunk_data(finish_reason=finish), chunk_data() | {"choices": [], "usage": used}]


def told(exchange: Exchange, chunks: list[dict[str, Any]]) -> tuple[bytes, Answers]:
    """The frames for ``chunks``, and what is recorded of them."""
    answers, frames = Answers(), b""
    for data in chunks:
        answers.add(as_chunk(data), NOON)
        frames += exchange.frames(json.dumps(data).encode(), as_chunk(data))
    return frames, answers


def events_of(frames: bytes) -> list[dict[str, Any]]:
    events = list(SseDecoder().feed(frames))
    return [json.loads(event) for event in events if event != b"[DONE]"]


def chat_client(events: list[dict[str, Any]]) -> Any:
    """A stream as OpenAI's client puts it together, as one message."""
    state: Any = ChatCompletionStreamState()
    for event in events:
        state.handle_chunk(ChatCompletionChunk.model_validate(event))
    message = state.current_completion_snapshot.choices[0].message.to_dict()
    return {key: message.get(key) for key in ("content", "reasoning", "tool_calls")}


def anthropic_client(events: list[dict[str, Any]]) -> Any:
    """A stream as Anthropic's client puts it together."""
    snapshot, buffers = None, {}
    for event in events:
        if event["type"] not in ("ping", "message_stop"):
            snapshot = accumulate_event(event=event, current_snapshot=snapshot, json_bufs=buffers)  # type: ignore[arg-type]
    assert snapshot is not None
    return snapshot.to_dict()


def responses_client(events: list[dict[str, Any]]) -> Any:
    """The output that a stream's items add up to; all events agree with it."""
    assert [event["sequence_number"] for event in events] == list(range(len(events)))
    items: list[Any] = []
    grown: dict[int, str] = {}
    for event in events:
        index = event.get("output_index", 0)
        if event["type"] == "response.output_item.added":
            assert (len(items), event["item"]["status"]) == (index, "in_progress")
            items.append(None)
        elif event["type"].endswith(".delta"):
            assert items[index] is None
            grown[index] = grown.get(index, "") + event["delta"]
        elif event["type"] == "response.output_item.done":
            items[index] = event["item"]
            assert grown.get(index, "") == content_of(event["item"])
    return items


def content_of(item: dict[str, Any]) -> str:
    return str(item["arguments"] if item["type"] == "function_call" else item["content"][0]["text"])


def of_kind(output: list[Any], kind: str) -> str | None:
    return "".join(content_of(item) for item in output if item["type"] == kind) or None


def both(name: str, deltas: Deltas) -> tuple[list[dict[str, Any]], Any, Any]:
    """Events of the stream, the whole, and the recorded answer."""
    chunks = chunks_of(deltas)
    streamed = DIALECTS[name](BODIES[name] | {"stream": True})
    frames, answers = told(streamed, chunks)
    assert all(
        word not in frames for word in (b"event: message_stop\n", b"event: response.completed\n", b"data: [DONE]\n")
    )
    whole = DIALECTS[name](BODIES[name])
    nothing, _ = told(whole, chunks)
    assert nothing == b""
    return events_of(frames + streamed.end(answers)), json.loads(whole.whole(answers)), answers.first


@given(answers_in_deltas())
def test_chat(deltas: Deltas) -> None:
    events, whole, recorded = both("chat", deltas)
    message = chat_client(events)
    given_whole = whole["choices"][0]["message"]
    assert (message["content"] or "") == (given_whole["content"] or "") == recorded.text
    assert message.get("reasoning") == given_whole.get("reasoning") == recorded.reasoning_text
    streamed_calls = [call["function"] for call in message["tool_calls"] or ()]
    assert [(call["name"], call["arguments"]) for call in streamed_calls] == [
        (call["function"]["name"], call["function"]["arguments"]) for call in given_whole.get("tool_calls", ())
    ]
    assert given_whole.get("tool_calls", []) == recorded.tool_messages
    assert events[-1]["usage"] == whole["usage"] == recorded.usage


@given(answers_in_deltas())
def test_messages(deltas: Deltas) -> None:
    events, whole, recorded = both("messages", deltas)
    assert anthropic_client(events) == whole
    blocks = whole["content"]
    assert "".join(block["text"] for block in blocks if block["type"] == "text") == recorded.text
    thought = "".join(block["thinking"] for block in blocks if block["type"] == "thinking")
    assert (thought or None) == recorded.reasoning_text
    called = [(block["id"], block["name"], block["input"]) for block in blocks if block["type"] == "tool_use"]
    assert called == [
        (call["id"], call["function"]["name"], json.loads(call["function"]["arguments"]))
        for call in recorded.tool_messages
    ]
    assert [event["type"] for event in events[:2]] == ["message_start", "ping"]
    assert [event["type"] for event in events[-2:]] == ["message_delta", "message_stop"]
    opened = [event["index"] for event in events if event["type"] == "content_block_start"]
    closed = [event["index"] for event in events if event["type"] == "content_block_stop"]
    assert opened == closed == list(range(len(blocks)))


@given(answers_in_deltas())
def test_responses(deltas: Deltas) -> None:
    events, whole, recorded = both("responses", deltas)
    assert responses_client(events) == whole["output"] == events[-1]["response"]["output"]
    assert events[-1]["response"] == whole
    assert TypeAdapter(Response).validate_python(whole).output_text == recorded.text
    assert of_kind(whole["output"], "reasoning") == recorded.reasoning_text
    assert [
        (item["call_id"], item["name"], item["arguments"])
        for item in whole["output"]
        if item["type"] == "function_call"
    ] == [(call["id"], call["function"]["name"], call["function"]["arguments"]) for call in recorded.tool_messages]
    assert [event["type"] for event in events[:2]] == ["response.created", "response.in_progress"]
    assert events[-1]["type"] == "response.completed"


@given(st.lists(TEXT, min_size=1, max_size=6))
def test_completions(pieces: list[str]) -> None:
    text = "".join(pieces)
    chunks = completion_data([1, 2], list(range(len(pieces))), text=text)
    streamed = CompletionsExchange({"prompt": [1, 2], "stream": True, "logprobs": 0})
    frames, answers = told(streamed, chunks)
    events = events_of(frames + streamed.end(answers))
    whole = json.loads(CompletionsExchange({"prompt": [1, 2], "logprobs": 0}).whole(answers))
    seen = [choice for event in events for choice in event["choices"]]
    assert "".join(choice["text"] for choice in seen) == whole["choices"][0]["text"] == answers.first.text == text


@pytest.mark.parametrize("name", ["messages", "responses"])
def test_a_cut_off_answer_says_so(name: str) -> None:
    chunks = chunks_of([{"content": "ab"}])
    chunks[-2]["choices"][0]["finish_reason"] = "length"
    exchange = DIALECTS[name](BODIES[name] | {"stream": True})
    frames, answers = told(exchange, chunks)
    last = events_of(frames + exchange.end(answers))[-2:]
    if name == "messages":
        assert last[0]["delta"] == {"stop_reason": "max_tokens", "stop_sequence": None}
    else:
        assert last[1]["type"] == "response.incomplete"
        assert last[1]["response"]["incomplete_details"] == {"reason": "max_output_tokens"}
        assert last[1]["response"]["output"][-1]["status"] == "incomplete"
