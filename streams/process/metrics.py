"""Prometheus metrics that every process has, and the port that serves them."""

from prometheus_client import REGISTRY, CollectorRegistry, Counter, start_http_server

from clawstream.streams.errors import StreamError

RECORDS_PRODUCED = Counter("clawstream_records_produced", "Records acknowledged by Kafka", ["topic"])
RECORDS_CONSUMED = Counter("clawstream_records_consumed", "Records read and decoded", ["topic"])
DEAD_LETTERS = Counter("clawstream_dead_letters", "Records that could not be read", ["topic"])


def serve_metrics(port: int, host: str = "127.0.0.1", registry: CollectorRegistry = REGISTRY) -> None:
    """Serve ``/metrics`` on ``port`` from a daemon thread; 0 serves nothing. Raises ``StreamError``."""
    if not port:
        return
    try:
        start_http_server(port, addr=host, registry=registry)
    except OSError as error:
        raise StreamError(f"metrics cannot be served on {host} port {port}: {error.strerror}") from error
