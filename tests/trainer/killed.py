"""A trainer without Kafka that is killed at its n-th act upon the disk: ``python -m tests.trainer.killed LINES``.

Protocol: one JSON line in, ``[model, output folder, number of windows, kill at act n or null]``; one line out, how it
ended: ``done``, ``killed``, or what went wrong. Each line is a fork, so that torch is imported once.
"""

import json
import os
import signal
import sys
from pathlib import Path
from typing import Any

from tests.trainer.streams import samples
from tests.trainer.warm import warm_up

WATCHED = frozenset({"open", "os.mkdir", "os.rename", "os.remove", "os.rmdir", "shutil.rmtree", "shutil.copyfile"})
WINDOW = 2


def train(model: Path, folder: Path, windows: int, kill_at: int | None) -> int:
    """Continue in ``folder`` up to version ``windows``; the number of acts upon the folder."""
    from clawstream.streams.reading.consumer import Received
    from clawstream.streams.windows.seen import SeenSamples
    from clawstream.streams.windows.usable import unusable
    from clawstream.streams.windows.window import WindowAssembler, WindowLimits
    from clawstream.trainer.models.engine import start_ranks
    from clawstream.trainer.reports import Lags
    from clawstream.trainer.session import Session, begin
    from clawstream.trainer.settings import TrainerSettings
    from clawstream.trainer.versions.checkpoint import Checkpoints

    acts = 0

    def count(event: str, arguments: tuple[Any, ...]) -> None:
        nonlocal acts
        if event in WATCHED and str(arguments[0]).startswith(str(folder)):
            acts += 1
            if acts == kill_at:
                os.kill(os.getpid(), signal.SIGKILL)

    start_ranks()
    sys.addaudithook(count)
    settings = TrainerSettings(model=model, output_dir=folder, learning_rate=1e-3, keep_snapshots=2)
    checkpoints = Checkpoints(folder, settings.keep_snapshots)
    with checkpoints.owned():
        begin(settings, checkpoints)
        session = Session(settings, checkpoints)
        state = session.state
        assembler = WindowAssembler(
            WindowLimits(samples=WINDOW, tokens=10**9, seconds=1e9, policy_lag=100),
            lambda sample, version: unusable(sample, session.limits, version),
            SeenSamples(1000, state.seen),
            state.next_offsets,
        )
        log = samples(WINDOW * windows)
        for offset in range(assembler.positions([0])[0], len(log)):
            received = Received(record=log[offset], partition=0, offset=offset, timestamp_ms=0)
            assembler.add(received, session.state.version, 0.0)
            if assembler.due(0.0):
                lags = Lags(consumer_records=0, publish_versions=None)
                session.advance(assembler.close(), assembler.seen.pack(), lags)
    return acts


def main() -> None:
    """Answer lines until there are no more."""
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    warm_up()

    for line in sys.stdin:
        model, folder, windows, kill_at = json.loads(line)
        reading, writing = os.pipe()
        pid = os.fork()
        if pid == 0:
            try:
                acts = train(Path(model), Path(folder), windows, kill_at)
                os.write(writing, str(acts).encode())
            finally:
                os._exit(1)
        os.close(writing)
        with os.fdopen(reading) as said:
            acts_said = said.read()
        _, status = os.waitpid(pid, 0)
        killed = os.waitstatus_to_exitcode(status) == -signal.SIGKILL
        print("killed" if killed else acts_said or "failed", file=answers)


if __name__ == "__main__":
    main()
