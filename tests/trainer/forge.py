"""Starts trainer processes quickly: heavy modules are imported once, and each trainer is a fork of that process.

Protocol over stdin and stdout, one line each: settings as JSON in, the new process's id out; ``wait`` in, its exit code
out (negative: the signal that killed it).
"""

import contextlib
import json
import os
import signal
import subprocess
import sys
import traceback
from pathlib import Path

from clawstream.streams.settings import KafkaSettings
from clawstream.trainer.settings import TrainerSettings
from tests.trainer.warm import warm_up


class Forge:
    """The parent of trainer processes; one at a time."""

    def __init__(self, log: Path) -> None:
        self.log = log
        self._process = subprocess.Popen(
            [sys.executable, "-m", __name__, str(log)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def start(self, settings: TrainerSettings, kafka: KafkaSettings) -> int:
        """Start a trainer; its process id."""
        return int(self._ask(json.dumps([settings.model_dump_json(), kafka.model_dump_json(exclude_unset=True)])))

    def wait(self) -> int:
        """The exit code of the trainer."""
        return int(self._ask("wait"))

    def close(self) -> None:
        """End the parent."""
        self._process.communicate()

    def _ask(self, line: str) -> str:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(line + "\n")
        self._process.stdin.flush()
        return self._process.stdout.readline()


def _main(log: Path) -> None:
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    for stream in (1, 2):  # libraries print as they like
        os.dup2(output, stream)
    warm_up()
    from clawstream.streams.process.log import configure_logging
    from clawstream.trainer.command import run

    pid = 0
    for line in sys.stdin:
        if line.strip() == "wait":
            _, status = os.waitpid(pid, 0)
            pid = 0
            print(os.waitstatus_to_exitcode(status), file=answers)
            continue
        settings, kafka = json.loads(line)
        pid = os.fork()
        if pid == 0:
            configure_logging("train")
            code = 70
            try:
                code = run(TrainerSettings.model_validate_json(settings), KafkaSettings.model_validate_json(kafka))
            except BaseException:
                traceback.print_exc()
            finally:
                os._exit(code)
        print(pid, file=answers)
    if pid:
        with contextlib.suppress(ProcessLookupError):  # a test that failed has left it
            os.kill(pid, signal.SIGKILL)


if __name__ == "__main__":
    _main(Path(sys.argv[1]))
