"""Settings of ``clawstream gateway``."""

from pathlib import Path
from typing import Literal

from pydantic import Field, SecretStr

from clawstream.streams.settings import Section


class GatewaySettings(Section):
    """Where the gateway listens, how long it waits, and what it keeps in memory."""

    section = "gateway"
    host: str = Field(
        default="127.0.0.1", description="address to listen on; one beyond loopback needs api_key or keys_file"
    )
    port: int = Field(default=8100, ge=0, le=65535, description="port to listen on; 0 takes a free one")
    api_key: SecretStr | None = Field(
        default=None,
        description="bearer token of the tenant default; every route but /healthz, /ready and /metrics asks for it",
    )
    keys_file: Path | None = Field(
        default=None, description="TOML file with the tenants, hashes of their keys and their limits"
    )
    max_in_flight: int = Field(default=1024, ge=1, description="model calls at one time; more are answered 429")
    max_body_bytes: int = Field(
        default=6 * 1024 * 1024, ge=1024, description="largest request body; keep it below kafka.max_record_bytes"
    )
    bodies_mib: int = Field(
        default=256, ge=1, description="request bodies that are read and answered at one time; more are answered 429"
    )
    body_seconds: float = Field(default=60.0, gt=0, description="time in which a request's body must arrive")
    node_seconds: float = Field(default=30.0, gt=0, description="a node is live for so long after its last heartbeat")
    node_wait_seconds: float = Field(
        default=10.0, ge=0, description="how long a call waits for a live node before it is answered 503"
    )
    connect_seconds: float = Field(default=3.0, gt=0, description="time to connect to a node before another is tried")
    silence_seconds: float = Field(
        default=300.0, gt=0, description="longest silence of a node within an answer, and of a client that reads it"
    )
    seal_seconds: float = Field(
        default=30.0, gt=0, description="longest wait for Kafka's acknowledgement; then Kafka is out (see outage)"
    )
    outage: Literal["refuse", "serve"] = Field(
        default="refuse",
        description="while Kafka acknowledges nothing: refuse calls (503), or serve them, marked as not recorded",
    )
    drain_seconds: float = Field(default=20.0, ge=0, description="time that calls in flight have to end at a stop")
    upstream_url: str | None = Field(
        default=None,
        description="base URL of a provider that speaks OpenAI's dialects, such as https://api.openai.com/v1",
    )
    upstream_key: SecretStr | None = Field(default=None, description="the provider's API key")
    upstream_models: str = Field(
        default="", description="comma-separated model names (or patterns with *) whose calls go to the provider"
    )
    blob_bytes: int = Field(
        default=16 * 1024,
        ge=256,
        description="a content part (image, audio, file) of so many is kept at kafka.blob_url",
    )
    reward_url: str | None = Field(
        default=None, description="service to which /compute_reward is passed on; without one it is answered 503"
    )
    reward_seconds: float = Field(default=60.0, gt=0, description="longest wait for the reward service")
    workers: int = Field(default=1, ge=1, le=256, description="processes that share the port")
    prefix_tokens: int = Field(
        default=16 * 1024 * 1024, ge=0, description="tokens of earlier steps kept to go on from them exactly"
    )
    prefix_steps: int = Field(default=16, ge=1, description="earlier steps of one trajectory kept for the same purpose")
    handover: bool = Field(
        default=True,
        description="follow steps and openings, so that trajectories are known, with their tokens, at every gateway",
    )
    handover_mib: int = Field(default=64, ge=1, description="steps of other gateways kept, as they lie in Kafka")
    handover_records: int = Field(
        default=2000, ge=0, description="last steps of each partition that are read back at the start"
    )
    handover_seconds: float = Field(
        default=1.0, ge=0, description="longest wait of a call for steps that are in Kafka and not here yet"
    )
    retry_seconds: float = Field(
        default=300.0, ge=0, description="how long the answer to an Idempotency-Key is kept for another try"
    )
    retry_mib: int = Field(default=64, ge=0, description="answers kept for retries; 0 keeps none")
    retry_grace_seconds: float = Field(
        default=2.0, ge=0, description="how long a call goes on for a retry after its client has gone"
    )
    max_trajectories: int = Field(default=100_000, ge=1, description="trajectories that are remembered")
    trajectories_per_version: int = Field(
        default=0, ge=0, description="train trajectories that one policy version uses up; 0 paces nobody"
    )
    max_policy_lag: int = Field(
        default=4, ge=0, description="versions that training data may be behind, as far as pacing goes"
    )
    pace_seconds: float = Field(
        default=60.0, gt=0, description="an opened trajectory stops counting for pacing after so long"
    )
