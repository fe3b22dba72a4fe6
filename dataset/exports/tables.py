"""Parquet that others load as it is: for Hugging Face ``datasets`` and for verl.

Invariant: a column has one type over all rows, so what a message holds beyond text (parts, tool calls) is JSON in text.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa

from clawstream.dataset.exports.preferences import parts
from clawstream.dataset.parquet import SCHEMA, ParquetFile, cells_of
from clawstream.dataset.row import Row
from clawstream.schemas import unpack_logprobs, unpack_tokens
from clawstream.schemas.reading.fields import json_object

_TEXT = pa.string()
_FIELDS = ("role", "content", "reasoning_content", "tool_calls", "tool_call_id", "name")
_MESSAGES = pa.list_(pa.struct([pa.field(name, _TEXT) for name in _FIELDS]))
_HUGGING_FACE = pa.schema(
    [pa.field("messages", _MESSAGES) if field.name == "messages_json" else field for field in SCHEMA]
)
_VERL = pa.schema(
    [
        pa.field("data_source", _TEXT),
        pa.field("prompt", _MESSAGES),
        pa.field("ability", _TEXT),
        pa.field("reward_model", pa.struct([pa.field("style", _TEXT), pa.field("ground_truth", _TEXT)])),
        pa.field("extra_info", pa.struct([pa.field(name, _TEXT) for name in ("row_id", "trajectory_id", "metadata")])),
        pa.field("uid", _TEXT),
        pa.field("prompts", pa.list_(pa.int32())),
        pa.field("responses", pa.list_(pa.int32())),
        pa.field("response_mask", pa.list_(pa.int8())),
        pa.field("rollout_log_probs", pa.list_(pa.float32())),
        pa.field("reward", pa.float64()),
        pa.field("policy_version", pa.int64()),
    ]
)


def hugging_face(folder: Path, split: str, rows: Iterable[Row]) -> int:
    """``data/<split>-00000.parquet``: every column of a dataset, with ``messages`` as a list; how many rows."""
    file = ParquetFile(folder / "data" / f"{split}-00000.parquet", _HUGGING_FACE)
    for row in rows:
        cells, size = cells_of(row)
        file.add(cells | {"messages": _messages(msgspec.json.decode(row.messages_json))}, size)
    file.close()
    return file.rows


def card(folder: Path, name: str, splits: Iterable[str]) -> None:
    """The ``README.md`` by which ``load_dataset`` finds the splits."""
    listed = "".join(f"  - split: {split}\n    path: data/{split}-*.parquet\n" for split in splits)
    head = f"---\nconfigs:\n- config_name: default\n  data_files:\n{listed}---\n"
    (folder / "README.md").write_text(f"{head}\n# {name}\n\nBuilt from topics by `clawstream dataset`.\n")


def verl(folder: Path, split: str, rows: Iterable[Row], name: str) -> int:
    """``<split>.parquet``: verl's columns of a prompt, and what was sampled for it; how many rows."""
    file = ParquetFile(folder / f"{split}.parquet", _VERL, dictionary=["data_source", "ability", "uid"])
    for row in rows:
        first = row.responses[0].start
        tokens, logprobs = unpack_tokens(row.tokens), unpack_logprobs(row.logprobs)
        mask = np.zeros(len(tokens), np.int8)
        for span in row.responses:
            mask[span.start : span.end] = 1
        cells = {
            "data_source": name,
            "prompt": _messages(parts(row)[0]),
            "ability": row.agent,
            "reward_model": {"style": "rule", "ground_truth": _ground_truth(row.metadata_json)},
            "extra_info": {
                "row_id": row.row_id,
                "trajectory_id": row.trajectory_id,
                "metadata": row.metadata_json,
            },
            "uid": row.group_id,
            "prompts": tokens[:first],
            "responses": tokens[first:],
            "response_mask": mask[first:],
            "rollout_log_probs": logprobs[first:],
            "reward": row.reward,
            "policy_version": row.policy_version_min,
        }
        file.add(cells, len(row.tokens) + len(row.logprobs) + len(row.messages_json))
    file.close()
    return file.rows


def _messages(messages: list[dict[str, Any]]) -> list[dict[str, str | None]]:
    return [{name: _text(message.get(name)) for name in _FIELDS} for message in messages]


def _text(value: Any) -> str | None:
    return value if value is None or isinstance(value, str) else msgspec.json.encode(value).decode()


def _ground_truth(metadata_json: str | None) -> str | None:
    """``answer`` of a trajectory's metadata, where it is there: what rewards by rule compare with."""
    return _text(json_object(metadata_json).get("answer"))
