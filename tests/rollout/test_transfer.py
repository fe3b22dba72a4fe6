"""What a node makes of a trainer's answers, and of its silence."""

from contextlib import closing
from pathlib import Path

import pytest
import torch

from clawstream.rollout import transfer as module
from clawstream.rollout.snapshot import tensor_shapes
from clawstream.rollout.swap import TransferError
from clawstream.rollout.transfer import offered
from clawstream.schemas import WeightVersion
from clawstream.schemas.transfer import Offer, Tensors, address, encoded
from clawstream.streams.process.ports import HOST, free_port
from clawstream.trainer.transfer.sender import Sender
from tests.rollout.trainers import a_trainer_that_says
from tests.tiny_model import make_tiny_model
from tests.trainer.transfer.node import weights_of

SERVED = {"a": (2, 3)}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_tiny_model(tmp_path_factory.mktemp("model"), seed=4)


def refused(weights: WeightVersion, backend: str = "gloo") -> str:
    """Why nothing is offered."""
    with pytest.raises(TransferError) as raised, offered(weights, backend, 1, SERVED):
        pass
    return str(raised.value)


def an_offer(shape: list[int]) -> bytes:
    return encoded(Offer(init_info={}, tensors=Tensors(names=["a"], dtype_names=["float32"], shapes=[shape])))


def test_what_a_trainer_offers_is_of_the_version_and_the_model(folder: Path) -> None:
    weights = weights_of(folder, 7)
    with closing(Sender(weights, "gloo", HOST, 0, 1.0, torch.device("cpu"))) as sender:
        announced = weights_of(folder, 7, transfer=sender.address)
        with offered(announced, "gloo", 3, tensor_shapes(folder)) as offer:
            assert offer.init_info["world_size"] == 4
        assert "does not fit: the snapshot lacks a [2, 3]" in refused(announced)
        assert (
            refused(weights_of(folder, 8, transfer=sender.address)) == "its trainer refuses: version 7 is held, not 8"
        )
        assert refused(announced, "nccl") == "its trainer sends by gloo, this node takes by nccl"


def test_who_does_not_say_where_or_is_not_there_is_not_asked(folder: Path) -> None:
    assert "does not say where" in refused(weights_of(folder, 7))
    for said in (address("gloo", HOST, free_port()), "gloo://nowhere.invalid:1", "carrier-pigeon"):
        assert f"cannot be asked at {said}: " in refused(weights_of(folder, 7, transfer=said))


@pytest.mark.parametrize("line", [b"", b"\n", b"HTTP/1.1 400 Bad Request\r\n\r\n", b"x" * 1000])
def test_who_answers_in_another_language_offers_nothing(folder: Path, line: bytes) -> None:
    with a_trainer_that_says(line) as where:
        assert refused(weights_of(folder, 7, transfer=where)).startswith("its trainer did not answer: ")


def test_silence_has_an_end(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_ASK_SECONDS", 0.2)
    with a_trainer_that_says(None) as where:
        assert refused(weights_of(folder, 7, transfer=where)) == "its trainer did not answer: timed out"


def test_an_offer_of_another_shape_is_not_taken(folder: Path) -> None:
    with a_trainer_that_says(an_offer([2, 4])) as where:
        assert "a is [2, 4], the model served has [2, 3]" in refused(weights_of(folder, 7, transfer=where))
