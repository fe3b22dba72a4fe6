"""The node's end of a transfer, without vLLM: asks, joins and takes."""

import math
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch

from clawstream.schemas import WeightVersion, now
from clawstream.schemas.transfer import Ask, Offer, Refusal, encoded, packs, parse, read_answer
from clawstream.streams.files.snapshots import weights_digest
from clawstream.streams.process.gloo import GlooGroup


def weights_of(folder: Path, version: int, **changes: Any) -> WeightVersion:
    """The announcement of ``folder``."""
    fields: dict[str, Any] = {
        "model": "policy",
        "version": version,
        "uri": folder.absolute().as_uri(),
        "sha256": weights_digest(folder),
        "parent": None,
        "update_id": None,
        "created_at": now(),
    }
    return WeightVersion(**(fields | changes))


@contextmanager
def answered(address: str, weights: WeightVersion, worker_count: int = 1) -> Iterator[Offer | Refusal]:
    """What a trainer says to who asks for ``weights``, and holds on to it meanwhile."""
    _, host, port = parse(address)
    ask = Ask(model=weights.model, version=weights.version, sha256=weights.sha256, worker_count=worker_count)
    with socket.create_connection((host, port), 10) as connection, connection.makefile("rb") as lines:
        connection.sendall(encoded(ask))
        yield read_answer(lines.readline())


def joined(offer: Offer, rank: int = 1) -> GlooGroup:
    """One worker's place in the group."""
    info: dict[str, Any] = dict(offer.init_info)
    return GlooGroup.join(info["master_address"], info["master_port"], rank, info["world_size"], info["seconds"])


def taken(offer: Offer, group: GlooGroup) -> dict[str, torch.Tensor]:
    """All tensors, as they come from float32 weights."""
    said, found = offer.tensors, {}
    assert set(said.dtype_names) == {"float32"}
    sizes = [4 * math.prod(shape) for shape in said.shapes]
    for pack in packs(sizes, int(offer.init_info["pack_bytes"])):
        received = torch.empty(sum(sizes[index] for index in pack) // 4)
        group.broadcast(received)
        for index, part in zip(pack, received.split([sizes[index] // 4 for index in pack]), strict=True):
            found[said.names[index]] = part.view(said.shapes[index])
    return found
