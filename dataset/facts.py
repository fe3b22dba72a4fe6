"""What the topics say of one trajectory, put together. Pure.

Invariant: the order in which records of different topics were read does not matter, and one that was read twice is one;
within a topic the log's order counts.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field

import msgspec

from clawstream.dataset.row import Source
from clawstream.schemas import CodecError, Feedback, Reward, Sample, Step, decode
from clawstream.schemas.reading.curation import Curation, excluded, read_curation

FORGET = "forget"  # the tag of a curated statement that takes a trajectory out of every dataset
Known = Step | Feedback | Reward | Sample
TYPES: dict[str, type[Known]] = {"steps": Step, "feedback": Feedback, "rewards": Reward, "samples": Sample}


class Entry(msgspec.Struct, frozen=True, array_like=True):
    """A record as it lay in the log."""

    topic: str  # bare name
    partition: int
    offset: int
    value: bytes


@dataclass(kw_only=True)
class Facts:
    """One trajectory of one tenant."""

    tenant: str
    trajectory_id: str
    steps: dict[str, Step] = field(default_factory=dict)  # in the log's order
    places: dict[str, Source] = field(default_factory=dict)  # of steps
    samples: dict[str, Sample] = field(default_factory=dict)
    rewards: dict[str, Reward] = field(default_factory=dict)
    curations: list[Curation] = field(default_factory=list)
    tags: list[str] = field(default_factory=list)
    quality: str | None = None
    metadata_json: str | None = None
    channel: str | None = None  # as it was opened with
    ended_by: str | None = None  # completed or aborted, whichever was said first

    @property
    def forgotten(self) -> bool:
        """Has somebody asked for it to be forgotten?"""
        return FORGET in self.tags

    def excluded(self) -> dict[str, str]:
        """Steps that reviewers took out, and who did."""
        return excluded(self.curations, list(self.steps))


def facts_of(entries: Iterable[Entry]) -> tuple[list[Facts], int]:
    """The trajectories in ``entries``, by tenant, and how many entries could not be read."""
    found, unreadable, feedback_ids = dict[tuple[str, str], Facts](), 0, set[tuple[str, str]]()
    for entry in sorted(entries, key=lambda entry: (entry.topic, entry.partition, entry.offset)):
        try:
            record = decode(entry.value, TYPES[entry.topic])
        except CodecError:
            unreadable += 1
            continue
        if isinstance(record, Feedback):
            if (record.tenant, record.feedback_id) in feedback_ids:
                continue
            feedback_ids.add((record.tenant, record.feedback_id))
        _note(found, entry, record)
    return [found[key] for key in sorted(found)], unreadable


def _note(found: dict[tuple[str, str], Facts], entry: Entry, record: Known) -> None:
    key = (record.tenant, record.trajectory_id)
    facts = found.setdefault(key, Facts(tenant=record.tenant, trajectory_id=record.trajectory_id))
    match record:
        case Step() if record.step_id not in facts.steps:
            facts.steps[record.step_id] = record
            place = Source(step_id=record.step_id, partition=entry.partition, offset=entry.offset)
            facts.places[record.step_id] = place
        case Feedback():
            _note_feedback(facts, record)
        case Reward():
            facts.rewards.setdefault(record.reward_id, record)
        case Sample():
            facts.samples.setdefault(record.sample_id, record)
            for reward in record.rewards:
                facts.rewards.setdefault(reward.reward_id, reward)


def _note_feedback(facts: Facts, feedback: Feedback) -> None:
    if feedback.kind == "opened":
        facts.metadata_json = feedback.detail_json or facts.metadata_json
        facts.channel = feedback.channel or facts.channel
    elif feedback.kind in ("completed", "aborted"):
        facts.ended_by = facts.ended_by or feedback.kind
    elif feedback.kind == "curated":
        facts.curations.append(read_curation(feedback))
        said = _detail(feedback)
        facts.tags += [tag for tag in said.tags if tag not in facts.tags]
        facts.quality = said.quality or facts.quality


class _Detail(msgspec.Struct):
    tags: list[str] = []
    quality: str | None = None


def _detail(feedback: Feedback) -> _Detail:
    try:
        return msgspec.json.decode(feedback.detail_json or "{}", type=_Detail)
    except msgspec.DecodeError:
        return _Detail()
