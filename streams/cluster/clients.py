"""The ``AdminClient`` of a cluster: one for all who ask, for as long as the process lives.

confluent-kafka 2.16 crashes the process when admin clients come and go: within half a minute of readers opened,
asked and dropped, a request of one, soon after another was freed by the garbage collector, is a segmentation fault. So
none is ever freed, and ruff lets nobody else make one (``banned-api``).
"""

import os
from collections.abc import Mapping
from functools import cache

from confluent_kafka.admin import AdminClient  # noqa: TID251

UNUSED = "unused"  # the group of a client in no group: librdkafka wants a name, and looks for its coordinator
Options = Mapping[str, str | int | float | bool]


def admin_client(options: Options) -> AdminClient:
    """The client with these ``options``. Threads may share it; a process that was forked has its own."""
    return _client(os.getpid(), tuple(options.items()))


@cache
def _client(_: int, options: tuple[tuple[str, str | int | float | bool], ...]) -> AdminClient:
    return AdminClient({**dict(options), "log_level": 0})  # requests raise; a lost connection between them is no news
