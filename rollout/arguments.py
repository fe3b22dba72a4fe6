"""The vLLM server's command line and environment, from settings. Pure."""

import json
import shlex
import sys
from collections.abc import Mapping

from clawstream.rollout.settings import RolloutSettings
from clawstream.streams.process.child import keeping_bytecode
from clawstream.streams.process.ports import HOST
from clawstream.streams.settings import PREFIX, SettingsError

_VERSIONS_AT_ONCE = 2  # of each adapter: calls under way end with the one that they began with, and no new call waits
_PIPELINE = ("--pipeline-parallel-size", "--pipeline_parallel_size", "-pp")


def arguments(settings: RolloutSettings, port: int) -> list[str]:
    """The command that starts vLLM on ``port``. What settings say wins over ``extra_arguments``.

    Raises ``SettingsError`` for a host that others can reach, and for pipeline parallelism.
    """
    if settings.host not in (HOST, "localhost"):
        raise SettingsError(
            f"rollout.host is {settings.host}: anybody who reaches vLLM's control routes can pause it or change its "
            f"weights, so it must be a loopback address such as {HOST}"
        )
    extra = shlex.split(settings.extra_arguments)
    if any(argument.split("=")[0] in _PIPELINE for argument in extra):
        raise SettingsError(
            "rollout.extra_arguments asks for pipeline parallelism: with it, weights cannot be swapped under requests "
            "in flight"
        )
    command = [sys.executable, "-m", "clawstream.rollout.vllm_server", *extra]
    options = {
        "model": str(settings.model),
        "served-model-name": settings.model_name,
        "host": settings.host,
        "port": str(port),
        "dtype": settings.dtype,
        "max-model-len": str(max_model_len(settings)),
        "max-num-seqs": str(settings.max_num_seqs),
        "logprobs-mode": settings.logprobs_mode,
        "generation-config": "vllm",  # sampling defaults are the API's, not those of a file in the model's folder
        "shutdown-timeout": str(settings.drain_seconds),
        "worker-extension-cls": "clawstream.rollout.vllm_worker.VersionLoader",
    }
    for name, value in options.items():
        command += [f"--{name}", value]
    if settings.transfer:
        command += ["--weight-transfer-config", json.dumps({"backend": settings.transfer})]
    if settings.adapters:
        command += ["--enable-lora", "--max-lora-rank", str(settings.max_adapter_rank)]
        command += ["--max-loras", str(_VERSIONS_AT_ONCE * settings.adapters)]
    command += ["--enforce-eager", "--disable-uvicorn-access-log"]
    if settings.tool_call_parser:
        command += ["--enable-auto-tool-choice", "--tool-call-parser", settings.tool_call_parser]
    return command


def max_model_len(settings: RolloutSettings) -> int:
    """``settings.max_model_len``, or what the model was made for where that is less. Tokens."""
    try:
        config = json.loads((settings.model / "config.json").read_text())
    except (OSError, ValueError):
        return settings.max_model_len  # vLLM says what is wrong with it
    for part in (config, config.get("text_config")):
        if isinstance(part, dict) and isinstance(own := part.get("max_position_embeddings"), int):
            return min(settings.max_model_len, own)
    return settings.max_model_len


def environment(settings: RolloutSettings, inherited: Mapping[str, str]) -> dict[str, str]:
    """``inherited`` without our own settings, such as Kafka's password, and what vLLM needs: control routes on, no
    calls outside, bytecode kept."""
    added = {
        "VLLM_SERVER_DEV_MODE": "1",
        "VLLM_CPU_KVCACHE_SPACE": str(settings.kv_cache_gib),
        "VLLM_NO_USAGE_STATS": "1",
        "HF_HUB_OFFLINE": "1",
        "PYTHONUNBUFFERED": "1",
    }
    if settings.adapters:
        added |= {"VLLM_ALLOW_RUNTIME_LORA_UPDATING": "1"}
    if settings.threads:
        added |= {"OMP_NUM_THREADS": str(settings.threads), "VLLM_CPU_OMP_THREADS_BIND": "nobind"}
    kept = keeping_bytecode(inherited)
    return {name: value for name, value in kept.items() if not name.startswith(PREFIX)} | added
