"""The configuration of one node."""

from clawstream.streams.broker.config import ALONE, Node, server_properties


def properties(port: int = 9092, controller_port: int = 20001, node: Node = ALONE) -> dict[str, str]:
    text = server_properties(port=port, controller_port=controller_port, node=node)
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


def test_of_three_nodes_one_may_die() -> None:
    found = properties(controller_port=20002, node=Node(node_id=2, voters={1: 20001, 2: 20002, 3: 20003}))
    assert found["controller.quorum.voters"] == "1@127.0.0.1:20001,2@127.0.0.1:20002,3@127.0.0.1:20003"
    assert (found["default.replication.factor"], found["min.insync.replicas"]) == ("3", "2")
    assert "controller.quorum.bootstrap.servers" not in found


def test_more_listeners_stand_beside_the_plain_one_and_settings_are_added() -> None:
    node = Node(listeners={"SASL_SSL": 9101}, properties={"super.users": "User:ANONYMOUS"})
    found = properties(port=9100, node=node)
    assert found["advertised.listeners"] == "PLAINTEXT://127.0.0.1:9100,SASL_SSL://127.0.0.1:9101"
    assert found["listener.security.protocol.map"] == "CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,SASL_SSL:SASL_SSL"
    assert found["super.users"] == "User:ANONYMOUS"


def test_a_misspelt_topic_is_not_created() -> None:
    assert properties()["auto.create.topics.enable"] == "false"


def test_a_record_of_eight_mebibytes_fits_with_its_overhead() -> None:
    assert int(properties()["message.max.bytes"]) >= 2 * 8 * 1024 * 1024


def test_paths_are_relative() -> None:
    assert properties()["log.dirs"] == "kafka"
