"""Server-sent events: bytes, however they were cut, to the data of each event.

Invariant: how the bytes are cut changes nothing, and memory is bounded by one event.
"""

from collections.abc import Iterator

_MAX_EVENT_BYTES = 64 * 1024 * 1024


class SseDecoder:
    """Decodes one stream."""

    def __init__(self, max_event_bytes: int = _MAX_EVENT_BYTES) -> None:
        self._max = max_event_bytes
        self._partial: list[bytes] = []  # of a line whose end has not come
        self._data: list[bytes] = []  # lines of an event whose end has not come
        self._held_bytes = 0

    def feed(self, received: bytes) -> Iterator[bytes]:
        """The data of each event that ``received`` completes. Raises ``ValueError`` for an event that is too large."""
        *ended, rest = received.split(b"\n")
        for line in ended:
            self._partial.append(line)
            event = self._line(b"".join(self._partial).removesuffix(b"\r"))
            self._partial.clear()
            if event is not None:
                yield event
        self._partial.append(rest)
        self._hold(len(rest))

    def _line(self, line: bytes) -> bytes | None:
        if not line:
            return self._event()
        name, _, value = line.partition(b":")
        if name == b"data":
            value = value.removeprefix(b" ")
            self._hold(len(value))
            self._data.append(value)
        return None

    def _event(self) -> bytes | None:
        self._held_bytes = 0
        if not self._data:
            return None
        event = b"\n".join(self._data)
        self._data.clear()
        return event

    def _hold(self, count: int) -> None:
        self._held_bytes += count
        if self._held_bytes > 2 * self._max:  # a line is counted as it comes and again as data
            raise ValueError(f"an event is larger than {self._max} bytes")


def event(data: bytes) -> bytes:
    """``data`` (without newlines) as one event."""
    return b"data: " + data + b"\n\n"


def named_event(name: str, data: bytes) -> bytes:
    """``data`` (without newlines) as one event with a name."""
    return b"event: " + name.encode() + b"\ndata: " + data + b"\n\n"
