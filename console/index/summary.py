"""What each record changes in the row of its trajectory. Pure: a record in, statements of SQL out.

Invariant: a status only ever rises, and every other column takes the larger, the smaller or the newer, so topics may be
read side by side in any order::

    open -> ended -> closed -> rejected -> ready -> discarded | validated | trained
"""

import json
from collections.abc import Iterator
from typing import Any

from clawstream.console.index.entries import entry_of
from clawstream.schemas import Feedback, Record, Rejection, Reward, Sample, Step, Trajectory, UpdateReport

STATUSES = ("open", "ended", "closed", "rejected", "ready", "discarded", "validated", "trained")
ENDED, CLOSED, REJECTED, READY, DISCARDED, VALIDATED, TRAINED = range(1, 8)

Statement = tuple[str, tuple[Any, ...]]

_STEP = """
INSERT INTO trajectories (tenant, trajectory_id, opened_ms, last_ms, group_id, agent, channel, steps, tokens,
                          version_min, version_max)
VALUES (?, ?, ?, ?, ?, ?, ?, 1, ?, ?, ?)
ON CONFLICT DO UPDATE SET
    opened_ms = min(opened_ms, excluded.opened_ms), last_ms = max(last_ms, excluded.last_ms),
    group_id = excluded.group_id, agent = iif(excluded.agent = '', agent, excluded.agent),
    channel = iif(channel = '', excluded.channel, channel), steps = steps + 1, tokens = tokens + excluded.tokens,
    version_min = min(ifnull(version_min, excluded.version_min), ifnull(excluded.version_min, version_min)),
    version_max = max(ifnull(version_max, excluded.version_max), ifnull(excluded.version_max, version_max))
"""
_FOUND = """
INSERT INTO trajectories (tenant, trajectory_id, opened_ms, last_ms, group_id, channel, status)
VALUES (?, ?, ?, ?, ?, ?, ?)
ON CONFLICT DO UPDATE SET
    opened_ms = min(opened_ms, excluded.opened_ms), last_ms = max(last_ms, excluded.last_ms),
    group_id = iif(group_id = '', excluded.group_id, group_id),
    channel = iif(excluded.channel = '', channel, excluded.channel), status = max(status, excluded.status)
"""
_SET = "UPDATE trajectories SET {} WHERE tenant = ? AND trajectory_id = ?"
_REWARD = _SET.format("reward = ?")
_REWARD_ONCE = _SET.format("reward = ifnull(reward, ?)")
_REJECTED = _SET.format("rejected = rejected + 1, reason = ?")
_REVIEW, _TAGS = _SET.format("review = ?"), _SET.format("tags = ?")
_OUTCOME_OF_SAMPLE = """
UPDATE trajectories SET (status, update_version) = (
    SELECT max(trajectories.status, status), version FROM outcomes WHERE sample_id = ?)
WHERE tenant = ? AND trajectory_id = ? AND EXISTS (SELECT 1 FROM outcomes WHERE sample_id = ?)
"""
_OUTCOME = "INSERT OR REPLACE INTO outcomes (sample_id, update_id, version, status) VALUES (?, ?, ?, ?)"
_SAMPLE_OF_OUTCOME = """
UPDATE trajectories SET status = max(status, ?), update_version = ?
WHERE (tenant, trajectory_id) IN (SELECT tenant, trajectory_id FROM records WHERE topic = 'samples' AND record_id = ?)
"""


def changes(record: Record) -> Iterator[Statement]:
    """What ``record`` changes."""
    match record:
        case Step():
            versions = [span.version for span in record.policy_spans]
            yield (
                _STEP,
                (
                    *_place(record),
                    *_times(record),
                    record.group_id,
                    record.agent,
                    record.channel,
                    record.response_token_count,
                    min(versions, default=None),
                    max(versions, default=None),
                ),
            )
        case Feedback():
            yield from _feedback(record)
        case Reward(kind="outcome", value=float() as value):
            yield _seen(record, group_id="", status=0)
            yield _REWARD_ONCE, (value, *_place(record))
        case Trajectory():
            yield _seen(record, record.group_id, CLOSED, record.channel)
        case Rejection():
            yield _seen(record, record.group_id, REJECTED, record.channel)
            yield _REJECTED, (record.reason, *_place(record))
        case Sample():
            yield _seen(record, record.group_id, READY, record.channel)
            yield _REWARD, (record.reward, *_place(record))
            yield _OUTCOME_OF_SAMPLE, (record.sample_id, *_place(record), record.sample_id)
        case UpdateReport():
            yield from _update(record)


def _feedback(record: Feedback) -> Iterator[Statement]:
    status = ENDED if record.kind in ("completed", "aborted") else 0
    yield _seen(record, record.group_id, status, record.channel or "")
    if record.step_id is None and record.reward is not None:
        yield _REWARD_ONCE, (record.reward, *_place(record))
    if record.kind == "curated" and record.step_id is None:
        detail = curated(record)
        if isinstance(trainable := detail.get("trainable"), bool) and detail.get("step_index") is None:
            yield _REVIEW, ("accepted" if trainable else "rejected", *_place(record))
        if isinstance(tags := detail.get("tags"), list):
            yield _TAGS, (" ".join(str(tag) for tag in tags), *_place(record))


def curated(record: Feedback) -> dict[str, Any]:
    """The detail of a statement; empty where it cannot be read."""
    try:
        detail = json.loads(record.detail_json or "{}")
    except ValueError:
        return {}
    return detail if isinstance(detail, dict) else {}


def _update(report: UpdateReport) -> Iterator[Statement]:
    ends = [(sample_id, TRAINED) for sample_id in report.sample_ids]
    ends += [(discard.sample_id, DISCARDED) for discard in report.discarded]
    ends += [(sample_id, VALIDATED) for each in report.validations for sample_id in each.sample_ids]
    for sample_id, status in ends:
        yield _OUTCOME, (sample_id, report.update_id, report.version, status)
        yield _SAMPLE_OF_OUTCOME, (status, report.version, sample_id)


def _seen(record: Any, group_id: str, status: int, channel: str = "") -> Statement:
    return _FOUND, (*_place(record), *_times(record), group_id, channel, status)


def _place(record: Any) -> tuple[str, str]:
    return record.tenant, record.trajectory_id


def _times(record: Record) -> tuple[int, int]:
    at_ms = int(entry_of(record).at.timestamp() * 1000)
    return at_ms, at_ms
