"""Conversations for supervised tuning: one JSON object a line, in OpenAI's chat form. Pure."""

from collections.abc import Iterator
from typing import Any

import msgspec

from clawstream.dataset.row import Row


def chat(row: Row) -> Iterator[dict[str, Any]]:
    """``row`` as ``messages`` and ``tools``, with where it came from; nothing where its prompts were token ids."""
    messages = msgspec.json.decode(row.messages_json)
    if all(message.get("role") == "assistant" for message in messages):
        return
    said: dict[str, Any] = {"messages": messages}
    if row.tools_json is not None:
        said["tools"] = msgspec.json.decode(row.tools_json)
    yield said | {
        "reward": row.reward,
        "group_id": row.group_id,
        "trajectory_id": row.trajectory_id,
        "row_id": row.row_id,
    }
