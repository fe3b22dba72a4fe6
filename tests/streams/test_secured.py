"""Every kind of client of ours against a real Kafka that asks who is there, each allowed what it needs and no more."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from confluent_kafka.admin import AclBinding, AclOperation, AclPermissionType, ResourcePatternType, ResourceType

from clawstream.processors.growing import grow
from clawstream.schemas import Sample
from clawstream.streams.broker import LocalBroker
from clawstream.streams.cluster.access import PROCESSES, Process, access
from clawstream.streams.cluster.admin import create_missing, drift, wait_for_kafka
from clawstream.streams.cluster.clients import admin_client
from clawstream.streams.cluster.inventory import inventory
from clawstream.streams.errors import KafkaRefusedError, KafkaSendError, StreamError
from clawstream.streams.lag.behind import Onlooker
from clawstream.streams.lag.groups import LagReader
from clawstream.streams.process.ports import free_port, listening
from clawstream.streams.reading.consumer import Follower, GroupConsumer, Received, read_all
from clawstream.streams.reading.history import History, Told
from clawstream.streams.reading.tail import Tail
from clawstream.streams.settings import KafkaSettings, SettingsError
from clawstream.streams.writing.dead import DeadLetters
from clawstream.streams.writing.producer import Producer
from clawstream.topics import CATALOGUE, FEEDBACK, NODES, REWARDS, SAMPLES, STEPS, UPDATES, WEIGHTS
from tests.builders import a_feedback, a_step
from tests.streams.secured import PASSWORD, Authority, add_user, authority, secured_node

pytestmark = pytest.mark.kafka


class Secured:
    """A broker, and settings for those who may come in."""

    def __init__(self, broker: LocalBroker, ca: Authority, folder: Path) -> None:
        self.broker, self.ca, self.folder = broker, ca, folder
        self.base = KafkaSettings(bootstrap_servers=broker.bootstrap_servers, topic_prefix="s-", partitions=1)

    def settings(self, user: str, **changed: object) -> KafkaSettings:
        """As ``user``, over TLS with a password."""
        own = {
            "bootstrap_servers": f"127.0.0.1:{self.broker.node.listeners['SASL_SSL']}",
            "security_protocol": "sasl_ssl",
            "ssl_ca_location": self.ca.path,
            "sasl_username": user,
            "sasl_password": PASSWORD,
            "topic_prefix": "s-",
            "partitions": 1,
        }
        return KafkaSettings.model_validate({key: each for key, each in (own | changed).items() if each is not None})

    def certified(self, **changed: object) -> KafkaSettings:
        """With a certificate instead."""
        certificate, key = self.ca.issue("certified", self.folder)
        own: dict[str, object] = {
            "bootstrap_servers": f"127.0.0.1:{self.broker.node.listeners['SSL']}",
            "security_protocol": "SSL",
            "ssl_ca_location": self.ca.path,
            "ssl_certificate_location": certificate,
            "ssl_key_location": key,
        }
        return KafkaSettings.model_validate({key: each for key, each in (own | changed).items() if each is not None})


@pytest.fixture(scope="module")
def secured(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Secured]:
    """Topics are there; every process has a user of its name, who may do what the process must. An ephemeral broker
    leaves nothing."""
    folder = tmp_path_factory.mktemp("certificates")
    ca = authority("ca", folder)
    node = secured_node(ca, folder, sasl_port=free_port(), tls_port=free_port())
    with LocalBroker(port=0, ephemeral=True, node=node) as broker:
        found = Secured(broker, ca, folder)
        for process in PROCESSES:
            add_user(broker.bootstrap_servers, process)
            allow(found.base, process)
        yield found
        data = broker.data_dir
        assert (data / "kafka").is_dir()
    assert not data.exists()
    assert not listening(broker.port)


def allow(settings: KafkaSettings, process: Process) -> None:
    bindings = [
        AclBinding(
            ResourceType["BROKER" if each.resource == "cluster" else each.resource.upper()],
            each.name,
            ResourcePatternType.PREFIXED if each.prefixed else ResourcePatternType.LITERAL,
            f"User:{process}",
            "*",
            AclOperation[re.sub("(?<=[a-z])(?=[A-Z])", "_", operation).upper()],
            AclPermissionType.ALLOW,
        )
        for each in access(process, settings)
        for operation in each.operations
    ]
    for future in admin_client(settings.client()).create_acls(bindings).values():
        future.result(30)


def test_each_process_does_its_work_with_its_own_access(secured: Secured) -> None:
    topics = secured.settings("topics")
    assert len(create_missing(topics)) == 20
    assert all(each.bytes_on_disk is not None for each in inventory(topics))

    gateway = secured.settings("gateway")
    for follower in (Follower(gateway, NODES), Follower(gateway, WEIGHTS)):
        assert list(follower.to_end()) == []
        follower.close()
    tails = [Tail(gateway, topic, 10) for topic in (STEPS, FEEDBACK)]
    producer = Producer(gateway, "gateway")
    producer.send(STEPS, a_step(trajectory_id="t1", group_id="g1")).result(30)
    producer.send(FEEDBACK, a_feedback(trajectory_id="t1", group_id="g1", kind="rewarded", reward=1.0)).result(30)
    producer.send(FEEDBACK, a_feedback(trajectory_id="t1", group_id="g1", kind="completed")).result(30)
    with pytest.raises(KafkaSendError, match="authoriz"):
        producer.send_bytes("s-weights", b"policy", b"not the gateway's to write").result(30)
    producer.close()
    for tail in tails:
        tail.close()

    worker = a_worker(secured.settings("processors"))
    trainer = secured.settings("trainer")
    sender = Producer(trainer, "trainer")
    consumer = GroupConsumer(trainer, SAMPLES, "trainer", DeadLetters(trainer, sender, "trainer"))
    try:
        found = consume(consumer)
        assert [sample.record.trajectory_id for sample in found] == ["t1"]
        consumer.commit({sample.partition: sample.offset + 1 for sample in found})
    finally:
        worker.terminate()
        consumer.close()
        sender.close()
    assert worker.wait(30) == 0

    console = secured.settings("console")
    history = History(console, CATALOGUE, {}, "console")
    told: list[Told] = []
    while not history.caught_up:
        told += history.poll(100, 0.2)
    assert {each.topic.name for each in told} >= {"steps", "feedback", "rewards", "trajectories", "samples"}
    history.commit({("steps", 0): 1})
    history.close()
    preview = History(console, [SAMPLES], {}, "console-preview")
    while not preview.caught_up:
        preview.poll(100, 0.2)
    preview.close()
    assert LagReader(console).end_offsets(replace(STEPS, name=STEPS.dead)) == {0: 0}

    tenants = GroupConsumer(trainer, SAMPLES, "trainer-acme", DeadLetters(trainer, sender, "trainer"))
    assert len(consume(tenants)) == 1
    tenants.close()
    assert read_all(trainer, UPDATES) == []  # ``clawstream weights list``

    report = Onlooker(secured.settings("lag")).report()
    assert {(each.group, each.topic) for each in report.groups} >= {("processors", "steps"), ("trainer", "samples")}

    with pytest.raises(StreamError, match=r"consumer groups are not known: .*uthoriz"):
        grow(secured.settings("topics", partitions=2), 0.0)
    administrator = secured.settings("administrator", partitions=2)
    assert len(grow(administrator, 0.0)) == sum(topic.scaled for topic in CATALOGUE)
    assert create_missing(administrator) == list(drift(administrator)) == []
    assert all(each.bytes_on_disk is not None for each in inventory(administrator))


def test_who_is_allowed_nothing_is_told_so(secured: Secured) -> None:
    create_missing(secured.base)
    with pytest.raises(StreamError, match=r"s-rewards cannot be read: .*[Aa]uthoriz"):
        Follower(secured.settings("rollout"), REWARDS)
    trainer = secured.settings("trainer")
    sender = Producer(trainer, "trainer")
    consumer = GroupConsumer(trainer, SAMPLES, "others", DeadLetters(trainer, sender, "trainer"))
    with pytest.raises(StreamError, match=r"[Gg]roup authorization"):
        consume(consumer)
    consumer.close()
    sender.close()


def test_other_ways_to_come_in(secured: Secured) -> None:
    for settings in (secured.settings("plain", sasl_mechanism="plain"), secured.certified()):
        assert wait_for_kafka(settings, 10)
        create_missing(settings.model_copy(update={"topic_prefix": f"{settings.security_protocol}-"}))


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        ({"sasl_password": "guess"}, "refuses .* sasl_username trainer with this sasl_password and sasl_mechanism"),
        ({"sasl_mechanism": "SCRAM-SHA-256"}, "sasl_mechanism SCRAM-SHA-256: .*[Uu]nsupported"),
    ],
)
def test_a_wrong_setting_is_named(secured: Secured, changed: dict[str, object], sentence: str) -> None:
    with pytest.raises(KafkaRefusedError, match=sentence) as caught:
        wait_for_kafka(secured.settings("trainer", **changed), 10)
    assert "guess" not in str(caught.value)


def test_a_wrong_authority_certificate_or_listener_is_named(secured: Secured, tmp_path: Path) -> None:
    stranger, no_pem = authority("stranger", tmp_path), tmp_path / "no.pem"
    no_pem.write_text("no certificate")
    for settings, sentence in (
        (secured.settings("trainer", ssl_ca_location=stranger.path), f"ssl_ca_location {stranger.path} has signed no"),
        (
            secured.certified(ssl_certificate_location=None, ssl_key_location=None),
            "wants a certificate that it trusts: .*ssl_certificate_location",
        ),
        (
            secured.settings("trainer", bootstrap_servers=secured.base.bootstrap_servers),
            "security_protocol is SASL_SSL, and .* speaks no TLS",
        ),
    ):
        with pytest.raises(KafkaRefusedError, match=sentence):
            wait_for_kafka(settings, 10)
    with pytest.raises(SettingsError, match=r"ssl\.ca\.location failed"):
        wait_for_kafka(secured.settings("trainer", ssl_ca_location=no_pem), 10)


def a_worker(kafka: KafkaSettings) -> "subprocess.Popen[bytes]":
    """``clawstream process``."""
    command = [sys.executable, "-m", "clawstream.cli.main", "process"]
    return subprocess.Popen(command, env=os.environ | kafka.environment())


def consume(consumer: GroupConsumer[Sample]) -> list[Received[Sample]]:
    """The first that come, within a minute."""
    for _ in range(300):
        if found := consumer.consume(10, 0.2):
            return found
    return []
