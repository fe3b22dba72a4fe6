"""Changing the weights of a running vLLM server without failing a request.

Invariant: requests in flight are frozen, not dropped; whatever happens the server is resumed, with weights whose label is
known, or the caller is told that it must not serve::

    pause(keep) -> reload_weights -> update_weight_version -> reset_prefix_cache -> resume -> weight_info == version
"""

import logging
from pathlib import Path
from typing import Any

import httpx

from clawstream.rollout.engine import EngineError

_log = logging.getLogger(__name__)


class SwapError(EngineError):
    """The new weights could not be loaded; the earlier ones serve on."""


class WeightSwap:
    """Swaps weights at one server."""

    def __init__(self, url: str, timeout_seconds: float) -> None:
        self._client = httpx.Client(base_url=url, timeout=timeout_seconds)

    def label(self, version: int) -> None:
        """Name the weights that are loaded now."""
        self._post("/update_weight_version", {"new_version": str(version)})

    def version(self) -> str:
        """The label of the weights that are loaded now."""
        answer = self._client.get("/weight_info")
        answer.raise_for_status()
        return str(answer.json()["weight_version"])

    def swap(self, folder: Path, version: int, *, fallback: tuple[Path, int]) -> None:
        """Load ``folder`` as ``version``.

        Raises ``SwapError`` when that failed and ``fallback`` (the folder and version served before) is loaded again;
        ``EngineError`` when neither could be loaded: then the server holds unknown weights and must end.
        """
        try:
            self._post("/pause", None, params={"mode": "keep"})
            failure = self._load(folder, version)
            if failure is not None and (again := self._load(*fallback)) is not None:
                raise EngineError(f"version {version}: {failure}; then version {fallback[1]}: {again}")
            self._post("/resume", None)
        except httpx.HTTPError as error:
            raise EngineError(f"vLLM broke off while version {version} was being loaded: {error!r}") from error
        if failure is not None:
            raise SwapError(f"version {version} was not loaded, version {fallback[1]} serves on: {failure}")
        if (served := self.version()) != str(version):
            raise EngineError(f"vLLM says that it serves version {served} after version {version} was loaded")

    def close(self) -> None:
        """Close the connection."""
        self._client.close()

    def _load(self, folder: Path, version: int) -> str | None:
        """Load and label; what went wrong, or None."""
        call = {"method": "reload_weights", "kwargs": {"weights_path": str(folder)}}
        try:
            self._post("/collective_rpc", call)
            self.label(version)
            self._post("/reset_prefix_cache", None)
        except httpx.HTTPStatusError as error:
            return f"{error.request.url.path} answered {error.response.status_code}: {error.response.text[:300]}"
        return None

    def _post(self, path: str, body: dict[str, Any] | None, params: dict[str, str] | None = None) -> None:
        self._client.post(path, json=body, params=params).raise_for_status()
