"""Which setting is to blame for what librdkafka says."""

import time
from pathlib import Path

import confluent_kafka as kafka
import pytest

from clawstream.streams.cluster.refusals import refusal, sentence_of
from clawstream.streams.settings import KafkaSettings

SSL = kafka.KafkaError._SSL
UNVERIFIED = "SSL handshake failed: error:0A000086:SSL routines::certificate verify failed"


def test_an_authority_that_is_not_set_is_the_systems() -> None:
    settings = KafkaSettings(bootstrap_servers="kafka.example:9093", security_protocol="SSL")
    told = sentence_of(settings, SSL, UNVERIFIED)
    assert told is not None
    assert told.startswith("[kafka] ssl_ca_location is not set: no authority that this system knows has signed")


def test_one_that_is_set_is_named(tmp_path: Path) -> None:
    ca = tmp_path / "ca.pem"
    ca.write_text("")
    told = sentence_of(KafkaSettings(security_protocol="SSL", ssl_ca_location=ca), SSL, UNVERIFIED)
    assert told is not None
    assert f"ssl_ca_location {ca} has signed no certificate of Kafka at 127.0.0.1:9092" in told


@pytest.mark.parametrize("said", ["1/1 brokers are down", "Connect to ipv4#127.0.0.1:1 failed: Connection refused"])
def test_a_broker_that_is_not_there_refuses_nobody(said: str) -> None:
    assert sentence_of(KafkaSettings(security_protocol="SSL"), kafka.KafkaError._TRANSPORT, said) is None


def test_where_nobody_is_there_nobody_is_listened_to() -> None:
    began = time.monotonic()
    settings = KafkaSettings(
        bootstrap_servers="127.0.0.1:1", security_protocol="SASL_PLAINTEXT", sasl_username="x", sasl_password="y"
    )
    assert refusal(settings) is None
    assert time.monotonic() - began < 4
