"""Rows and datasets with sensible defaults."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import msgspec

from clawstream.dataset.manifest import Built, Manifest, Recipe, write_manifest
from clawstream.dataset.row import Row, Source
from clawstream.dataset.splitting import split_of
from clawstream.dataset.writing import Files
from clawstream.schemas import derived_id
from tests.builders import NOON, a_sequence

Message = dict[str, Any]


def a_row(trajectory: str = "t1", group: str = "g1", reward: float | None = 1.0, **fields: Any) -> Row:
    """A row of one turn: two tokens asked, two sampled."""
    sequence = a_sequence([1, 2], [3, 4])
    defaults: dict[str, Any] = {
        "row_id": derived_id("row", trajectory, str(fields.get("sequence", 0))),
        "tenant": "default",
        "group_id": group,
        "trajectory_id": trajectory,
        "sample_id": f"sample of {trajectory}",
        "sequence": 0,
        "agent": "",
        "channel": "train",
        "model": "policy",
        "node": "n1",
        "messages_json": talk("what is 1 + 1?", f"answer of {trajectory}"),
        "tools_json": None,
        "metadata_json": None,
        "ended_by": "completed",
        "finish_reason": "stop",
        "tokens": sequence.tokens,
        "logprobs": sequence.logprobs,
        "logprobs_mode": "processed_logprobs",
        "responses": sequence.responses,
        "policy_spans": sequence.policy_spans,
        "policy_version_min": 0,
        "policy_version_max": 0,
        "token_count": 4,
        "response_token_count": 2,
        "turn_count": 1,
        "reward": reward,
        "rewards": [],
        "group_size": 2,
        "group_reward_mean": 0.5,
        "group_reward_std": 0.5,
        "tags": [],
        "quality": None,
        "sources": [Source(step_id="s1", partition=0, offset=0)],
        "started_at": NOON,
        "finished_at": NOON,
    }
    return Row(**(defaults | fields))


def talk(*texts: str) -> str:
    """A conversation that the user begins, as JSON."""
    roles = ("user", "assistant")
    return msgspec.json.encode([{"role": roles[n % 2], "content": text} for n, text in enumerate(texts)]).decode()


def a_dataset(folder: Path, rows: Iterable[Row], **asked: Any) -> Path:
    """A dataset of ``rows`` in ``folder``."""
    recipe = Recipe(name="made", **asked)
    files = Files(folder, recipe.file_mib)
    for row in rows:
        files.add(split_of(row.tenant, row.group_id, recipe.splits, recipe.seed), row)
    written = files.close()
    built = Built(
        rows=files.rows.total(),
        groups=1,
        records={},
        left_out={},
        schema_ids={},
        curated=0,
        content_sha256=files.content_sha256,
        files=written,
        software={},
    )
    write_manifest(folder, Manifest(recipe=recipe, built=built))
    return folder
