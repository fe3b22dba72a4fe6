"""``clawstream process``: one worker of the stream processors, until SIGTERM."""

import gc

from clawstream.processors.configured import configured
from clawstream.processors.settings import ProcessorsSettings
from clawstream.streams.cluster.admin import wait_for_kafka
from clawstream.streams.files.temporary import temporary_folder
from clawstream.streams.process.metrics import serve_metrics
from clawstream.streams.settings import KafkaSettings
from clawstream.streams.writing.producer import Producer

_COLLECT_AFTER = (50_000, 50, 50)  # records and states form no cycles: looking for some took a tenth of a step's CPU


def run(settings: ProcessorsSettings, kafka: KafkaSettings) -> int:
    """Work until told to stop. Raises ``SettingsError`` for a reward processor that cannot be used."""
    from clawstream.processors.worker.app import run_app
    from clawstream.processors.worker.worker import Worker

    gc.set_threshold(*_COLLECT_AFTER)
    scorers = configured(settings)
    wait_for_kafka(kafka)
    serve_metrics(settings.metrics_port)
    roomy = kafka.model_copy(update={"max_record_bytes": 2 * kafka.max_record_bytes})
    producer = Producer(roomy, "processors")  # tables and dead letters hold the largest record, and something beside it
    try:
        with temporary_folder("processors") as folder:
            run_app(Worker(settings, kafka, producer, folder, scorers).app)
    finally:
        producer.close()
    return 0
