"""Asking the trainer for a version's tensors.

Invariant: what is offered is of the shape of the model that is served, so vLLM can take it; and the trainer's end stays
open until we hang up. Nothing here touches vLLM.
"""

import socket
from collections.abc import Iterator
from contextlib import contextmanager

import msgspec

from clawstream.rollout.snapshot import Shapes, compare
from clawstream.rollout.swap import TransferError
from clawstream.schemas import WeightVersion
from clawstream.schemas.transfer import MAX_ANSWER_BYTES, Ask, Offer, Refusal, encoded, parse, read_answer
from clawstream.streams.files.snapshots import SnapshotError

_ASK_SECONDS = 10.0


@contextmanager
def offered(weights: WeightVersion, backend: str, worker_count: int, served: Shapes) -> Iterator[Offer]:
    """What the trainer of ``weights`` sends to ``worker_count`` workers, meanwhile. Raises ``TransferError``."""
    if weights.transfer is None:
        raise TransferError("its trainer does not say where it can be asked")
    try:
        by, host, port = parse(weights.transfer)
        if by != backend:
            raise TransferError(f"its trainer sends by {by}, this node takes by {backend}")
        connection = socket.create_connection((host, port), _ASK_SECONDS)
    except (OSError, ValueError) as error:
        raise TransferError(f"its trainer cannot be asked at {weights.transfer}: {error}") from error
    with connection:
        yield _answer(connection, weights, worker_count, served)


def _answer(connection: socket.socket, weights: WeightVersion, worker_count: int, served: Shapes) -> Offer:
    ask = Ask(model=weights.model, version=weights.version, sha256=weights.sha256, worker_count=worker_count)
    try:
        connection.sendall(encoded(ask))
        with connection.makefile("rb") as lines:
            answer = read_answer(lines.readline(MAX_ANSWER_BYTES))
        if isinstance(answer, Refusal):
            raise TransferError(f"its trainer refuses: {answer.reason}")
        compare(served, {name: tuple(shape) for name, shape in zip(*_named(answer), strict=True)})
    except (OSError, msgspec.DecodeError, ValueError) as error:
        raise TransferError(f"its trainer did not answer: {error}") from error
    except SnapshotError as error:
        raise TransferError(f"what its trainer offers does not fit: {error}") from error
    return answer


def _named(offer: Offer) -> tuple[list[str], list[list[int]]]:
    return offer.tensors.names, offer.tensors.shapes
