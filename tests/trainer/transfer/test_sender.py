"""The trainer's end of a transfer: real sockets and groups, on this machine."""

import shutil
import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from clawstream.schemas import WeightVersion
from clawstream.schemas.transfer import Offer, Refusal, parse
from clawstream.streams.process.ports import HOST
from clawstream.trainer.errors import TrainerError
from clawstream.trainer.metrics import TRANSFERS
from clawstream.trainer.transfer import sender as module
from clawstream.trainer.transfer.links import GlooLink
from clawstream.trainer.transfer.sender import Sender
from tests.tiny_model import make_tiny_model
from tests.trainer.transfer.node import answered, joined, taken, weights_of

CPU = torch.device("cpu")
SECONDS = 60.0  # for one transfer: on a busy machine a short one takes seconds


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_tiny_model(tmp_path_factory.mktemp("model"), seed=4)


@pytest.fixture(scope="module")
def weights(folder: Path) -> WeightVersion:
    return weights_of(folder, 7)


@pytest.fixture(autouse=True)
def _many_packs(monkeypatch: pytest.MonkeyPatch) -> None:
    """A tiny model would be one."""
    monkeypatch.setattr(GlooLink, "pack_bytes", 30_000)


@pytest.fixture
def sender(weights: WeightVersion) -> Iterator[Sender]:
    with closing(Sender(weights, "gloo", HOST, 0, SECONDS, CPU)) as listening:
        yield listening


def count(outcome: str) -> float:
    return float(TRANSFERS.labels(outcome)._value.get())


def until(outcome: str, at_least: float) -> None:
    deadline = time.monotonic() + SECONDS
    while count(outcome) < at_least:
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_every_worker_gets_what_the_snapshot_holds(sender: Sender, weights: WeightVersion, folder: Path) -> None:
    sent, expected = count("sent"), load_file(folder / "model.safetensors")
    with answered(sender.address, weights, worker_count=2) as offer:
        assert isinstance(offer, Offer)
        with ThreadPoolExecutor(2) as workers:
            both = list(workers.map(lambda rank: taken(offer, joined(offer, rank)), (1, 2)))
        assert count("sent") == sent  # until we hang up, it stays
    for found in both:
        assert found.keys() == expected.keys()
        assert all(found[name].equal(tensor) for name, tensor in expected.items())
    until("sent", sent + 1)


def test_what_is_being_sent_does_not_change(
    sender: Sender, weights: WeightVersion, folder: Path, tmp_path: Path
) -> None:
    """The trainer is two versions further, and has removed the one that is being sent."""
    older = shutil.copytree(folder, tmp_path / "older")
    expected, sent_as = load_file(folder / "model.safetensors"), weights_of(older, 8)
    sender.hold(sent_as)
    with answered(sender.address, sent_as) as offer:
        assert isinstance(offer, Offer)
        sender.hold(weights_of(make_tiny_model(tmp_path / "newer", seed=5), 9))
        shutil.rmtree(older)
        found = taken(offer, joined(offer))
    assert all(found[name].equal(tensor) for name, tensor in expected.items())


def test_another_version_model_or_checksum_is_refused(sender: Sender, folder: Path) -> None:
    for asked, reason in (
        (weights_of(folder, 6), "version 7 is held, not 6"),
        (weights_of(folder, 7, model="other"), "policy is trained here, not other"),
        (weights_of(folder, 7, sha256="0" * 64), "version 7 has another checksum"),
    ):
        with answered(sender.address, asked) as answer:
            assert answer == Refusal(reason=reason)


def test_who_asks_for_nothing_or_nonsense_is_let_go(sender: Sender, weights: WeightVersion) -> None:
    _, host, port = parse(sender.address)
    refused = count("refused")
    for line in (b"GET / HTTP/1.1\r\n\r\n", b"\x80\x04\x95pickle\n", b"x" * 100_000):
        with socket.create_connection((host, port), 5) as connection:
            connection.sendall(line)
    until("refused", refused + 3)
    with answered(sender.address, weights) as answer:
        assert isinstance(answer, Offer)
        assert taken(answer, joined(answer))


def test_a_node_that_leaves_or_comes_late_holds_up_no_other(sender: Sender, weights: WeightVersion) -> None:
    failed = count("failed")
    with answered(sender.address, weights) as late:
        assert isinstance(late, Offer)
        with answered(sender.address, weights) as offer:
            assert isinstance(offer, Offer)
            joined(offer)  # and is gone at once
        with answered(sender.address, weights) as other:
            assert isinstance(other, Offer)
            assert taken(other, joined(other))
        assert taken(late, joined(late))
    until("failed", failed + 1)


def test_a_node_that_never_comes_is_not_waited_for_for_ever(weights: WeightVersion) -> None:
    failed = count("failed")
    with closing(Sender(weights, "gloo", HOST, 0, 1.0, CPU)) as sender, answered(sender.address, weights) as never:
        assert isinstance(never, Offer)
        until("failed", failed + 1)


def test_so_many_are_served_at_a_time_at_most(
    sender: Sender, weights: WeightVersion, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_AT_ONCE", 1)
    with closing(Sender(weights, "gloo", HOST, 0, SECONDS, CPU)) as one, answered(one.address, weights) as first:
        with pytest.raises(Exception, match=r"truncated|reset"), answered(one.address, weights):
            pass
        assert isinstance(first, Offer)
        assert taken(first, joined(first))


def test_what_cannot_send_does_not_start(sender: Sender, weights: WeightVersion) -> None:
    with pytest.raises(TrainerError, match="nccl, which needs a GPU, and this trainer computes on cpu"):
        Sender(weights, "nccl", HOST, 0, 1.0, CPU)
    _, _, port = parse(sender.address)
    with pytest.raises(
        TrainerError, match=f"transfer_host {HOST}, port {port}, cannot be listened on: Address already"
    ):
        Sender(weights, "gloo", HOST, port, 1.0, CPU)
    with pytest.raises(TrainerError, match=r"transfer_host 192.0.2.1, port 0, cannot be listened on: Cannot assign"):
        Sender(weights, "gloo", "192.0.2.1", 0, 1.0, CPU)


def test_a_stop_lets_those_end_who_are_at_it(weights: WeightVersion) -> None:
    sender = Sender(weights, "gloo", HOST, 0, SECONDS, CPU)
    with answered(sender.address, weights) as offer:
        assert isinstance(offer, Offer)
        group, stop = joined(offer), threading.Thread(target=sender.close)
        stop.start()
        time.sleep(0.1)
        assert stop.is_alive()
        assert taken(offer, group)
    stop.join(SECONDS)
    assert not stop.is_alive()
    with pytest.raises(OSError), answered(sender.address, weights):
        pass
