"""A trainer that is killed as it sends: ``python -m tests.trainer.transfer.dying FOLDER VERSION`` says where to ask."""

import os
import signal
import sys
from pathlib import Path

import torch
from torch import Tensor

from clawstream.streams.process.gloo import GlooGroup
from clawstream.streams.process.ports import HOST
from clawstream.trainer.transfer import links, sender
from tests.trainer.transfer.node import weights_of

_PACK_BYTES, _SENT = 30_000, 3  # so that there are more


class DyingGroup(GlooGroup):
    """Sends some packs; the next one never."""

    sent = 0

    def broadcast(self, tensor: Tensor) -> None:
        """Or be killed."""
        if self.sent == _SENT:
            os.kill(os.getpid(), signal.SIGKILL)
        super().broadcast(tensor)
        self.sent += 1


if __name__ == "__main__":
    links.GlooGroup = DyingGroup  # type: ignore[misc]
    links.GlooLink.pack_bytes = _PACK_BYTES
    weights = weights_of(Path(sys.argv[1]), int(sys.argv[2]))
    print(sender.Sender(weights, "gloo", HOST, 0, 60.0, torch.device("cpu")).address, flush=True)
    signal.pause()
