"""Settings of ``clawstream train``. Light: importing this imports no torch."""

from pathlib import Path
from typing import ClassVar, Literal

from pydantic import Field

from clawstream.streams.settings import Section


class TrainerSettings(Section):
    """What is trained, on which windows, with which objective, and where its checkpoints lie."""

    section: ClassVar[str] = "trainer"

    model: Path = Field(description="Hugging Face folder of the weights that training begins with (safetensors)")
    model_name: str = Field("policy", description="name that the model is served and announced under")
    output_dir: Path = Field(Path("checkpoints"), description="folder of this trainer's checkpoints and snapshots")
    group: str = Field("trainer", description="consumer group on samples")

    algorithm: Literal["grpo", "ppo"] = Field("grpo", description="grpo: advantage from the group; ppo: with a critic")
    window_samples: int = Field(128, ge=1, description="samples that close a window")
    window_tokens: int = Field(4_000_000, ge=1, description="tokens, prompts included, that close a window")
    window_seconds: float = Field(30.0, gt=0, description="seconds after its first sample that close a window")
    max_policy_lag: int = Field(4, ge=0, description="versions behind beyond which a sample is discarded")
    seen_samples: int = Field(100_000, ge=1, description="newest sample ids remembered, so that repeats are dropped")

    learning_rate: float = Field(1e-6, gt=0, description="learning rate of the policy")
    critic_learning_rate: float = Field(1e-5, gt=0, description="learning rate of the critic")
    warmup_updates: int = Field(0, ge=0, description="updates over which learning rates rise linearly; 0: none")
    beta_1: float = Field(0.9, ge=0, lt=1, description="first Adam coefficient")
    beta_2: float = Field(0.95, ge=0, lt=1, description="second Adam coefficient")
    weight_decay: float = Field(0.0, ge=0, description="decoupled weight decay of AdamW")
    grad_clip: float = Field(1.0, gt=0, description="largest gradient norm; beyond it gradients are scaled down")

    clip_low: float = Field(0.2, gt=0, lt=1, description="ratio may fall to 1 - clip_low")
    clip_high: float = Field(0.28, gt=0, description="ratio may rise to 1 + clip_high")
    dual_clip: float = Field(3.0, gt=1, description="bound of the loss for negative advantages, in advantages")
    tis_threshold: float = Field(2.0, gt=0, description="bound of each token's importance weight pi_prox / mu")
    kl_coefficient: float = Field(0.0, ge=0, description="weight of k3 towards the initial weights; 0: no reference")
    entropy_coefficient: float = Field(0.0, ge=0, description="weight of the entropy bonus")
    gamma: float = Field(1.0, gt=0, le=1, description="discount per sampled token (ppo)")
    gae_lambda: float = Field(1.0, ge=0, le=1, description="lambda of generalised advantage estimation (ppo)")
    value_clip: float = Field(0.5, gt=0, description="how far a value may move in one update (ppo)")
    epochs: int = Field(1, ge=1, description="passes over each window")
    minibatches: int = Field(2, ge=1, description="optimiser steps in each pass; losses are token means of each")

    max_micro_batch_tokens: int = Field(16_384, ge=1, description="tokens, padding included, in one forward pass")
    zero_stage: int = Field(0, ge=0, le=2, description="DeepSpeed ZeRO stage")
    dtype: Literal["float32", "bfloat16"] = Field("float32", description="type of the weights in passes and snapshots")
    gradient_checkpointing: bool = Field(False, description="recompute activations: less memory, more time")
    seed: int = Field(0, ge=0, description="seed of minibatch order")

    keep_snapshots: int = Field(4, ge=2, description="newest versions kept on disk; version 0 is kept besides")
    metrics_port: int = Field(0, ge=0, le=65535, description="port of Prometheus metrics on loopback; 0: off")
