"""Settings of ``clawstream train``. Light: importing this imports no torch."""

from pathlib import Path
from typing import Literal, Self, get_args

from pydantic import Field, model_validator

from clawstream.streams.process.ports import HOST
from clawstream.streams.windows.settings import WindowSettings

Algorithm = Literal[
    "grpo",
    "dr-grpo",
    "rloo",
    "reinforce++",
    "reinforce++-baseline",
    "dapo",
    "gspo",
    "cispo",
    "ppo",
    "binary",
    "distill",
    "combined",
]
Aggregation = Literal[
    "token-mean",
    "seq-mean-token-sum",
    "seq-mean-token-mean",
    "seq-mean-token-sum-norm",
    "step-mean-token-mean",
    "rollout-mean",
]
Correction = Literal["none", "tis", "sequence-tis", "icepop"]
Estimator = Literal["k1", "k3"]


class TrainerSettings(WindowSettings):
    """What is trained, on which windows, with which objective, and where its checkpoints lie."""

    model: Path = Field(description="Hugging Face folder of the weights that training begins with (safetensors)")
    output_dir: Path = Field(Path("checkpoints"), description="folder of this trainer's checkpoints and snapshots")

    algorithm: Algorithm = Field("grpo", description=f"one of {', '.join(get_args(Algorithm))}")
    node_deadline_seconds: float = Field(60.0, gt=0, description="time that slow or silent nodes are waited for")

    learning_rate: float = Field(1e-6, gt=0, description="learning rate of the policy")
    critic_learning_rate: float = Field(1e-5, gt=0, description="learning rate of the critic")
    warmup_updates: int = Field(0, ge=0, description="updates over which learning rates rise linearly; 0: none")
    beta_1: float = Field(0.9, ge=0, lt=1, description="first Adam coefficient")
    beta_2: float = Field(0.95, ge=0, lt=1, description="second Adam coefficient")
    weight_decay: float = Field(0.0, ge=0, description="decoupled weight decay of AdamW")
    grad_clip: float = Field(1.0, gt=0, description="largest gradient norm; beyond it gradients are scaled down")

    aggregation: Aggregation | None = Field(None, description="how token losses are averaged; none: the algorithm's")
    norm_tokens: int = Field(4096, ge=1, description="constant length that seq-mean-token-sum-norm divides by")
    max_grad_norm: float = Field(1e4, gt=0, description="gradient norm beyond which an update is thrown away")
    max_update_kl: float = Field(
        5.0, gt=0, description="nats per token that one update may move before it is thrown away"
    )
    clip_low: float | None = Field(
        None, gt=0, le=1, description="ratio may fall to 1 - clip_low; none: the algorithm's"
    )
    clip_high: float | None = Field(None, gt=0, description="ratio may rise to 1 + clip_high; none: the algorithm's")
    dual_clip: float = Field(3.0, gt=1, description="bound of the loss for negative advantages, in advantages")
    correction: Correction = Field(
        "tis", description="weights pi_prox / mu of stale tokens: none, tis, sequence-tis, icepop"
    )
    tis_threshold: float = Field(2.0, gt=0, description="bound of a weight pi_prox / mu (tis, sequence-tis)")
    icepop_low: float = Field(0.5, ge=0, description="a token with a smaller weight does not train (icepop)")
    icepop_high: float = Field(5.0, gt=0, description="a token with a larger weight does not train (icepop)")
    sequence_mask: Literal["none", "geometric", "product"] = Field(
        "none", description="drop sequences by the mean (geometric) or the product of their tokens' pi_prox / mu"
    )
    mask_low: float = Field(0.99, ge=0, description="smallest ratio of a sequence that trains (sequence_mask)")
    mask_high: float = Field(1.01, gt=0, description="largest ratio of a sequence that trains (sequence_mask)")
    uncorrected: bool = Field(False, description="train stale data without any correction, with a warning")
    kl_coefficient: float = Field(0.0, ge=0, description="weight of the KL to the initial weights; 0: no reference")
    kl_estimator: Estimator = Field("k3", description="k1 or k3, for a KL in the loss")
    kl_in_reward: bool = Field(False, description="subtract k1 from token rewards instead (ppo, reinforce++)")
    entropy_coefficient: float = Field(0.0, ge=0, description="weight of the entropy bonus")
    gamma: float = Field(1.0, gt=0, le=1, description="discount per sampled token or step (ppo, reinforce++)")
    gae_lambda: float = Field(1.0, ge=0, le=1, description="lambda of generalised advantage estimation (ppo)")
    gae_unit: Literal["token", "step"] = Field("token", description="what gamma and lambda count (ppo)")
    value_clip: float = Field(0.5, gt=0, description="how far a value may move in one update (ppo)")
    step_reward_weight: float = Field(0.0, ge=0, description="weight of steps' own rewards (ppo, reinforce++)")
    overlong_tokens: int = Field(0, ge=0, description="sampled tokens at which dapo's length penalty is 1; 0: none")
    overlong_buffer: int = Field(512, ge=1, description="tokens before overlong_tokens in which the penalty grows")
    hint_weight: float = Field(1.0, ge=0, description="weight of the teacher's advantage (combined)")
    reward_weight: float = Field(1.0, ge=0, description="weight of the step's reward (combined)")
    hint_clip: float | None = Field(None, gt=0, description="bound of a token's advantage from a hint, in nats")
    hint_top_k: int = Field(
        0, ge=0, description="minimise the divergence over the teacher's top tokens instead; 0: off"
    )
    hint_teacher: Literal["current", "initial", "recorded"] = Field(
        "current", description="whose weights read the hints; recorded: the teacher of the processors' hints has"
    )
    epochs: int = Field(1, ge=1, description="passes over each window")
    minibatches: int = Field(2, ge=1, description="optimiser steps in each pass; losses are aggregated over each")

    max_micro_batch_tokens: int = Field(16_384, ge=1, description="tokens, each prefix once, in one forward pass")
    zero_stage: int = Field(0, ge=0, le=3, description="DeepSpeed ZeRO stage")
    lora_rank: int = Field(
        0, ge=0, description="train adapters of this rank (peft) and publish them merged; 0: all weights"
    )
    lora_alpha: float = Field(32.0, gt=0, description="adapters are scaled by lora_alpha / lora_rank")
    lora_targets: str = Field(
        "all-linear", description="layers that get adapters, by the end of their names, with commas"
    )
    dtype: Literal["float32", "bfloat16"] = Field("float32", description="type of the weights in passes and snapshots")
    gradient_checkpointing: bool = Field(False, description="recompute activations: less memory, more time")
    seed: int = Field(0, ge=0, description="seed of minibatch order")

    keep_snapshots: int = Field(
        4, ge=2, description="newest versions kept on disk; besides, version 0 and what nodes serve"
    )
    transfer: Literal["", "gloo", "nccl"] = Field(
        "", description="how nodes may take each version from the trainer's memory: gloo, or nccl on GPUs; empty: disk"
    )
    transfer_host: str = Field(
        HOST, description="own address that nodes reach for transfers; beyond loopback, of a private network alone"
    )
    transfer_port: int = Field(0, ge=0, le=65535, description="port on which nodes ask for transfers; 0: a free one")
    transfer_seconds: float = Field(120.0, gt=0, description="time that one transfer may take")
    metrics_port: int = Field(0, ge=0, le=65535, description="port of Prometheus metrics on loopback; 0: off")

    @model_validator(mode="after")
    def _adapters_have_a_rank_and_a_name(self) -> Self:
        if self.adapter_of and not self.lora_rank:
            raise ValueError(f"adapter_of is {self.adapter_of} and lora_rank 0: adapters need a rank, such as 8")
        if self.adapter_of == self.model_name:
            raise ValueError(f"adapter_of and model_name are both {self.adapter_of}: an adapter has a name of its own")
        if self.adapter_of and self.transfer:
            raise ValueError(f"transfer is {self.transfer} and adapter_of {self.adapter_of}: adapters load from disk")
        return self

    @model_validator(mode="after")
    def _stale_data_is_corrected(self) -> Self:
        if self.correction == "none" and self.max_policy_lag > 0 and not self.uncorrected:
            raise ValueError(
                f"correction is none while max_policy_lag is {self.max_policy_lag}: stale samples would train as "
                "if they were fresh; choose a correction, or max_policy_lag 0, or say uncorrected = true"
            )
        if self.hint_top_k and self.algorithm not in ("distill", "combined"):
            raise ValueError(f"hint_top_k needs hints, which {self.algorithm} does not read: distill or combined")
        if self.hint_top_k and self.hint_teacher == "recorded":
            raise ValueError(
                "hint_top_k needs a teacher that the trainer asks: what is recorded is of sampled tokens alone"
            )
        if self.kl_in_reward and self.algorithm not in ("ppo", "reinforce++"):
            raise ValueError(f"kl_in_reward needs token rewards, which {self.algorithm} has not: ppo or reinforce++")
        return self
