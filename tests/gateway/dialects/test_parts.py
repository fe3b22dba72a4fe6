"""Deltas become parts, opened, grown and closed in order."""

from typing import Any

import pytest

from clawstream.gateway.dialects.parts import Parts
from clawstream.gateway.errors import NodeError
from tests.gateway.samples import as_chunk, chunk_data


def changes(parts: Parts, *deltas: dict[str, Any]) -> list[tuple[str, int, str]]:
    made = [change for delta in deltas for change in parts.add(as_chunk(chunk_data(delta, tokens=[7])))]
    return [(change.what, change.part.index, change.piece) for change in [*made, *parts.finish()]]


def call(index: int, name: str | None = None, arguments: str | None = None) -> dict[str, Any]:
    return {"tool_calls": [{"index": index, "function": {"name": name, "arguments": arguments}}]}


def test_one_part_is_open_at_a_time() -> None:
    assert changes(
        Parts(), {"reasoning": "hm"}, {"content": "ye"}, {"content": "s"}, call(0, "f", "{"), call(0, None, "}")
    ) == [
        ("open", 0, ""),
        ("grow", 0, "hm"),
        ("close", 0, ""),
        ("open", 1, ""),
        ("grow", 1, "ye"),
        ("grow", 1, "s"),
        ("close", 1, ""),
        ("open", 2, ""),
        ("grow", 2, "{"),
        ("grow", 2, "}"),
        ("close", 2, ""),
    ]


def test_what_says_nothing_changes_nothing() -> None:
    assert changes(Parts(), {"role": "assistant", "content": ""}, {}, {"reasoning": None}) == []


def test_tokens_go_with_the_text_that_they_made() -> None:
    parts = Parts(keep_logprobs=True)
    changes(parts, {"reasoning": "hm"}, {}, {"content": "a"}, {"content": "b"}, {})
    assert [(part.kind, len(part.logprobs)) for part in parts.all] == [("reasoning", 0), ("text", 3)]


@pytest.mark.parametrize(
    ("deltas", "said"),
    [
        ([call(0, "f"), call(1, "g"), call(0, None, "{}")], "went back to tool call 0"),
        ([call(0, None, "{}")], "without a name"),
        ([call(0, "f"), call(0, "g")], "again"),
    ],
)
def test_calls_that_make_no_sense_are_an_error_of_the_node(deltas: list[dict[str, Any]], said: str) -> None:
    with pytest.raises(NodeError, match=said):
        changes(Parts(), *deltas)
