"""Preference pairs: of two answers to one prompt, the one with the higher reward and the other. Pure.

Invariant: both conversations of a pair begin with the same messages and tools, are of one group, and their rewards
differ by at least ``margin``; a trajectory speaks once, with the sequence that samples most. In TRL's conversational
form::

    {"prompt": [system, user], "chosen": [assistant, …], "rejected": [assistant, …]}
"""

from collections.abc import Iterator, Sequence
from itertools import combinations
from typing import Any, Literal

import msgspec

from clawstream.dataset.row import Row

Pairs = Literal["best", "all"]  # the best against the worst, or every two that differ
Message = dict[str, Any]


def preferences(group: Sequence[Row], pairs: Pairs, margin: float) -> Iterator[dict[str, Any]]:
    """The pairs in the rows of one group."""
    for same in _by_prompt(group):
        ranked = sorted(same, key=lambda row: (row.reward or 0.0, row.row_id))
        both = [(ranked[0], ranked[-1])] if pairs == "best" and len(ranked) > 1 else combinations(ranked, 2)
        for rejected, chosen in both:
            if _value(chosen) - _value(rejected) >= margin and _value(chosen) > _value(rejected):
                yield _pair(chosen, rejected)


def _by_prompt(group: Sequence[Row]) -> list[list[Row]]:
    """Rows with a reward, one of each trajectory, by what they were asked."""
    spoken = dict[str, Row]()
    for row in group:
        if row.reward is None:
            continue
        known = spoken.get(row.trajectory_id)
        if known is None or row.response_token_count > known.response_token_count:
            spoken[row.trajectory_id] = row
    asked = dict[bytes, list[Row]]()
    for row in spoken.values():
        prompt, answers = parts(row)
        if prompt and answers:
            asked.setdefault(msgspec.json.encode([row.tools_json, prompt]), []).append(row)
    return [asked[prompt] for prompt in sorted(asked)]


def parts(row: Row) -> tuple[list[Message], list[Message]]:
    """What comes before the first answer, and the rest."""
    messages = msgspec.json.decode(row.messages_json)
    first = next((n for n, message in enumerate(messages) if message.get("role") == "assistant"), len(messages))
    return messages[:first], messages[first:]


def _pair(chosen: Row, rejected: Row) -> dict[str, Any]:
    prompt, answers = parts(chosen)
    said: dict[str, Any] = {"prompt": prompt, "chosen": answers, "rejected": parts(rejected)[1]}
    if chosen.tools_json is not None:
        said["tools"] = msgspec.json.decode(chosen.tools_json)
    return said | {
        "reward_chosen": chosen.reward,
        "reward_rejected": rejected.reward,
        "group_id": chosen.group_id,
        "chosen_row_id": chosen.row_id,
        "rejected_row_id": rejected.row_id,
    }


def _value(row: Row) -> float:
    return 0.0 if row.reward is None else row.reward
