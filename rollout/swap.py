"""Changing the weights of a running vLLM server without failing a request.

Invariant: requests in flight are frozen, not dropped, and go on only with weights whose label is known. What was
computed from the earlier weights (the KV cache) is discarded, also that of requests in flight, so that every token's
log-probability is that of the version it is labelled with::

    pause(keep) -> load -> update_weight_version -> reset_prefix_cache -> weight_info == version -> resume

To load is ``load_version`` from a folder, or to take what the trainer sends: vLLM's workers join the trainer's group
before the pause, and leave it in the end::

    init_weight_transfer_engine -> pause -> start_weight_update -> update_weights -> finish_weight_update
                                                  -> settle_version ... resume -> shutdown_weight_transfer_engine

A failure before the weights are touched leaves the earlier ones serving; one after it is final: vLLM cannot go back (a
worker that fails to load ends, and with it the server), so the node must end, and starts again with known weights.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import msgspec

from clawstream.rollout.engine import EngineError
from clawstream.schemas.transfer import Offer


class SwapError(EngineError):
    """The new weights were not loaded; the earlier ones serve on."""


class TransferError(SwapError):
    """The trainer does not send the new weights; they may be on disk."""


class WeightSwap:
    """Swaps weights at one server."""

    def __init__(self, url: str, timeout_seconds: float) -> None:
        """``timeout_seconds``: for each call."""
        self._client = httpx.Client(base_url=url, timeout=timeout_seconds)

    def label(self, version: int) -> None:
        """Name the weights that are loaded now. Raises ``EngineError`` when vLLM does not take the label."""
        try:
            self._label(version)
        except httpx.HTTPError as error:
            raise EngineError(f"vLLM did not take the label of version {version}: {reason_of(error)}") from error

    def swap(self, folder: Path, version: int) -> None:
        """Load ``folder`` as ``version``.

        Raises ``SwapError`` when vLLM could not be paused and serves on as before; ``EngineError`` when the weights
        that it holds now are not known: then it must end.
        """
        self._pause(version)
        with self._final(f"load version {version} from {folder}"):
            self._call_workers("load_version", weights_path=str(folder))
            self._go_on(version)

    def take(self, offer: Offer, version: int) -> None:
        """Load what the trainer sends as ``version``.

        Raises ``TransferError`` when vLLM did not join the trainer, else as :meth:`swap`.
        """
        self._join(offer, version)
        try:
            self._pause(version)
        except SwapError:
            self._leave(version)
            raise
        with self._final(f"take version {version} from its trainer"):
            self._post("/start_weight_update")
            self._post("/update_weights", {"update_info": msgspec.to_builtins(offer.tensors)})
            self._post("/finish_weight_update", {})
            self._call_workers("settle_version")
            self._go_on(version)
        self._leave(version)

    def worker_count(self) -> int:
        """How many workers hold the model. Raises ``TransferError``."""
        try:
            return int(self._client.get("/get_world_size").raise_for_status().json()["world_size"])
        except httpx.HTTPError as error:
            raise TransferError(f"vLLM does not say how many workers it has: {reason_of(error)}") from error

    def close(self) -> None:
        """Close the connection."""
        self._client.close()

    def _pause(self, version: int) -> None:
        try:
            self._post("/pause", params={"mode": "keep"})
        except httpx.HTTPError as error:
            why = f"vLLM could not be paused for version {version}: {reason_of(error)}"
            try:
                self._post("/resume")
            except httpx.HTTPError as second:
                raise EngineError(f"{why}; nor resumed: {reason_of(second)}") from error
            raise SwapError(why) from error

    def _join(self, offer: Offer, version: int) -> None:
        try:
            body, alone = {"init_info": offer.init_info}, {"Connection": "close"}  # it hangs up after an error
            self._client.post("/init_weight_transfer_engine", json=body, headers=alone).raise_for_status()
        except httpx.HTTPStatusError as error:  # it lives, and goes on
            raise TransferError(f"vLLM did not join the trainer for version {version}: {reason_of(error)}") from error
        except httpx.HTTPError as error:
            raise EngineError(f"vLLM was lost as it joined the trainer for version {version}: {error!r}") from error

    def _leave(self, version: int) -> None:
        with self._final(f"leave the trainer after version {version}"):
            self._post("/shutdown_weight_transfer_engine")

    def _go_on(self, version: int) -> None:
        """With ``version``, which is loaded."""
        self._label(version)
        # without reset_running_requests vLLM answers 200, and resets nothing, while a request is in flight
        reset = self._post("/reset_prefix_cache", params={"reset_running_requests": "true"})
        if not reset.json()["success"]:
            raise EngineError(f"vLLM kept what it had computed from the weights before version {version}")
        answer = self._client.get("/weight_info")
        answer.raise_for_status()
        if (served := answer.json()["weight_version"]) != str(version):
            raise EngineError(f"vLLM says that it serves version {served} after version {version} was loaded")
        self._post("/resume")

    @contextmanager
    def _final(self, act: str) -> Iterator[None]:
        """A failure is final."""
        try:
            yield
        except httpx.HTTPError as error:
            raise EngineError(f"vLLM failed to {act}: {reason_of(error)}") from error

    def _call_workers(self, method: str, **named: str) -> None:
        self._post("/collective_rpc", {"method": method, "kwargs": named})

    def _label(self, version: int) -> None:
        self._post("/update_weight_version", {"new_version": str(version)})

    def _post(
        self, path: str, body: dict[str, Any] | None = None, params: dict[str, str] | None = None
    ) -> httpx.Response:
        return self._client.post(path, json=body, params=params).raise_for_status()


def reason_of(error: httpx.HTTPError) -> str:
    """What vLLM said to a call, or why nothing came of it."""
    if isinstance(error, httpx.HTTPStatusError):
        response = error.response
        return f"{response.request.url.path} answered {response.status_code}: {response.text[:300]}"
    path = error.request.url.path  # every error of a client's call has its request
    return f"{path}: {error!r}"
