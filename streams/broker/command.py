"""``clawstream broker``: a local Kafka in the foreground, until SIGTERM or Ctrl-C."""

import signal
import time

from prometheus_client import ProcessCollector

from clawstream.streams.broker.config import KAFKA_VERSION
from clawstream.streams.broker.server import LocalBroker
from clawstream.streams.broker.settings import BrokerSettings
from clawstream.streams.process.metrics import serve_metrics
from clawstream.streams.settings import KafkaSettings


def run(settings: BrokerSettings, _: KafkaSettings) -> int:
    """Run a broker until it is told to stop, then shut it down cleanly; the exit code.

    Raises ``BrokerError`` when it cannot start or ends by itself. Call it from the main thread.
    """
    # From here on SIGTERM is what Ctrl-C is, at any moment: also while jars are fetched or Kafka starts.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    started = time.monotonic()
    try:
        with LocalBroker(port=settings.port, data_dir=settings.data_dir, ephemeral=settings.ephemeral) as broker:
            seconds = time.monotonic() - started
            where = f"{broker.bootstrap_servers} in {seconds:.1f} s, data in {broker.data_dir}"
            ProcessCollector(namespace="clawstream_broker", pid=lambda: broker.pid)  # of the JVM
            serve_metrics(settings.metrics_port)
            print(f"Kafka {KAFKA_VERSION} ready at {where}", flush=True)
            broker.wait()
    except KeyboardInterrupt:
        return 0
    return 0
