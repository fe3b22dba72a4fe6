"""vLLM's control routes without vLLM: notes each call, and fails where it is told to."""

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit


@dataclass(kw_only=True)
class FakeVllm:
    """What was called, and what to answer."""

    url: str = ""
    calls: list[str] = field(default_factory=list)  # paths in order
    bodies: list[Any] = field(default_factory=list)
    statuses: dict[str, int] = field(default_factory=dict)  # path -> status other than 200
    label: str = "default"
    keeps_its_label: bool = False
    keeps_its_cache: bool = False
    load_seconds: float = 0.0

    def answer(self, target: str, body: Any) -> tuple[int, dict[str, Any]]:
        """Status and body for one call."""
        path = urlsplit(target).path
        if path == "/health":
            return 200, {}
        self.calls.append(target)
        self.bodies.append(body)
        if path in ("/collective_rpc", "/v1/load_lora_adapter"):
            time.sleep(self.load_seconds)
        if path in self.statuses:
            return self.statuses[path], {"error": "as told"}
        if path == "/update_weight_version" and not self.keeps_its_label:
            self.label = body["new_version"]
        if path == "/get_world_size":
            return 200, {"world_size": 2}
        if path == "/weight_info":
            return 200, {"weight_version": self.label}
        return 200, {"success": not self.keeps_its_cache}

    @property
    def paths(self) -> list[str]:
        """Paths in order, without queries."""
        return [urlsplit(call).path for call in self.calls]


@contextmanager
def fake_vllm() -> Iterator[FakeVllm]:
    """A server on a free port."""
    fake = FakeVllm()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            raw = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            status, body = fake.answer(self.path, json.loads(raw) if raw else None)
            data = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        do_GET = do_POST  # noqa: N815

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        fake.url = f"http://127.0.0.1:{server.server_address[1]}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        yield fake
        server.shutdown()
