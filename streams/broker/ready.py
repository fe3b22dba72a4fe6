"""Whether a broker serves: it answers for the right cluster and counts itself in."""

from confluent_kafka import KafkaException

from clawstream.streams.cluster.clients import admin_client


class ReadyProbe:
    """Asks one broker for its metadata. The port opens earlier than Kafka answers, so an open port says little."""

    def __init__(self, bootstrap_servers: str, cluster_id: str) -> None:
        self._options: dict[str, str | int | float | bool] = {
            "bootstrap.servers": bootstrap_servers,
            "reconnect.backoff.max.ms": 200,
        }
        self._cluster_id = cluster_id

    def answers(self) -> bool:
        """Does the broker of this cluster, and no other that took its port, serve clients?"""
        try:
            metadata = admin_client(self._options).list_topics(timeout=1.0)
        except KafkaException:
            return False
        return metadata.cluster_id == self._cluster_id and bool(metadata.brokers)
