import socket
from pathlib import Path

import pytest

from clawstream.cli.main import cli
from clawstream.streams.settings import KafkaSettings, SettingsError
from clawstream.up.command import run
from clawstream.up.processes import stack
from clawstream.up.settings import UpSettings


def test_everything_is_laid_out_on_free_ports(tmp_path: Path) -> None:
    layout = stack(UpSettings(model=tmp_path, data_dir=tmp_path, nodes=2, workers=3), KafkaSettings())
    names = [process.name for process in layout.apps]
    assert names == ["rollout-0", "rollout-1", "gateway", "process-0", "process-1", "process-2", "train", "console"]
    assert layout.broker is not None
    assert {process.environment["CLAWSTREAM_KAFKA_BOOTSTRAP_SERVERS"] for process in layout.apps} == {
        layout.kafka.bootstrap_servers
    }


def test_each_process_is_a_command_with_flags_that_exist(tmp_path: Path) -> None:
    layout = stack(UpSettings(model=tmp_path, data_dir=tmp_path), KafkaSettings())
    assert layout.broker is not None
    for process in (layout.broker, *layout.apps):
        command = cli.commands[process.arguments[0]]
        flags = {flag for option in command.params for flag in option.opts}
        assert {argument for argument in process.arguments if argument.startswith("--")} <= flags


def test_the_console_asks_this_gateway_or_does_not_run(tmp_path: Path) -> None:
    (tmp_path / "tokenizer.json").write_text("{}")
    layout = stack(UpSettings(model=tmp_path, console_port=0), KafkaSettings())
    console = next(process for process in layout.apps if process.name == "console")
    assert layout.gateway_url in console.arguments
    assert ("--model", str(tmp_path)) == console.arguments[-2:]
    assert layout.console_url == f"http://127.0.0.1:{console.arguments[2]}"
    without = stack(UpSettings(model=tmp_path, console=False), KafkaSettings())
    assert without.console_url is None
    assert "console" not in {process.name for process in without.apps}


def test_a_configured_cluster_is_used_instead_of_a_broker(tmp_path: Path) -> None:
    layout = stack(UpSettings(model=tmp_path), KafkaSettings(bootstrap_servers="kafka.example:9092"))
    assert layout.broker is None
    assert layout.kafka.bootstrap_servers == "kafka.example:9092"


def test_its_own_broker_is_not_secured(tmp_path: Path) -> None:
    kafka = KafkaSettings(security_protocol="SSL")
    with pytest.raises(SettingsError, match=r"security_protocol is SSL, and bootstrap_servers names no cluster"):
        stack(UpSettings(model=tmp_path), kafka)
    named = kafka.model_copy(update={"bootstrap_servers": "kafka.example:9093"})
    environment = stack(UpSettings(model=tmp_path), named).apps[0].environment
    assert environment["CLAWSTREAM_KAFKA_SECURITY_PROTOCOL"] == "SSL"


def test_a_taken_port_gives_way_to_a_free_one(tmp_path: Path) -> None:
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        taken = holder.getsockname()[1]
        layout = stack(UpSettings(model=tmp_path, port=taken), KafkaSettings())
    assert not layout.gateway_url.endswith(f":{taken}")


def test_a_folder_without_a_model_gets_one_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(UpSettings(model=tmp_path), KafkaSettings()) == 2
    assert "is no Hugging Face model folder: no config.json" in capsys.readouterr().err
