"""The configuration of one node."""

from clawstream.streams.broker.config import server_properties


def properties(port: int = 9092, controller_port: int = 20001) -> dict[str, str]:
    text = server_properties(port=port, controller_port=controller_port)
    return dict(line.split("=", 1) for line in text.splitlines())


def test_it_listens_on_this_machine_only() -> None:
    found = properties(port=9100, controller_port=20002)
    assert found["listeners"] == "PLAINTEXT://127.0.0.1:9100,CONTROLLER://127.0.0.1:20002"
    assert found["advertised.listeners"] == "PLAINTEXT://127.0.0.1:9100"
    assert found["controller.quorum.bootstrap.servers"] == "127.0.0.1:20002"


def test_one_node_is_enough_for_every_internal_topic() -> None:
    found = properties()
    wanted = [
        value for key, value in found.items() if key.endswith(("replication.factor", "min.isr", "min.insync.replicas"))
    ]
    assert wanted == ["1"] * 7


def test_a_misspelt_topic_is_not_created() -> None:
    assert properties()["auto.create.topics.enable"] == "false"


def test_a_record_of_eight_mebibytes_fits_with_its_overhead() -> None:
    assert int(properties()["message.max.bytes"]) >= 2 * 8 * 1024 * 1024


def test_paths_are_relative() -> None:
    assert properties()["log.dirs"] == "kafka"
