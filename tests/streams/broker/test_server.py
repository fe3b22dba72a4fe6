"""A real broker: what it keeps, and what it refuses."""

import shutil
import socket
from pathlib import Path

import pytest

from clawstream.streams.broker import BrokerError, LocalBroker
from clawstream.streams.broker.install import jars
from clawstream.streams.process.ports import PortError, listening
from tests.streams.broker.records import CountingProducer, create_topic, read_all

pytestmark = pytest.mark.kafka


def test_records_survive_kill_9_under_load(kept: LocalBroker) -> None:
    create_topic(kept.bootstrap_servers, "killed")
    producer = CountingProducer(kept.bootstrap_servers, "killed")
    while len(producer.acknowledged) < 2_000:
        producer.send(100)
    kept.kill()
    assert list((kept.data_dir / "tmp").glob("liblz4-java*")), "a native library is elsewhere, where nobody removes it"
    before_kill = set(producer.acknowledged)
    producer.send(500)
    kept.start()
    producer.flush()

    found = read_all(kept.bootstrap_servers, "killed")
    assert before_kill <= set(found), "acknowledged records were lost"
    assert sorted(found) == sorted(producer.acknowledged), "records were lost or doubled"
    assert len(found) > len(before_kill)


def test_records_survive_a_restart_without_a_network(kept: LocalBroker, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_network(*_: object) -> None:
        raise AssertionError("a later start fetched something")

    create_topic(kept.bootstrap_servers, "restarted")
    producer = CountingProducer(kept.bootstrap_servers, "restarted")
    producer.send(100)
    producer.flush()
    monkeypatch.setattr(jars, "fetch_jars", no_network)
    first = kept.pid
    kept.stop()
    assert not kept.running
    assert not listening(kept.port)
    kept.start()

    assert kept.pid != first
    assert read_all(kept.bootstrap_servers, "restarted") == list(range(100))


def test_only_this_machine_can_connect(kept: LocalBroker) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as elsewhere:
        assert elsewhere.connect_ex(("127.0.0.2", kept.port)) != 0


def test_a_second_start_of_one_broker_is_refused_and_harmless(kept: LocalBroker) -> None:
    with pytest.raises(BrokerError, match=f"already running as process {kept.pid}"):
        kept.start()
    assert kept.running


def test_two_brokers_cannot_share_a_data_folder(kept: LocalBroker) -> None:
    second = LocalBroker(port=0, data_dir=kept.data_dir)
    with pytest.raises(BrokerError, match=f"is in use by another broker .process {kept.pid} at 127.0.0.1:{kept.port}"):
        second.start()
    assert kept.running


def test_a_taken_port_is_named(kept: LocalBroker, tmp_path: Path) -> None:
    second = LocalBroker(port=kept.port, data_dir=tmp_path / "second")
    with pytest.raises(PortError, match=f"^port {kept.port} on 127.0.0.1 is taken; choose another with --port"):
        second.start()


def test_a_broker_that_cannot_read_its_data_says_why(kept: LocalBroker, tmp_path: Path) -> None:
    shutil.copytree(kept.data_dir, tmp_path / "copy")
    (tmp_path / "copy" / "kafka" / "__cluster_metadata-0" / "quorum-state").write_text("{not json")
    broken = LocalBroker(port=0, data_dir=tmp_path / "copy")
    with pytest.raises(BrokerError, match=r"ended with code 1: .*Json.*\(its log is /.*broker\.log\)$") as caught:
        broken.start()
    assert "\n" not in str(caught.value)
    assert not broken.running


def test_a_broker_that_was_not_started_has_no_process() -> None:
    with pytest.raises(BrokerError, match="was not started"):
        _ = LocalBroker(port=0).pid
