"""How a version comes into vLLM: from its trainer's memory where both ends are set to, else from disk.

Invariant: the snapshot on disk is what counts. Whatever keeps a transfer from beginning (nobody answers, the trainer is
further by now, vLLM does not reach it) is told and counted, and the same version is loaded from its folder::

    7 is announced -> the trainer is asked for 7 -> offered      vLLM takes 7
                                                 -> refused      the folder is verified, vLLM loads it
"""

import logging
import time
from collections.abc import Callable
from contextlib import AbstractContextManager

from clawstream.rollout.metrics import SWAP_SECONDS, SWAPS
from clawstream.rollout.settings import RolloutSettings
from clawstream.rollout.snapshot import loadable_folder, tensor_shapes
from clawstream.rollout.swap import TransferError, WeightSwap
from clawstream.rollout.transfer import offered
from clawstream.schemas import WeightVersion

_log = logging.getLogger(__name__)
Swapping = Callable[[], AbstractContextManager[None]]


class Loading:
    """The weights of one vLLM server."""

    def __init__(self, url: str, settings: RolloutSettings) -> None:
        self._swap, self._transfer = WeightSwap(url, settings.swap_seconds), settings.transfer
        self._shapes = tensor_shapes(settings.model)

    def label(self, version: int) -> None:
        """Name the weights that are loaded now. Raises ``EngineError``."""
        self._swap.label(version)

    def load(self, weights: WeightVersion, swapping: Swapping) -> None:
        """Load ``weights``; ``swapping`` is entered while vLLM swaps.

        Raises ``SnapshotError`` or ``SwapError`` when the earlier ones serve on, ``EngineError`` when vLLM must end.
        """
        if self._transfer:
            try:
                self._take(weights, swapping)
            except TransferError as reason:
                SWAPS.labels("refused", "transfer").inc()
                _log.warning("version %d comes from disk: %s", weights.version, reason)
            else:
                return
        folder = loadable_folder(weights.uri, weights.sha256, self._shapes)
        started = time.monotonic()
        with swapping():
            self._swap.swap(folder, weights.version)
        _note(weights.version, "disk", time.monotonic() - started)

    def close(self) -> None:
        """Close the connection."""
        self._swap.close()

    def _take(self, weights: WeightVersion, swapping: Swapping) -> None:
        with offered(weights, self._transfer, self._swap.worker_count(), self._shapes) as offer:
            started = time.monotonic()
            with swapping():
                self._swap.take(offer, weights.version)
        _note(weights.version, "transfer", time.monotonic() - started)


def _note(version: int, way: str, seconds: float) -> None:
    SWAPS.labels("loaded", way).inc()
    SWAP_SECONDS.observe(seconds)
    _log.info("serving version %d (swap by %s, %.0f ms)", version, way, seconds * 1000)
