"""The command line and the environment of vLLM."""

from pathlib import Path

import pytest

from clawstream.rollout.arguments import arguments, environment
from clawstream.rollout.settings import RolloutSettings
from clawstream.streams.settings import SettingsError


def value(command: list[str], flag: str) -> str:
    """The last value given, which is the one that counts."""
    return command[len(command) - command[::-1].index(flag)]


def test_settings_become_flags() -> None:
    settings = RolloutSettings(model=Path("/m"), max_model_len=77, tool_call_parser="hermes")
    command = arguments(settings, 1234)
    assert value(command, "--model") == "/m"
    assert value(command, "--port") == "1234"
    assert value(command, "--host") == "127.0.0.1"
    assert value(command, "--max-model-len") == "77"
    assert value(command, "--logprobs-mode") == "processed_logprobs"
    assert value(command, "--tool-call-parser") == "hermes"
    assert "--enable-auto-tool-choice" in command


def test_no_parser_no_tools() -> None:
    command = arguments(RolloutSettings(tool_call_parser=""), 1)
    assert not {"--tool-call-parser", "--enable-auto-tool-choice"} & set(command)


def test_a_transfer_is_told_to_vllm() -> None:
    assert value(arguments(RolloutSettings(transfer="nccl"), 1), "--weight-transfer-config") == '{"backend": "nccl"}'
    assert "--weight-transfer-config" not in arguments(RolloutSettings(), 1)


def test_settings_win_over_extra_arguments() -> None:
    command = arguments(RolloutSettings(extra_arguments="--host 0.0.0.0 --seed 3 --chat-template 'a b'"), 1)
    assert value(command, "--host") == "127.0.0.1"
    assert value(command, "--seed") == "3"
    assert value(command, "--chat-template") == "a b"


@pytest.mark.parametrize("host", ["0.0.0.0", "192.0.2.1", "::"])
def test_a_host_that_others_reach_is_refused(host: str) -> None:
    with pytest.raises(SettingsError, match="must be a loopback address"):
        arguments(RolloutSettings(host=host), 1)


@pytest.mark.parametrize("extra", ["--pipeline-parallel-size 2", "--pipeline-parallel-size=2", "-pp 2"])
def test_pipeline_parallelism_is_refused(extra: str) -> None:
    with pytest.raises(SettingsError, match="pipeline parallelism"):
        arguments(RolloutSettings(extra_arguments=extra), 1)


def test_environment_adds_and_keeps() -> None:
    inherited = {"PATH": "/bin", "CLAWSTREAM_KAFKA_SASL_PASSWORD": "secret"}
    found = environment(RolloutSettings(kv_cache_gib=2), inherited)
    assert not any(name.startswith("CLAWSTREAM_") for name in found)
    assert found["PATH"] == "/bin"
    assert found["VLLM_SERVER_DEV_MODE"] == "1"
    assert found["VLLM_CPU_KVCACHE_SPACE"] == "2"
    assert found["VLLM_NO_USAGE_STATS"] == "1"
    assert not {"OMP_NUM_THREADS", "PYTHONPYCACHEPREFIX"} & set(found)


def test_there_is_room_for_two_versions_of_each_adapter_in_one_batch() -> None:
    settings = RolloutSettings(adapters=3, max_adapter_rank=8)
    command = arguments(settings, port=1)
    assert "--enable-lora" in command
    assert (value(command, "--max-loras"), value(command, "--max-lora-rank")) == ("6", "8")
    assert environment(settings, {})["VLLM_ALLOW_RUNTIME_LORA_UPDATING"] == "1"


def test_a_node_without_adapters_asks_for_no_room() -> None:
    assert "--enable-lora" not in arguments(RolloutSettings(), port=1)
    assert "VLLM_ALLOW_RUNTIME_LORA_UPDATING" not in environment(RolloutSettings(), {})


def test_threads_are_not_bound_to_cores() -> None:
    found = environment(RolloutSettings(threads=1), {"OMP_NUM_THREADS": "8"})
    assert (found["OMP_NUM_THREADS"], found["VLLM_CPU_OMP_THREADS_BIND"]) == ("1", "nobind")


def test_bytecode_is_kept_where_it_may_not_lie_beside_its_source() -> None:
    found = environment(RolloutSettings(), {"PYTHONDONTWRITEBYTECODE": "1", "XDG_CACHE_HOME": "/c"})
    assert (found["PYTHONDONTWRITEBYTECODE"], found["PYTHONPYCACHEPREFIX"]) == ("", "/c/clawstream/bytecode")


@pytest.mark.parametrize(
    ("config", "length"),
    [
        ('{"max_position_embeddings": 512}', 512),
        ('{"max_position_embeddings": 99999}', 4096),
        ('{"text_config": {"max_position_embeddings": 256}}', 256),
        ("{}", 4096),
        ("no JSON", 4096),
        (None, 4096),
    ],
)
def test_a_model_is_not_asked_for_more_than_it_was_made_for(tmp_path: Path, config: str | None, length: int) -> None:
    if config is not None:
        (tmp_path / "config.json").write_text(config)
    assert value(arguments(RolloutSettings(model=tmp_path), port=1), "--max-model-len") == str(length)
