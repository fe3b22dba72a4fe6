"""A producer that librdkafka itself breaks, by the function that it has for tests of what comes after."""

import ctypes
from pathlib import Path

from clawstream.streams.writing.producer import Producer

_OUT_OF_ORDER_SEQUENCE_NUMBER = 45
_OBJECT_HEAD_BYTES = object.__basicsize__  # what librdkafka's handle stands behind in confluent_kafka's object


def break_for_good(producer: Producer) -> None:
    """As if the broker had lost count of the producer's records."""
    maps = Path("/proc/self/maps").read_text().splitlines()
    library = ctypes.CDLL(next(line.split()[-1] for line in maps if "librdkafka" in line))
    library.rd_kafka_test_fatal_error.argtypes = [ctypes.c_void_p, ctypes.c_int, ctypes.c_char_p]
    handle = ctypes.c_void_p.from_address(id(producer._client) + _OBJECT_HEAD_BYTES)
    assert library.rd_kafka_test_fatal_error(handle, _OUT_OF_ORDER_SEQUENCE_NUMBER, b"lost count") == 0
