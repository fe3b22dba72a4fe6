import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from clawstream.schemas.transfer import Ask, Backend, Offer, Refusal, Tensors, address, encoded, packs, parse, read_ask
from clawstream.schemas.transfer import read_answer as read

HOSTS = st.one_of(st.just("localhost"), st.ip_addresses().map(str))


@given(st.sampled_from(["gloo", "nccl"]), HOSTS, st.integers(1, 65535))
def test_an_address_is_read_as_it_was_written(backend: Backend, host: str, port: int) -> None:
    assert parse(address(backend, host, port)) == (backend, host, port)


@pytest.mark.parametrize("said", ["", "gloo", "ipc://h:1", "gloo://h", "gloo://:1", "gloo://h:0", "gloo://h:99999"])
def test_what_is_no_address_is_said(said: str) -> None:
    with pytest.raises(ValueError):
        parse(said)


def test_messages_are_lines_and_are_read_as_they_were_written() -> None:
    ask = Ask(model="policy", version=7, sha256="ab", worker_count=2)
    tensors = Tensors(names=["a", "b"], dtype_names=["bfloat16", "float32"], shapes=[[2, 3], []])
    offer = Offer(init_info={"master_address": "h", "master_port": 1, "seconds": 2.5}, tensors=tensors)
    refusal = Refusal(reason="version 8\nis held")
    for message in (ask, offer, refusal):
        assert encoded(message).count(b"\n") == 1
    assert read_ask(encoded(ask)) == ask
    assert [read(encoded(offer)), read(encoded(refusal))] == [offer, refusal]


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"\x00\xff",
        b"[]",
        b'{"type": "Pickle"}',
        b'{"type": "Offer", "init_info": {}, "tensors": {"names": ["a"], "dtype_names": [], "shapes": []}}',
        b'{"type": "Offer", "init_info": {}, "tensors": {"names": ["a"], "dtype_names": ["load"], "shapes": [[1]]}}',
    ],
)
def test_what_is_no_answer_is_said(line: bytes) -> None:
    with pytest.raises(msgspec.DecodeError):
        read(line)


@given(st.lists(st.integers(0, 9), max_size=30), st.integers(0, 20))
def test_packs_hold_each_tensor_once_in_order_and_end_as_they_exceed_the_limit(sizes: list[int], limit: int) -> None:
    found = list(packs(sizes, limit))
    assert [index for pack in found for index in pack] == list(range(len(sizes)))
    for pack in found:
        assert sum(sizes[index] for index in pack[:-1]) <= limit
    for pack in found[:-1]:
        assert sum(sizes[index] for index in pack) > limit


def test_no_number_of_workers_is_beyond_reason() -> None:
    with pytest.raises(msgspec.DecodeError, match="worker_count"):
        read_ask(encoded(Ask(model="m", version=1, sha256="", worker_count=10**9)))
