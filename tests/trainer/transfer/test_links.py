"""What vLLM is told to join a link, and how tensors are packed. Over NCCL none can be made here: that needs a GPU."""

import ast
import importlib.util
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import pybase64
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from clawstream.schemas.transfer import packs
from clawstream.streams.process.ports import HOST
from clawstream.trainer.transfer.links import NcclLink, link


def test_vllm_takes_what_a_link_over_nccl_says() -> None:
    said = NcclLink(torch.device("cuda", 0), worker_count=2, seconds=5.0).init_info()
    names = {"WeightTransferInitInfo": object, "NCCL_UNIQUE_ID_BYTES": 128, "base64": pybase64}
    names |= dict.fromkeys(("DEFAULT_PACKED_BUFFER_SIZE_BYTES", "DEFAULT_PACKED_NUM_BUFFERS"), 0)
    found = _of_vllm("nccl_common.py", names, "NCCLWeightTransferInitInfo", "decode_nccl_unique_id")
    info = found["NCCLWeightTransferInitInfo"](**said)
    assert (info.rank_offset, info.world_size, info.packed) == (1, 3, True)
    assert info.packed_buffer_size_bytes == NcclLink.pack_bytes
    assert info.nccl_unique_id_bytes == pybase64.b64decode(str(said["nccl_unique_id_b64"]))


@pytest.mark.filterwarnings("ignore:Tensor .* has size")
@given(st.lists(st.integers(0, 9), min_size=1, max_size=20), st.integers(0, 20))
def test_tensors_are_packed_as_vllm_packs_them(sizes: list[int], pack_bytes: int) -> None:
    remaining = iter([(str(index), torch.zeros(size, dtype=torch.uint8)) for index, size in enumerate(sizes)])
    theirs = []
    while (chunk := _pack_of_vllm()(remaining, lambda item: item[1], pack_bytes)) is not None:
        theirs.append(chunk.names)
    assert [[str(index) for index in pack] for pack in packs(sizes, pack_bytes)] == theirs


@cache
def _pack_of_vllm() -> Any:
    return _of_vllm("packed_tensor.py", {"torch": torch}, "PackedChunk", "pack_tensors")["pack_tensors"]


def _of_vllm(file: str, names: dict[str, Any], *wanted: str) -> dict[str, Any]:
    """What vLLM defines in ``file``, from its source: to import it takes a quarter of a minute."""
    spec = importlib.util.find_spec("vllm")
    assert spec is not None
    assert spec.origin is not None
    source = Path(spec.origin).parent / "distributed/weight_transfer" / file
    tree = ast.parse(source.read_text())
    tree.body = [node for node in tree.body if getattr(node, "name", None) in wanted]
    found: dict[str, Any] = {"dataclass": dataclass, "field": field, "Iterator": Iterator, "Callable": Callable} | names
    exec(compile(tree, source, "exec"), found)
    return found


def test_a_backend_is_chosen_by_its_name() -> None:
    said = link("gloo", HOST, torch.device("cpu"), 1, 5.0).init_info()
    assert (said["master_address"], said["rank_offset"], said["world_size"]) == (HOST, 1, 2)
    assert isinstance(link("nccl", HOST, torch.device("cuda", 0), 1, 5.0), NcclLink)
