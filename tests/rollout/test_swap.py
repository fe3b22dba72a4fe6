"""The calls of a swap, in order, and what each failure means."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from clawstream.rollout.engine import EngineError
from clawstream.rollout.swap import SwapError, TransferError, WeightSwap
from clawstream.schemas.transfer import Offer, Tensors
from tests.rollout.fake_vllm import FakeVllm, fake_vllm

FOLDER = Path("/snapshots/7")
LOADING = ["/collective_rpc", "/update_weight_version", "/reset_prefix_cache", "/weight_info"]


def swap(vllm: FakeVllm, seconds: float = 5.0) -> None:
    with closing(WeightSwap(vllm.url, seconds)) as weights:
        weights.swap(FOLDER, 7)


@contextmanager
def is_final(match: str) -> Iterator[None]:
    """vLLM must end: no error that lets the earlier weights serve on."""
    with pytest.raises(EngineError, match=match) as raised:
        yield
    assert not isinstance(raised.value, SwapError)


def test_calls_come_in_order(vllm: FakeVllm) -> None:
    swap(vllm)
    assert vllm.paths == ["/pause", *LOADING, "/resume"]
    assert "mode=keep" in vllm.calls[0]
    assert "reset_running_requests=true" in vllm.calls[3]
    assert vllm.bodies[1] == {"method": "load_version", "kwargs": {"weights_path": str(FOLDER)}}
    assert vllm.label == "7"


def test_a_pause_that_fails_leaves_the_earlier_weights_serving(vllm: FakeVllm) -> None:
    vllm.statuses["/pause"] = 500
    with pytest.raises(SwapError, match="could not be paused for version 7: /pause answered 500"):
        swap(vllm)
    assert vllm.paths == ["/pause", "/resume"]


def test_neither_paused_nor_resumed_is_final(vllm: FakeVllm) -> None:
    vllm.statuses |= {"/pause": 500, "/resume": 500}
    with is_final("nor resumed"):
        swap(vllm)


@pytest.mark.parametrize("path", LOADING)
def test_requests_do_not_go_on_with_unknown_weights(vllm: FakeVllm, path: str) -> None:
    vllm.statuses[path] = 500
    with is_final(rf"version 7 from {FOLDER}: {path} answered 500"):
        swap(vllm)
    assert vllm.paths == ["/pause", *LOADING[: LOADING.index(path) + 1]]


def test_a_resume_that_fails_is_final(vllm: FakeVllm) -> None:
    vllm.statuses["/resume"] = 503
    with pytest.raises(EngineError, match="/resume answered 503"):
        swap(vllm)


def test_a_cache_that_is_kept_is_final(vllm: FakeVllm) -> None:
    vllm.keeps_its_cache = True
    with pytest.raises(EngineError, match="kept what it had computed"):
        swap(vllm)
    assert "/resume" not in vllm.paths


def test_a_label_that_is_not_taken_is_final(vllm: FakeVllm) -> None:
    vllm.keeps_its_label = True
    with pytest.raises(EngineError, match="says that it serves version default after version 7"):
        swap(vllm)
    assert "/resume" not in vllm.paths


OFFER = Offer(
    init_info={"master_address": "10.0.0.1", "master_port": 5, "rank_offset": 1, "world_size": 2, "seconds": 9.0},
    tensors=Tensors(names=["a"], dtype_names=["float32"], shapes=[[2, 3]]),
)
JOIN, LEAVE = "/init_weight_transfer_engine", "/shutdown_weight_transfer_engine"
TAKING = ["/start_weight_update", "/update_weights", "/finish_weight_update", *LOADING]


def take(vllm: FakeVllm) -> None:
    with closing(WeightSwap(vllm.url, 5.0)) as weights:
        weights.take(OFFER, 7)


def test_what_the_trainer_sends_is_taken_between_pause_and_resume(vllm: FakeVllm) -> None:
    take(vllm)
    assert vllm.paths == [JOIN, "/pause", *TAKING, "/resume", LEAVE]
    assert vllm.bodies[0] == {"init_info": OFFER.init_info}
    assert vllm.bodies[3] == {"update_info": {"names": ["a"], "dtype_names": ["float32"], "shapes": [[2, 3]]}}
    assert vllm.bodies[5] == {"method": "settle_version", "kwargs": {}}
    assert vllm.label == "7"


def test_a_trainer_that_is_not_joined_leaves_vllm_as_it_is(vllm: FakeVllm) -> None:
    vllm.statuses[JOIN] = 500
    with pytest.raises(TransferError, match=f"did not join the trainer for version 7: {JOIN} answered 500"):
        take(vllm)
    assert vllm.paths == [JOIN]


def test_who_joined_and_cannot_be_paused_leaves(vllm: FakeVllm) -> None:
    vllm.statuses["/pause"] = 500
    with pytest.raises(SwapError, match="could not be paused") as raised:
        take(vllm)
    assert not isinstance(raised.value, TransferError)
    assert vllm.paths == [JOIN, "/pause", "/resume", LEAVE]


@pytest.mark.parametrize("path", TAKING)
def test_what_was_taken_in_part_is_final(vllm: FakeVllm, path: str) -> None:
    vllm.statuses[path] = 500
    with is_final(f"failed to take version 7 from its trainer: {path} answered 500"):
        take(vllm)
    assert vllm.paths == [JOIN, "/pause", *TAKING[: TAKING.index(path) + 1]]


def test_a_server_that_is_gone_is_named_as_such() -> None:
    with fake_vllm() as vllm:
        pass
    with pytest.raises(EngineError, match="nor resumed: /resume: ConnectError"):
        swap(vllm)
    with is_final("was lost as it joined the trainer"):
        take(vllm)
    weights = WeightSwap(vllm.url, 1.0)
    with pytest.raises(EngineError, match="did not take the label of version 0"):
        weights.label(0)
