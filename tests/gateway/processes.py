"""``clawstream gateway`` as a process."""

import asyncio
import contextlib
import os
import re
import sys
from collections.abc import AsyncIterator

from clawstream.streams.settings import KafkaSettings


@contextlib.asynccontextmanager
async def gateway_process(kafka: KafkaSettings, *flags: str) -> AsyncIterator[tuple[asyncio.subprocess.Process, str]]:
    """A gateway from the command line and its URL; killed at the end when it still runs."""
    environment = os.environ | {
        "CLAWSTREAM_KAFKA_BOOTSTRAP_SERVERS": kafka.bootstrap_servers,
        "CLAWSTREAM_KAFKA_TOPIC_PREFIX": kafka.topic_prefix,
        "PYTHONPATH": os.pathsep.join(sys.path),
    }
    command = [sys.executable, "-m", "clawstream.cli.main", "gateway", "--port", "0", "--drain-seconds", "3", *flags]
    process = await asyncio.create_subprocess_exec(*command, env=environment, stderr=asyncio.subprocess.PIPE)
    assert process.stderr is not None
    reading = None
    try:
        async for line in process.stderr:
            if found := re.search(rb"serving at (\S+)/v1", line):
                break
        else:
            raise AssertionError("the gateway ended before it served")
        reading = asyncio.create_task(_drain(process.stderr))
        yield process, found[1].decode()
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()
        if reading is not None:
            await reading


async def _drain(lines: asyncio.StreamReader) -> None:
    async for _ in lines:
        pass
