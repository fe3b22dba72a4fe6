"""The trainer's main loop.

Invariant: what is trained is trained once, and nothing is lost. A checkpoint holds weights together with the offsets
and the ids of the samples that made them; every start reads on at exactly these offsets::

    consume -> window -> update -> checkpoint -> announce -> commit
                              ^            ^
             killed here: the window       killed here: the restart announces
             is read and trained again     the checkpoint's version again
"""

import logging
import threading
import time

from clawstream.schemas import Sample
from clawstream.streams.consumer import GroupConsumer
from clawstream.streams.producer import Producer
from clawstream.trainer.batches.window import WindowAssembler
from clawstream.trainer.metrics import CONSUMER_LAG, note_update
from clawstream.trainer.reports import describe
from clawstream.trainer.session import Session
from clawstream.trainer.versions.publish import announce

_POLL_SECONDS = 0.2
_MAX_POLL_RECORDS = 500

_log = logging.getLogger(__name__)


def train(
    session: Session,
    assembler: WindowAssembler,
    consumer: GroupConsumer[Sample],
    producer: Producer,
    stop: threading.Event,
) -> None:
    """Train window after window until ``stop`` is set; the next start reads again what is in an open window then."""
    announce(producer, session.state)
    while not stop.is_set():
        version = session.state.version
        for received in consumer.consume(min(assembler.room, _MAX_POLL_RECORDS), _POLL_SECONDS):
            assembler.add(received, version, time.monotonic())
        lag = consumer.lag()
        CONSUMER_LAG.set(lag)
        if not assembler.due(time.monotonic()):
            session.idle()
            continue
        window = assembler.close()
        state = session.advance(window, assembler.seen.pack(), lag)
        trained_at = time.monotonic()
        announce(producer, state)
        consumer.commit(state.next_offsets)  # for those who watch the lag; the checkpoint's offsets are what counts
        if state.report is not None:
            note_update(state.report, time.monotonic() - trained_at)
            _log.info("%s", describe(state.report))
