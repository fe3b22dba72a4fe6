"""Contracts: the records that topics carry. Pure: no I/O but reading the committed schemas, no Kafka client."""

from clawstream.schemas.codec import CodecError, decode, encode
from clawstream.schemas.control import Discard, NodeHealth, NodeStatus, UpdateReport, Validation, WeightVersion
from clawstream.schemas.feedback import Feedback, FeedbackKind
from clawstream.schemas.ids import derived_id, new_id, now
from clawstream.schemas.packing import (
    TOKEN_BYTES,
    pack_logprobs,
    pack_tokens,
    tokens_digest,
    unpack_logprobs,
    unpack_tokens,
)
from clawstream.schemas.record import Record
from clawstream.schemas.reward import NextState, NextStateKind, Reward, RewardKind, Vote
from clawstream.schemas.step import PolicySpan, PromptPrefix, Step
from clawstream.schemas.trajectory import GroupStatistics, Rejection, ResponseSpan, Sample, Sequence, Trajectory

__all__ = [
    "TOKEN_BYTES",
    "CodecError",
    "Discard",
    "Feedback",
    "FeedbackKind",
    "GroupStatistics",
    "NextState",
    "NextStateKind",
    "NodeHealth",
    "NodeStatus",
    "PolicySpan",
    "PromptPrefix",
    "Record",
    "Rejection",
    "ResponseSpan",
    "Reward",
    "RewardKind",
    "Sample",
    "Sequence",
    "Step",
    "Trajectory",
    "UpdateReport",
    "Validation",
    "Vote",
    "WeightVersion",
    "decode",
    "derived_id",
    "encode",
    "new_id",
    "now",
    "pack_logprobs",
    "pack_tokens",
    "tokens_digest",
    "unpack_logprobs",
    "unpack_tokens",
]
