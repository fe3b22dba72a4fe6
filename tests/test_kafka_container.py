"""What a Kafka in a container is told; where no Docker engine answers that is all that can be checked."""

from tests.kafka_container import environment


def test_it_listens_on_every_address_and_is_reached_on_loopback() -> None:
    found = environment(9100)
    assert found["KAFKA_LISTENERS"] == "PLAINTEXT://0.0.0.0:9100,CONTROLLER://0.0.0.0:29093"
    assert found["KAFKA_ADVERTISED_LISTENERS"] == "PLAINTEXT://127.0.0.1:9100"
    assert found["KAFKA_CONTROLLER_QUORUM_VOTERS"] == "1@127.0.0.1:29093"
    assert found["KAFKA_AUTO_CREATE_TOPICS_ENABLE"] == "false"
