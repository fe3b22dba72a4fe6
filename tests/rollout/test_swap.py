"""The calls of a swap, in order, and what each failure means."""

from pathlib import Path

import pytest

from clawstream.rollout.engine import EngineError
from clawstream.rollout.swap import SwapError, WeightSwap
from tests.rollout.fake_vllm import FakeVllm, fake_vllm

FOLDER = Path("/snapshots/7")
LOADING = ["/collective_rpc", "/update_weight_version", "/reset_prefix_cache", "/weight_info"]


def swap(vllm: FakeVllm, seconds: float = 5.0) -> None:
    weights = WeightSwap(vllm.url, seconds)
    try:
        weights.swap(FOLDER, 7)
    finally:
        weights.close()


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
    with pytest.raises(EngineError, match="nor resumed") as raised:
        swap(vllm)
    assert not isinstance(raised.value, SwapError)


@pytest.mark.parametrize("path", LOADING)
def test_requests_do_not_go_on_with_unknown_weights(vllm: FakeVllm, path: str) -> None:
    vllm.statuses[path] = 500
    with pytest.raises(EngineError, match=rf"version 7 from {FOLDER}: {path} answered 500") as raised:
        swap(vllm)
    assert not isinstance(raised.value, SwapError)
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


def test_a_server_that_is_gone_is_named_as_such() -> None:
    with fake_vllm() as vllm:
        pass
    with pytest.raises(EngineError, match="nor resumed: /resume: ConnectError"):
        swap(vllm)
    weights = WeightSwap(vllm.url, 1.0)
    with pytest.raises(EngineError, match="did not take the label of version 0"):
        weights.label(0)
