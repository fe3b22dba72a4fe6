"""Settings of a rollout node."""

from pathlib import Path
from typing import Literal

from pydantic import Field

from clawstream.streams.settings import Section


class RolloutSettings(Section):
    """What one vLLM node serves, and how."""

    section = "rollout"
    model: Path = Field(default=Path("model"), description="Hugging Face folder to start from: version 0")
    model_name: str = Field(default="policy", description="name that agents ask for, and key of its weight versions")
    name: str = Field(default="", description="name of this node, unique among nodes; empty: host name and port")
    host: str = Field(default="127.0.0.1", description="loopback address: vLLM's control routes ask for no key")
    port: int = Field(default=0, ge=0, le=65535, description="port of the vLLM server; 0 picks a free one")
    dtype: str = Field(default="float32", description="type of the weights: float32, bfloat16 or auto")
    max_model_len: int = Field(
        default=4096, ge=16, description="longest prompt and answer together, in tokens; at most the model's own"
    )
    max_num_seqs: int = Field(default=64, ge=1, description="most requests decoded at the same time")
    kv_cache_gib: int = Field(default=1, ge=1, description="memory for the KV cache on CPU, in GiB")
    logprobs_mode: Literal["processed_logprobs", "raw_logprobs"] = Field(
        default="processed_logprobs", description="behaviour log-probabilities after or before temperature and top-p"
    )
    tool_call_parser: str = Field(default="hermes", description="vLLM's parser of tool calls; empty: none")
    extra_arguments: str = Field(default="", description="more vLLM arguments, as one shell-quoted string")
    adapters: int = Field(
        default=0, ge=0, description="most LoRA adapters served beside the model, which then stays as it is; 0: none"
    )
    max_adapter_rank: int = Field(default=16, ge=1, description="largest rank of an adapter, as vLLM knows them")
    threads: int = Field(default=0, ge=0, description="OpenMP threads of vLLM on CPU; 0: vLLM's choice")
    start_seconds: float = Field(default=300.0, gt=0, description="time that vLLM has to get ready")
    swap_seconds: float = Field(default=120.0, gt=0, description="time that one call of a weight swap has")
    transfer: Literal["", "gloo", "nccl"] = Field(
        default="",
        description="how versions are taken from their trainer's memory: gloo, or nccl on GPUs; empty: from disk alone",
    )
    turn_seconds: float = Field(
        default=10.0, ge=0, description="longest wait for other nodes that load a version first; 0: all at once"
    )
    drain_seconds: int = Field(default=10, ge=0, description="time that requests in flight have to end at a stop")
    heartbeat_seconds: float = Field(default=5.0, gt=0, description="how often the node repeats its status")
    metrics_port: int = Field(default=0, ge=0, le=65535, description="port of /metrics; 0: none")
