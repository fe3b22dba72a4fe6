"""LoRA adapters that a node serves beside its model, one for each name announced.

Invariant: each version is loaded beside the ones before it and never changed, so nothing pauses, calls under way end
with the version that they began with, and what an adapter says depends on its own announcements alone. vLLM reads it
from a folder that stays (``kept.py``). For everybody
else each adapter is a node of its own, at the same URL::

    policy-acme 6 serves -> 7 is verified and loaded -> new calls go to 7, the last of 6 end -> vLLM drops 6
    retired at 7         -> nodes hear that it is stopped -> calls that were on their way have come -> vLLM forgets it
"""

import time
from collections.abc import Iterable

import httpx

from clawstream.rollout.kept import KeptFolders
from clawstream.rollout.naming import versioned
from clawstream.rollout.swap import SwapError, reason_of
from clawstream.schemas import WeightVersion
from clawstream.streams.files.snapshots import SnapshotError, verified_folder


class Adapters:
    """The adapters of one model at one server."""

    def __init__(self, url: str, base: str, most: int, timeout_seconds: float, kept: KeptFolders) -> None:
        """``most``: how many may be served; ``timeout_seconds``: for each call."""
        self._client = httpx.Client(base_url=url, timeout=timeout_seconds)
        self._base, self._most, self._kept = base, most, kept
        self.served: dict[str, WeightVersion] = {}  # by adapter
        self._without_room: dict[str, WeightVersion] = {}  # announced while as many as may be were served
        self._retired_at: dict[str, float] = {}  # of those that vLLM has still to forget

    def wanted(self, announced: Iterable[WeightVersion]) -> list[WeightVersion]:
        """Of ``announced``, the last of each adapter that is not served yet; and what had no room, once there is."""
        last = {each.model: each for each in self._last(announced)}
        self._without_room = {model: each for model, each in self._without_room.items() if model not in last}
        found = last | self._without_room if len(self.served) < self._most else last
        return [each for each in found.values() if not each.retired and not _same(self.served.get(each.model), each)]

    def unwanted(self, announced: Iterable[WeightVersion]) -> list[str]:
        """Adapters that are served, and whose last announcement in ``announced`` retires them."""
        return [each.model for each in self._last(announced) if each.retired and each.model in self.served]

    def load(self, weights: WeightVersion) -> None:
        """Serve ``weights``. Raises ``SnapshotError`` or ``SwapError``; then what was served is served on."""
        self._without_room.pop(weights.model, None)
        if weights.model not in self.served and len(self.served) == self._most:
            self._without_room[weights.model] = weights
            raise SwapError(
                f"{self._most} adapters are served, rollout.adapters allows no more; it waits until one is retired"
            )
        try:
            folder = self._kept.copy(verified_folder(weights.uri, weights.sha256))
        except OSError as error:
            raise SnapshotError(f"{weights.uri} cannot be read: {error}") from error
        body = {"lora_name": versioned(weights.model, weights.version), "lora_path": str(folder)}
        try:
            self._client.post("/v1/load_lora_adapter", json=body).raise_for_status()
        except httpx.HTTPError as error:
            self._kept.drop(folder)
            raise SwapError(f"vLLM did not take the adapter: {reason_of(error)}") from error
        self._kept.keep(weights.model, folder)
        self.served[weights.model] = weights
        self._retired_at.pop(weights.model, None)

    def retire(self, model: str) -> None:
        """Serve ``model`` no more; what is on its way to it is still answered, until :meth:`forget_retired`."""
        del self.served[model]
        self._retired_at[model] = time.monotonic()

    def forget_retired(self, after_seconds: float) -> None:
        """Unload what was retired so long ago. Raises ``SwapError``; it is tried once, for no call asks for it."""
        for model in [each for each, at in self._retired_at.items() if time.monotonic() - at >= after_seconds]:
            del self._retired_at[model]
            try:
                self._client.post("/v1/unload_lora_adapter", json={"lora_name": model}).raise_for_status()
            except httpx.HTTPError as error:
                raise SwapError(f"vLLM did not unload the adapter {model}: {reason_of(error)}") from error

    def _last(self, announced: Iterable[WeightVersion]) -> list[WeightVersion]:
        """Of each adapter of the model."""
        return list({each.model: each for each in announced if each.base == self._base}.values())

    def close(self) -> None:
        """Close the connection."""
        self._client.close()


def _same(served: WeightVersion | None, wanted: WeightVersion) -> bool:
    return served is not None and (served.version, served.sha256) == (wanted.version, wanted.sha256)
