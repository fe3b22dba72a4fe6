"""Ranks of one trainer, as a launcher starts them, without Kafka: ``python -m tests.trainer.two_ranks``.

Protocol: one JSON line in, ``[settings, number of ranks, number of windows]``; one line out, each rank's exit code.
"""

import json
import os
import sys
import traceback

from clawstream.streams.process.ports import free_port
from clawstream.trainer.settings import TrainerSettings
from tests.trainer.streams import samples
from tests.trainer.warm import warm_up

WINDOW = 5


def train(settings: TrainerSettings, number: int, windows: int) -> None:
    """What rank ``number`` does: rank 0 says what is trained, the others follow."""
    from clawstream.streams.windows.window import Window
    from clawstream.trainer.models.engine import start_ranks
    from clawstream.trainer.models.ranks import wait_for_all
    from clawstream.trainer.reports import Lags
    from clawstream.trainer.session import Session, begin
    from clawstream.trainer.versions.checkpoint import Checkpoints

    start_ranks()
    checkpoints = Checkpoints(settings.output_dir, settings.keep_snapshots)
    if number:
        wait_for_all()
        Session(settings, checkpoints).follow()
        return
    with checkpoints.owned():
        begin(settings, checkpoints)
        wait_for_all()
        session = Session(settings, checkpoints)
        log = samples(WINDOW * windows)
        for window in range(session.state.version, windows):
            taken = tuple(log[WINDOW * window : WINDOW * (window + 1)])
            session.idle()
            session.advance(
                Window(samples=taken, validation=(), discarded=(), next_offsets={}),
                b"",
                Lags(consumer_records=0, publish_versions=None),
            )
        session.finish()


def main() -> None:
    """Answer lines until there are no more."""
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    warm_up()
    for line in sys.stdin:
        settings, ranks, windows = json.loads(line)
        os.environ.update(MASTER_ADDR="127.0.0.1", MASTER_PORT=str(free_port()), WORLD_SIZE=str(ranks))
        pids = [_fork(TrainerSettings.model_validate_json(settings), number, windows) for number in range(ranks)]
        print(json.dumps([os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in pids]), file=answers)


def _fork(settings: TrainerSettings, number: int, windows: int) -> int:
    pid = os.fork()
    if pid == 0:
        os.environ.update(RANK=str(number), LOCAL_RANK=str(number))
        code = 1
        try:
            train(settings, number, windows)
            code = 0
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(code)
    return pid


if __name__ == "__main__":
    main()
