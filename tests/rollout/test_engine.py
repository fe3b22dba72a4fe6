"""A server process: awaited, watched, stopped with its children."""

import logging
import os
import sys
import time
from collections.abc import Iterator

import pytest

from clawstream.rollout.engine import Engine, EngineError
from clawstream.streams.process.ports import free_port

SERVER = """
import http.server, subprocess, sys
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
print("child", child.pid, flush=True)
class Healthy(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200 if self.path == "/health" else 404)
        self.end_headers()
    def log_message(self, *_): pass
http.server.HTTPServer(("127.0.0.1", int(sys.argv[1])), Healthy).serve_forever()
"""


def engine(code: str) -> Engine:
    port = free_port()
    return Engine([sys.executable, "-c", code, str(port)], dict(os.environ), f"http://127.0.0.1:{port}")


@pytest.fixture
def serving() -> Iterator[Engine]:
    started = engine(SERVER)
    try:
        assert started.wait_ready(20, lambda: False)
        yield started
    finally:
        started.stop()


def gone(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return False


def test_it_is_ready_once_it_answers(serving: Engine) -> None:
    assert serving.answers()
    serving.check()


def test_a_stop_ends_its_children_too(serving: Engine) -> None:
    child = int(serving.last_words.split()[-1])
    assert not gone(child)
    serving.stop()
    deadline = time.monotonic() + 5
    while not gone(child):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert not serving.answers()


def test_its_death_is_told_with_its_last_words() -> None:
    dying = engine("print('all is well'); raise MemoryError('no room for the weights')")
    with pytest.raises(EngineError, match="no room for the weights"):
        dying.wait_ready(20, lambda: False)
    dying.stop()


def test_a_server_that_stays_silent_is_given_up() -> None:
    silent = engine("import time; time.sleep(60)")
    with pytest.raises(EngineError, match=r"did not answer within 0.3 s"):
        silent.wait_ready(0.3, lambda: False)
    silent.stop()


def test_waiting_ends_when_told() -> None:
    silent = engine("import time; time.sleep(60)")
    assert silent.wait_ready(20, lambda: True) is False
    silent.stop()


def test_what_it_prints_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG, "clawstream.rollout.engine"):
        talking = engine("print('loading'); import time; time.sleep(0.2)")
        with pytest.raises(EngineError):
            talking.wait_ready(20, lambda: False)
        talking.stop()
    assert "vllm: loading" in caplog.text
