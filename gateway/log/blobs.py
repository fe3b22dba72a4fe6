"""Large content parts go to the blob store before the step that refers to them goes to Kafka.

Invariant: a step in the log refers to nothing that is not in the store. What is sent to a node is not touched.
"""

import asyncio
import logging
from concurrent.futures import ThreadPoolExecutor

import msgspec

from clawstream.gateway.errors import unavailable
from clawstream.gateway.log.ledger import NOT_RECORDED
from clawstream.gateway.metrics import BLOB_BYTES
from clawstream.schemas import Step
from clawstream.schemas.blobs import SCHEME, moved
from clawstream.streams.files.blobs import BlobError, BlobStore

_THREADS = 4

_log = logging.getLogger(__name__)


class Blobs:
    """The gateway's hand on the blob store."""

    def __init__(self, store: BlobStore, min_bytes: int, seconds: float) -> None:
        """``min_bytes``: what is shorter stays in its step; ``seconds``: longest wait for the store."""
        self._store, self._min_bytes, self._seconds = store, min_bytes, seconds
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="blobs")

    async def apart(self, step: Step) -> Step:
        """``step`` with references in place of large parts, once these are in the store. Raises ``ApiError`` 503."""
        if len(step.new_messages_json) < self._min_bytes and SCHEME not in step.new_messages_json:
            return step
        try:
            async with asyncio.timeout(self._seconds):
                return await asyncio.get_running_loop().run_in_executor(self._threads, self._apart, step)
        except (BlobError, TimeoutError) as error:
            _log.warning("%s", str(error) or f"the blob store took longer than {self._seconds:g} s")
            raise unavailable("a content part cannot be written to the blob store", NOT_RECORDED) from error

    def _apart(self, step: Step) -> Step:
        messages, contents = moved(msgspec.json.decode(step.new_messages_json), self._min_bytes)
        if not contents:
            return step
        for reference, content in contents.items():
            self._store.put(step.tenant, reference, content)
            BLOB_BYTES.inc(len(content))
        return msgspec.structs.replace(step, new_messages_json=msgspec.json.encode(messages).decode())
