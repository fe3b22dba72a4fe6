"""The vLLM server's command line and environment, from settings. Pure."""

import shlex
import sys
from collections.abc import Mapping

from clawstream.rollout.settings import RolloutSettings
from clawstream.streams.ports import HOST


class UnsafeHostError(ValueError):
    """vLLM's control routes would be open to others."""


def arguments(settings: RolloutSettings, port: int) -> list[str]:
    """The command that starts vLLM on ``port``. Raises ``UnsafeHostError`` for a host that others can reach."""
    if settings.host not in (HOST, "localhost", "::1"):
        raise UnsafeHostError(
            f"rollout.host is {settings.host}: anybody who reaches vLLM's control routes can pause it or change its "
            f"weights, so it must be a loopback address such as {HOST}"
        )
    command = [sys.executable, "-m", "clawstream.rollout.vllm_server"]
    options = {
        "model": str(settings.model),
        "served-model-name": settings.model_name,
        "host": settings.host,
        "port": str(port),
        "dtype": settings.dtype,
        "max-model-len": str(settings.max_model_len),
        "max-num-seqs": str(settings.max_num_seqs),
        "logprobs-mode": settings.logprobs_mode,
        "generation-config": "vllm",
    }
    for name, value in options.items():
        command += [f"--{name}", value]
    command += ["--enforce-eager", "--disable-uvicorn-access-log"]
    if settings.tool_call_parser:
        command += ["--enable-auto-tool-choice", "--tool-call-parser", settings.tool_call_parser]
    return command + shlex.split(settings.extra_arguments)


def environment(settings: RolloutSettings, inherited: Mapping[str, str]) -> dict[str, str]:
    """``inherited`` and what vLLM needs: control routes on, no calls outside."""
    added = {
        "VLLM_SERVER_DEV_MODE": "1",
        "VLLM_CPU_KVCACHE_SPACE": str(settings.kv_cache_gib),
        "VLLM_NO_USAGE_STATS": "1",
        "HF_HUB_OFFLINE": "1",
        "PYTHONUNBUFFERED": "1",
    }
    if settings.threads:
        added |= {"OMP_NUM_THREADS": str(settings.threads), "VLLM_CPU_OMP_THREADS_BIND": "nobind"}
    return {**inherited, **added}
