"""How a node asks a trainer for a version's tensors: one line of JSON each way, then the tensors by the backend.

Invariant: who asks names the checksum of the version, which stands in ``weights`` alone, and is answered with what vLLM
needs to take exactly that version, or with a refusal; the node then loads it from disk. Tensors follow as bytes, in
packs on which both ends agree. While the connection is open, so is the trainer's end of the transfer::

    node      {"model": "policy", "version": 7, "sha256": "ab...", "worker_count": 1}
    trainer   {"type": "Offer", "init_info": {"master_port": 29511, ...}, "tensors": {"names": [...], ...}}
    trainer   {"type": "Refusal", "reason": "version 8 is held, not 7"}
"""

from collections.abc import Iterator, Sequence
from typing import Annotated, Literal, get_args
from urllib.parse import urlsplit

import msgspec

Backend = Literal["gloo", "nccl"]
DtypeName = Literal[
    "float64", "float32", "float16", "bfloat16", "float8_e4m3fn", "float8_e5m2", "int64", "int32", "int8", "uint8"
]
MAX_ASK_BYTES = 4096
MAX_ANSWER_BYTES = 64 << 20  # a model of 300 000 tensors


class Ask(msgspec.Struct, frozen=True, kw_only=True):
    """What a node wants."""

    model: str
    version: int
    sha256: str  # of the version, as announced
    worker_count: Annotated[int, msgspec.Meta(ge=1, le=1024)]  # vLLM's, each of which takes the tensors


class Tensors(msgspec.Struct, frozen=True, kw_only=True):
    """What is sent, in this order. The names are those of vLLM's ``/update_weights``."""

    names: list[str]
    dtype_names: list[DtypeName]
    shapes: list[list[int]]

    def __post_init__(self) -> None:
        if not len(self.names) == len(self.dtype_names) == len(self.shapes):
            raise ValueError(f"{len(self.names)} names, {len(self.dtype_names)} types and {len(self.shapes)} shapes")


class Offer(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """The trainer waits for vLLM's workers."""

    init_info: dict[str, str | int | float]  # for vLLM's /init_weight_transfer_engine
    tensors: Tensors


class Refusal(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """The trainer does not send it."""

    reason: str


def address(backend: Backend, host: str, port: int) -> str:
    """Where a trainer can be asked, as ``weights`` says it: ``gloo://10.0.0.1:29500``."""
    return f"{backend}://{f'[{host}]' if ':' in host else host}:{port}"


def parse(said: str) -> tuple[Backend, str, int]:
    """Backend, host and port of :func:`address`. Raises ``ValueError``."""
    parts = urlsplit(said)
    if parts.scheme not in get_args(Backend) or not parts.hostname or not parts.port:
        raise ValueError(f"{said} is no address of a trainer, such as gloo://10.0.0.1:29500")
    return parts.scheme, parts.hostname, parts.port  # type: ignore[return-value]


def packs(tensor_bytes: Sequence[int], pack_bytes: int) -> Iterator[range]:
    """Which tensors are sent as one, in order, by their sizes: as many as it takes to exceed ``pack_bytes``.

    This is how vLLM's NCCL engine expects them.
    """
    start = size = 0
    for index, each in enumerate(tensor_bytes):
        size += each
        if size > pack_bytes:
            yield range(start, index + 1)
            start, size = index + 1, 0
    if start < len(tensor_bytes):
        yield range(start, len(tensor_bytes))


def encoded(message: Ask | Offer | Refusal) -> bytes:
    """One line."""
    return msgspec.json.encode(message) + b"\n"


def read_ask(line: bytes) -> Ask:
    """Raises ``msgspec.DecodeError``."""
    return msgspec.json.decode(line, type=Ask)


def read_answer(line: bytes) -> Offer | Refusal:
    """Raises ``msgspec.DecodeError``."""
    return msgspec.json.decode(line, type=Offer | Refusal)
