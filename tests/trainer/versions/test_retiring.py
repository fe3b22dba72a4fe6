"""Adapters are taken from service and brought back as they were."""

import pytest
from click.testing import CliRunner

from clawstream.cli.main import cli
from clawstream.schemas import NodeStatus
from clawstream.streams.reading.consumer import read_all
from clawstream.streams.settings import KafkaSettings
from clawstream.streams.writing.producer import Producer
from clawstream.topics import WEIGHTS
from clawstream.trainer.errors import TrainerError
from clawstream.trainer.versions.announced import Announced
from clawstream.trainer.versions.retiring import adapter_named, rows, set_retired
from tests.builders import NOON, a_version

ADAPTER = a_version(7, model="policy-acme", base="policy", tenant="acme")


def announced() -> Announced:
    found = Announced()
    found.note(a_version(3))
    found.note(ADAPTER)
    return found


def test_only_adapters_can_be_retired() -> None:
    assert adapter_named(announced(), "policy-acme") == ADAPTER
    with pytest.raises(TrainerError, match="no model policy-acne was announced; there are these adapters: policy-acme"):
        adapter_named(announced(), "policy-acne")
    with pytest.raises(TrainerError, match="policy is a whole model, and no adapter"):
        adapter_named(announced(), "policy")


def test_each_adapter_is_listed_with_its_state_and_its_nodes() -> None:
    found = announced()
    found.note(a_version(2, model="policy-b", base="policy", tenant="b", retired=True))
    node = NodeStatus(
        node="n1:policy-acme",
        url="http://n",
        model="policy-acme",
        version=7,
        health="ready",
        logprobs_mode="processed_logprobs",
        max_model_len=64,
        at=NOON,
        base="policy",
    )
    assert list(rows(found, [node])) == [
        ("policy-acme", "policy", "acme", "7", "in service", "n1:policy-acme"),
        ("policy-b", "policy", "b", "2", "retired", ""),
    ]


@pytest.mark.kafka
def test_what_comes_back_is_what_was_there(kafka: KafkaSettings, monkeypatch: pytest.MonkeyPatch) -> None:
    producer = Producer(kafka, "test")
    producer.send(WEIGHTS, ADAPTER).result(30)
    producer.close()
    for name, value in kafka.environment().items():
        monkeypatch.setenv(name, value)
    run = CliRunner()
    assert "retired at version 7" in run.invoke(cli, ["weights", "retire", "policy-acme"]).output
    assert "policy-acme  policy  acme    7        retired" in run.invoke(cli, ["weights", "list"]).output
    assert run.invoke(cli, ["weights", "retire", "policy"]).exit_code == 2
    assert set_retired(kafka, "policy-acme", retired=False) == ADAPTER
    assert [each.retired for each in read_all(kafka, WEIGHTS)] == [False, True, False]
