"""Server-sent events: bytes, however they were cut, to the data of each event.

Invariant: how the bytes are cut changes nothing, and memory is bounded by one event.
"""

from collections.abc import Iterator

_MAX_EVENT_BYTES = 64 * 1024 * 1024
_DATA = b"data: "


class SseDecoder:
    """Decodes one stream."""

    def __init__(self, max_event_bytes: int = _MAX_EVENT_BYTES) -> None:
        self._max = max_event_bytes
        self._partial: list[bytes] = []  # of a line whose end has not come
        self._data: list[bytes] = []  # lines of an event whose end has not come
        self._held_bytes = 0

    def feed(self, received: bytes) -> Iterator[bytes]:
        """The data of each event that ``received`` completes. Raises ``ValueError`` for an event that is too large."""
        if self._is_whole(received):
            for block in received[:-2].split(b"\n\n"):
                if block.startswith(_DATA) and b"\n" not in block:
                    yield block[len(_DATA) :]
                else:
                    found = map(self._line, (*block.split(b"\n"), b""))
                    yield from (event for event in found if event is not None)
            return
        *ended, rest = received.split(b"\n")
        for line in ended:
            if self._partial:
                line = b"".join((*self._partial, line))
                self._partial.clear()
            event = self._line(line.removesuffix(b"\r"))
            if event is not None:
                yield event
        if rest:
            self._partial.append(rest)
            self._hold(len(rest))

    def _is_whole(self, received: bytes) -> bool:
        """Is it as vLLM sends it: events from their begin to their end, with newlines alone?"""
        if self._partial or self._data or len(received) > self._max:
            return False
        return received.endswith(b"\n\n") and b"\r" not in received

    def _line(self, line: bytes) -> bytes | None:
        if not line:
            return self._event()
        name, _, value = line.partition(b":")
        if name == b"data":
            self._data.append(value.removeprefix(b" "))
            self._hold(len(value))
        return None

    def _event(self) -> bytes | None:
        self._held_bytes = 0
        if not self._data:
            return None
        lines, self._data = self._data, []
        return lines[0] if len(lines) == 1 else b"\n".join(lines)

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
