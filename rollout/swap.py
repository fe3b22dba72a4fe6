"""Changing the weights of a running vLLM server without failing a request.

Invariant: requests in flight are frozen, not dropped, and go on only with weights whose label is known. What was
computed from the earlier weights (the KV cache) is discarded, also that of requests in flight, so that every token's
log-probability is that of the version it is labelled with::

    pause(keep) -> load_version -> update_weight_version -> reset_prefix_cache -> weight_info == version -> resume

A failure before the weights are touched leaves the earlier ones serving; one after it is final: vLLM cannot go back (a
worker that fails to load ends, and with it the server), so the node must end, and starts again with known weights.
"""

from pathlib import Path
from typing import Any

import httpx

from clawstream.rollout.engine import EngineError


class SwapError(EngineError):
    """The new weights were not loaded; the earlier ones serve on."""


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
        try:
            self._load(folder, version)
            self._post("/resume")
        except httpx.HTTPError as error:
            raise EngineError(f"vLLM failed to load version {version} from {folder}: {reason_of(error)}") from error

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

    def _load(self, folder: Path, version: int) -> None:
        self._post("/collective_rpc", {"method": "load_version", "kwargs": {"weights_path": str(folder)}})
        self._label(version)
        # without reset_running_requests vLLM answers 200, and resets nothing, while a request is in flight
        reset = self._post("/reset_prefix_cache", params={"reset_running_requests": "true"})
        if not reset.json()["success"]:
            raise EngineError(f"vLLM kept what it had computed from the weights before version {version}")
        answer = self._client.get("/weight_info")
        answer.raise_for_status()
        if (served := answer.json()["weight_version"]) != str(version):
            raise EngineError(f"vLLM says that it serves version {served} after version {version} was loaded")

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
