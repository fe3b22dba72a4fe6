"""``clawstream broker`` as a process: what it prints, how it stops, and what it leaves when it is killed."""

import os
import re
import signal
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest

from clawstream.streams.broker.config import KAFKA_VERSION
from clawstream.streams.broker.lock import FileLock
from clawstream.streams.process.ports import free_port

pytestmark = pytest.mark.kafka

_RUN = """
import sys
from pathlib import Path
from clawstream.streams.broker import BrokerSettings
from clawstream.streams.broker.command import run
from clawstream.streams.settings import KafkaSettings
settings = BrokerSettings(port=0, data_dir=Path(sys.argv[1]), metrics_port=int(sys.argv[2]))
sys.exit(run(settings, KafkaSettings()))
"""


def start(data_dir: Path, metrics_port: int = 0) -> tuple["subprocess.Popen[str]", str]:
    """The command as a process, and the line that it prints when it is ready."""
    command = [sys.executable, "-c", _RUN, str(data_dir), str(metrics_port)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, start_new_session=True)
    assert process.stdout is not None
    return process, process.stdout.readline().strip()


def jvm_of(data_dir: Path) -> int:
    """The process id that the lock file names."""
    found = re.search(r"process (\d+)", (data_dir / "broker.lock").read_text())
    assert found is not None
    return int(found[1])


def gone(pid: int, within_seconds: float = 5.0) -> bool:
    """Does the process end in time?"""
    deadline = time.monotonic() + within_seconds
    while time.monotonic() < deadline:
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return True
        time.sleep(0.02)
    return False


def says_what_its_kafka_uses(metrics_port: int) -> None:
    with urllib.request.urlopen(f"http://127.0.0.1:{metrics_port}/metrics", timeout=10) as answer:
        found = re.search(r"^clawstream_broker_process_resident_memory_bytes (\S+)", answer.read().decode(), re.M)
    assert found is not None
    assert float(found[1]) > 50e6


def test_it_announces_itself_and_stops_cleanly_then_dies_with_its_parent(tmp_path: Path) -> None:
    metrics_port = free_port()
    process, line = start(tmp_path, metrics_port)
    where = rf"127\.0\.0\.1:\d+ in \d+\.\d s, data in {re.escape(str(tmp_path))}"
    assert re.fullmatch(rf"Kafka {re.escape(KAFKA_VERSION)} ready at {where}", line)
    says_what_its_kafka_uses(metrics_port)
    process.send_signal(signal.SIGTERM)
    assert process.communicate(timeout=30)[0] == ""
    assert process.returncode == 0
    assert (tmp_path / "kafka" / ".kafka_cleanshutdown").exists()

    process, _ = start(tmp_path)
    jvm = jvm_of(tmp_path)
    assert not gone(jvm, within_seconds=0.1)
    process.kill()
    process.wait(30)
    if sys.platform == "linux":
        assert gone(jvm)
        assert FileLock(tmp_path / "broker.lock").acquire(wait=False)
