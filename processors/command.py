"""``clawstream process``: one worker of the stream processors, until SIGTERM."""

import logging

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
    worker = faust.Worker(
        Worker(settings, kafka).app, loglevel="WARNING", override_logging=False, redirect_stdouts=False
    )
    worker.execute_from_commandline()
    return 0
