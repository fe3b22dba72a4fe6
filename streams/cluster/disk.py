"""How much of the brokers' disks each topic takes, asked of every broker.

librdkafka 2.16 cannot ask this, and aiokafka has no such request either, but lets one be defined: DescribeLogDirs,
version 1 (https://kafka.apache.org/protocol#The_Messages_DescribeLogDirs).
"""

import asyncio
import logging
from collections import Counter
from collections.abc import Mapping
from typing import Any

from aiokafka.client import AIOKafkaClient
from aiokafka.errors import KafkaError
from aiokafka.protocol.api import Request, RequestStruct, Response
from aiokafka.protocol.types import Array, Boolean, Int16, Int32, Int64, Schema, String

from clawstream.streams.errors import KafkaUnreachableError
from clawstream.streams.settings import KafkaSettings

_TEXT = String("utf-8")


class _Found(Response):
    API_KEY, API_VERSION = 35, 1
    SCHEMA = Schema(
        ("throttle_time_ms", Int32),
        (
            "folders",
            Array(
                ("error_code", Int16),
                ("folder", _TEXT),
                (
                    "topics",
                    Array(
                        ("name", _TEXT),
                        (
                            "partitions",
                            Array(("index", Int32), ("bytes", Int64), ("lag", Int64), ("is_future", Boolean)),
                        ),
                    ),
                ),
            ),
        ),
    )


class _Ask(RequestStruct):
    API_KEY, API_VERSION, RESPONSE_TYPE = 35, 1, _Found
    SCHEMA = Schema(("topics", Array(("name", _TEXT), ("partitions", Array(Int32)))))


class _DescribeLogDirs(Request[_Ask]):
    API_KEY = 35

    def build(self, request_struct_class: type[_Ask]) -> _Ask:
        return request_struct_class(None)  # of every topic


def bytes_on_disk(settings: KafkaSettings) -> Mapping[str, int]:
    """Bytes of each topic's replicas on all brokers together, by its name on the cluster; empty where brokers do not
    allow to ask. Raises ``KafkaUnreachableError``."""
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
    try:
        return asyncio.run(_asked(settings))
    except (KafkaError, OSError) as error:
        raise KafkaUnreachableError(f"the size of topics is not known: {error!r}") from error


async def _asked(settings: KafkaSettings) -> Mapping[str, int]:
    found = Counter[str]()
    client = AIOKafkaClient(
        bootstrap_servers=settings.bootstrap_servers,
        security_protocol=settings.security_protocol,
        ssl_context=settings.ssl_context(),
        sasl_mechanism=settings.sasl_mechanism,
        sasl_plain_username=settings.sasl_username,
        sasl_plain_password=settings.password or None,
    )
    try:
        await client.bootstrap()
        for broker in client.cluster.brokers():
            found.update(_summed(await client.send(broker.nodeId, _DescribeLogDirs())))
    finally:
        await client.close()
    return found


def _summed(answer: Any) -> Counter[str]:
    found = Counter[str]()
    for _, _, topics in answer.folders:
        for name, partitions in topics:
            found[name] += sum(size for _, size, _, _ in partitions)
    return found
