"""``clawstream process``: one worker of the stream processors, until SIGTERM."""

import logging
import tempfile
from pathlib import Path

from clawstream.processors.settings import ProcessorsSettings
from clawstream.streams.admin import wait_for_kafka
from clawstream.streams.metrics import serve_metrics
from clawstream.streams.settings import KafkaSettings


def run(settings: ProcessorsSettings, kafka: KafkaSettings) -> int:
    """Work until told to stop."""
    import faust

    from clawstream.processors.worker import Worker

    for noisy in ("faust", "mode", "aiokafka", "kafka"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    wait_for_kafka(kafka)
    serve_metrics(settings.metrics_port)
    with tempfile.TemporaryDirectory(
        prefix="clawstream-processors-"
    ) as folder:  # Faust wants one; nothing is kept there
        app = Worker(settings, kafka, Path(folder)).app
        worker = faust.Worker(app, loglevel="WARNING", override_logging=False, redirect_stdouts=False)
        worker.execute_from_commandline()
    return 0
