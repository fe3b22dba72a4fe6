"""``python -m clawstream.streams.broker``: fetch Kafka's jars now, so that no start has to."""

from clawstream.streams.broker.install.jars import resolve_jars

resolve_jars()
