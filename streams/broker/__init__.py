"""A real single-node Apache Kafka (KRaft) on this machine: the only way that ClawStream runs Kafka locally."""

from clawstream.streams.broker.config import KAFKA_VERSION, Node
from clawstream.streams.broker.errors import BrokerError
from clawstream.streams.broker.server import LocalBroker
from clawstream.streams.broker.settings import BrokerSettings

__all__ = ["KAFKA_VERSION", "BrokerError", "BrokerSettings", "LocalBroker", "Node"]
