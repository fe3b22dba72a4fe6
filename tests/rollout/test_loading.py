"""By which way a version comes, and what is left when one way ends."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
import torch

from clawstream.rollout.engine import EngineError
from clawstream.rollout.loading import Loading
from clawstream.rollout.metrics import SWAPS
from clawstream.rollout.settings import RolloutSettings
from clawstream.rollout.swap import SwapError, TransferError
from clawstream.schemas import WeightVersion
from clawstream.streams.files.snapshots import SnapshotError
from clawstream.streams.process.ports import HOST
from clawstream.trainer.transfer.sender import Sender
from tests.rollout.fake_vllm import FakeVllm
from tests.tiny_model import make_tiny_model
from tests.trainer.transfer.node import weights_of

JOIN, UPDATE = "/init_weight_transfer_engine", "/update_weights"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_tiny_model(tmp_path_factory.mktemp("model"), seed=4)


@pytest.fixture
def sent(folder: Path) -> Iterator[WeightVersion]:
    """A version whose trainer can be asked."""
    with closing(Sender(weights_of(folder, 7), "gloo", HOST, 0, 0.3, torch.device("cpu"))) as sender:
        yield weights_of(folder, 7, transfer=sender.address)


class Loaded:
    """A loading of weights, and what was said and counted meanwhile."""

    def __init__(self, vllm: FakeVllm, model: Path, transfer: str = "gloo") -> None:
        self.said: list[str] = []
        self._vllm, self._before = vllm, self._counts()
        settings = RolloutSettings.model_validate({"model": model, "transfer": transfer})
        self._loading = Loading(vllm.url, settings)

    def load(self, weights: WeightVersion) -> list[str]:
        """The calls that vLLM got."""
        with closing(self._loading):
            self._loading.load(weights, self._swapping)
        return self._vllm.paths

    @property
    def counted(self) -> dict[tuple[str, str], int]:
        """Swaps by outcome and way."""
        now = self._counts()
        return {key: int(now[key] - self._before[key]) for key in now if now[key] != self._before[key]}

    @contextmanager
    def _swapping(self) -> Iterator[None]:
        self.said.append("swapping")
        yield

    @staticmethod
    def _counts() -> dict[tuple[str, str], float]:
        keys = [(outcome, way) for outcome in ("loaded", "refused") for way in ("disk", "transfer")]
        return {key: float(SWAPS.labels(*key)._value.get()) for key in keys}


def test_it_is_taken_from_the_trainer_where_it_can_be(vllm: FakeVllm, folder: Path, sent: WeightVersion) -> None:
    loaded = Loaded(vllm, folder)
    paths = loaded.load(sent)
    assert paths[:2] == ["/get_world_size", JOIN]
    assert UPDATE in paths
    assert vllm.bodies[1]["init_info"]["world_size"] == 3
    assert (loaded.said, loaded.counted) == (["swapping"], {("loaded", "transfer"): 1})


def test_it_comes_from_disk_unless_it_is_set(vllm: FakeVllm, folder: Path, sent: WeightVersion) -> None:
    loaded = Loaded(vllm, folder, transfer="")
    assert "/collective_rpc" in loaded.load(sent)
    assert UPDATE not in vllm.paths
    assert loaded.counted == {("loaded", "disk"): 1}


@pytest.mark.parametrize(
    ("changed", "status", "why"),
    [
        ({"transfer": None}, {}, "does not say where it can be asked"),
        ({"version": 6}, {}, "refuses: version 7 is held, not 6"),
        ({}, {JOIN: 500}, "did not join the trainer"),
        ({}, {"/get_world_size": 404}, "does not say how many workers"),
    ],
)
def test_what_keeps_a_transfer_from_beginning_is_told_and_disk_serves(
    vllm: FakeVllm,
    folder: Path,
    sent: WeightVersion,
    changed: dict[str, object],
    status: dict[str, int],
    why: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    vllm.statuses |= status
    asked = weights_of(folder, **{"version": 7, "transfer": sent.transfer} | changed)  # type: ignore[arg-type]
    loaded = Loaded(vllm, folder)
    assert UPDATE not in loaded.load(asked)
    assert {"method": "load_version", "kwargs": {"weights_path": str(folder)}} in vllm.bodies
    assert loaded.counted == {("refused", "transfer"): 1, ("loaded", "disk"): 1}
    assert f"version {asked.version} comes from disk: " in caplog.text
    assert why in caplog.text


def test_without_either_the_earlier_weights_serve_on(vllm: FakeVllm, folder: Path, tmp_path: Path) -> None:
    with pytest.raises(SnapshotError, match="is gone, or was never on this machine"):
        Loaded(vllm, folder).load(weights_of(folder, 8, uri=(tmp_path / "gone").as_uri()))
    assert vllm.paths == ["/get_world_size"]


def test_a_transfer_that_breaks_off_is_final(vllm: FakeVllm, folder: Path, sent: WeightVersion) -> None:
    vllm.statuses[UPDATE] = 500
    with pytest.raises(EngineError, match="failed to take version 7") as raised:
        Loaded(vllm, folder).load(sent)
    assert not isinstance(raised.value, SwapError)


def test_a_vllm_that_cannot_be_paused_is_not_tried_from_disk(vllm: FakeVllm, folder: Path, sent: WeightVersion) -> None:
    vllm.statuses["/pause"] = 500
    with pytest.raises(SwapError) as raised:
        Loaded(vllm, folder).load(sent)
    assert not isinstance(raised.value, TransferError)
    assert vllm.paths.count("/pause") == 1
