"""``WeightVersion``, ``NodeStatus`` and ``UpdateReport``: what the trainer made and what the nodes serve.

States of a node::

    starting -> ready -> swapping -> ready -> stopped
"""

from datetime import datetime
from typing import Annotated, Literal

import msgspec

from clawstream.schemas.record import Record, says

NodeHealth = Literal["starting", "ready", "swapping", "stopped"]


class WeightVersion(Record, frozen=True, kw_only=True):
    """A complete snapshot of weights that nodes may load."""

    model: Annotated[str, says("model name; the record's key")]
    version: Annotated[int, says("policy version, counted from 0 for the weights that training began with")]
    uri: Annotated[str, says("file URI of a Hugging Face model folder")]
    sha256: Annotated[str, says("hex digest of the folder's safetensors file")]
    parent: Annotated[int | None, says("version that it was trained from")]
    update_id: Annotated[str | None, says("update that made it; null for the first")]
    created_at: Annotated[datetime, says("when the snapshot was complete")]
    base: Annotated[str | None, says("model that these are a LoRA adapter of; null: they are whole weights")] = None
    tenant: Annotated[str, says("whose samples trained it; empty: everybody's")] = ""
    retired: Annotated[bool, says("whether an adapter is taken from service: nodes unload it, and load it no more")] = (
        False
    )
    transfer: Annotated[
        str | None, says("where its trainer can be asked for the tensors, backend://host:port; null: nowhere")
    ] = None


class NodeStatus(Record, frozen=True, kw_only=True):
    """A rollout node: where it is, which version it serves and whether it takes requests. An adapter that it serves
    besides is a node of its own."""

    node: Annotated[str, says("node name; the record's key")]
    url: Annotated[str, says("base URL of its vLLM server, without /v1")]
    model: Annotated[str, says("model name that it serves")]
    version: Annotated[int, says("policy version being served")]
    health: Annotated[NodeHealth, says("starting, ready, swapping or stopped")]
    logprobs_mode: Annotated[str, says("raw_logprobs or processed_logprobs")]
    max_model_len: Annotated[int, says("longest prompt and answer together, in tokens")]
    at: Annotated[datetime, says("when it said so; nodes repeat themselves as a heartbeat")]
    base: Annotated[str | None, says("model that the one served is a LoRA adapter of; null: whole weights")] = None


class Discard(Record, frozen=True, kw_only=True):
    """A sample that was consumed and not trained, and why."""

    sample_id: Annotated[str, says("the sample")]
    reason: Annotated[str, says("stale, repeated, channel or unusable, with numbers")]


class Validation(Record, frozen=True, kw_only=True):
    """What the policy was worth on the validation channel, which never trains."""

    version: Annotated[int, says("policy version that sampled these; the oldest, where several did")]
    sample_ids: Annotated[list[str], says("samples of it, each here and in no other report")]
    reward_mean: Annotated[float, says("their mean reward")]
    reward_std: Annotated[float, says("unbiased standard deviation of it, 0 for one sample")]


class UpdateReport(Record, frozen=True, kw_only=True):
    """One optimiser update: what it used and what it did."""

    update_id: Annotated[str, says("deterministic: model and version")]
    model: Annotated[str, says("model name; the record's key")]
    version: Annotated[int, says("policy version that it made")]
    parent: Annotated[int, says("policy version that it began from")]
    algorithm: Annotated[str, says("name of the algorithm")]
    at: Annotated[datetime, says("when the update was complete")]
    sample_ids: Annotated[list[str], says("samples trained, each here and in no other report")]
    discarded: Annotated[list[Discard], says("samples consumed without being trained")]
    response_token_count: Annotated[int, says("sampled tokens in the loss")]
    reward_mean: Annotated[float, says("mean reward of the trained samples")]
    policy_lag_mean: Annotated[float, says("mean versions behind, over samples")]
    policy_lag_max: Annotated[int, says("most versions behind")]
    consumer_lag_records: Annotated[int, says("samples waiting in the topic when the window closed")]
    seconds: Annotated[float, says("duration of the update")]
    metrics: Annotated[dict[str, float], says("losses, gradient norm, clip fraction, KL, entropy, mean weight, ESS")]
    objective: Annotated[str, says("advantage, surrogate, aggregation and correction, as they were chosen")] = ""
    publish_lag_versions: Annotated[
        int | None, says("versions that the slowest live node was behind when the window closed; null: no node known")
    ] = None
    validations: Annotated[list[Validation], says("rewards of the validation channel since the last report")] = (
        msgspec.field(default_factory=list)
    )
