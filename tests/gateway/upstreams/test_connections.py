"""Connections over real sockets: a server that says exactly which bytes, when."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clawstream.gateway.upstreams.connections import Connections, UnreachedError
from clawstream.gateway.upstreams.http_answer import BrokenOffError, SilenceError

Answering = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nX-Id: 7\r\n\r\n5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n"
BEGUN = CHUNKED[: CHUNKED.index(b"6\r\n")]  # up to a whole chunk
LATE = 0.3  # seconds


@contextlib.asynccontextmanager
async def server(answer: Answering) -> AsyncIterator[tuple[str, list[int]]]:
    """A server that answers every connection with ``answer``: its URL, and how many connections were made."""
    made: list[int] = []

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        made.append(len(made))
        try:
            await answer(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    listening = await asyncio.start_server(handle, "127.0.0.1", 0)
    async with listening:
        yield f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}/v1", made


async def request(reader: asyncio.StreamReader) -> tuple[bytes, bytes]:
    """The next request's head and body."""
    head = await reader.readuntil(b"\r\n\r\n")
    size = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
    return head, await reader.readexactly(size)


def always(*pieces: bytes) -> Answering:
    """Answer every request with ``pieces``, each in a segment of its own."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            await request(reader)
            for piece in pieces:
                writer.write(piece)
                await writer.drain()
                await asyncio.sleep(0)

    return answer


def piecemeal(*pieces: bytes, ends: bool = False) -> Answering:
    """Answer one request with ``pieces``, one after the other; then end, or fall silent."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await request(reader)
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        for piece in pieces:
            await asyncio.sleep(0.02)
            writer.write(piece)
        if not ends:
            await reader.read()

    return answer


def connections(silence_seconds: float = 5.0, keep_seconds: float = 3.0) -> Connections:
    return Connections(connect_seconds=2.0, silence_seconds=silence_seconds, keep_seconds=keep_seconds)


async def said(client: Connections, url: str) -> bytes:
    async with client.asked(url, b"{}", {}) as answer:
        return await answer.read(1 << 20)


async def test_what_is_sent_is_what_was_given() -> None:
    got: list[tuple[bytes, bytes]] = []

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        got.append(await request(reader))
        writer.write(OK)

    client = connections()
    async with server(answer) as (url, _), client.asked(f"{url}/chat?a=1", b'{"x":1}', {"A": "b"}) as reply:
        assert (reply.status, reply.headers["content-length"], await reply.read(9)) == (200, "2", b"ok")
    host = url.removeprefix("http://").removesuffix("/v1")
    head = f"POST /v1/chat?a=1 HTTP/1.1\r\nHost: {host}\r\nA: b\r\nContent-Length: 7\r\n\r\n"
    assert got == [(head.encode(), b'{"x":1}')]


@given(cuts=st.lists(st.integers(1, len(CHUNKED) - 1), max_size=8, unique=True))
async def test_how_an_answer_is_cut_changes_nothing(cuts: list[int]) -> None:
    ends = [0, *sorted(cuts), len(CHUNKED)]
    pieces = [CHUNKED[start:end] for start, end in pairwise(ends)]
    client = connections()
    async with server(always(*pieces)) as (url, made):
        async with client.asked(url, b"{}", {}) as answer:
            assert (answer.headers["x-id"], await answer.read(99)) == ("7", b"hello world")
        assert (await said(client, url), made) == (b"hello world", [0])
        client.close()


async def test_a_connection_serves_one_call_after_another_and_several_serve_several_at_once() -> None:
    client = connections()
    async with server(always(OK)) as (url, made):
        for _ in range(5):
            assert await said(client, url) == b"ok"
        assert made == [0]
        assert await asyncio.gather(*(said(client, url) for _ in range(4))) == [b"ok"] * 4
        assert len(made) == 4
        client.close()


async def test_an_answer_that_is_left_early_closes_its_connection() -> None:
    gone = asyncio.Event()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await request(reader)
        writer.write(BEGUN)
        assert await reader.read() == b""
        gone.set()

    client = connections()
    async with server(answer) as (url, _):
        async with client.asked(url, b"{}", {}) as reply:
            assert await reply.next() == b"hello"
        await asyncio.wait_for(gone.wait(), 5)


async def test_a_call_that_is_cancelled_closes_its_connection() -> None:
    asked, gone = asyncio.Event(), asyncio.Event()

    async def answer(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
        await request(reader)
        asked.set()
        assert await reader.read() == b""
        gone.set()

    async with server(answer) as (url, _):
        call = asyncio.create_task(connections().post(url, b"{}", {}))
        await asyncio.wait_for(asked.wait(), 5)
        call.cancel()
        await asyncio.wait_for(gone.wait(), 5)


async def test_an_idle_connection_that_the_server_closed_is_not_used_again() -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await request(reader)
        writer.write(OK)

    client = connections()
    async with server(answer) as (url, made):
        for _ in range(3):
            assert await said(client, url) == b"ok"
            await asyncio.sleep(0.05)
        assert len(made) == 3


async def test_one_that_was_idle_for_too_long_is_not_used_again() -> None:
    client = connections(keep_seconds=0.02)
    async with server(always(OK)) as (url, made):
        for _ in range(2):
            assert await said(client, url) == b"ok"
            await asyncio.sleep(0.05)
        assert len(made) == 2
        client.close()


@pytest.mark.parametrize("said_to", [b"Connection: close\r\n", b""], ids=["it says so", "it says nothing"])
async def test_a_body_may_end_with_its_connection(said_to: bytes) -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await request(reader)
        writer.write(b"HTTP/1.1 200 OK\r\n" + said_to + b"\r\nall of it")

    async with server(answer) as (url, _):
        assert await said(connections(), url) == b"all of it"


async def test_go_on_and_early_hints_are_no_answer() -> None:
    hints = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: a\r\n\r\n"
    client = connections()
    async with server(always(hints + OK)) as (url, made):
        for _ in range(2):
            async with client.asked(url, b"{}", {}) as answer:
                assert (answer.status, "link" in answer.headers, await answer.read(9)) == (200, False, b"ok")
        assert made == [0]
        client.close()


async def test_an_answer_that_nobody_asked_for_is_given_to_nobody() -> None:
    client = connections()
    async with server(always(OK + OK.replace(b"ok", b"no"))) as (url, made):
        assert [await said(client, url) for _ in range(3)] == [b"ok"] * 3
        assert len(made) == 3


@pytest.mark.parametrize(
    "bytes_said",
    [
        b"",
        b"HTTP/1.1 200 OK\r\nContent-Le",
        CHUNKED[:-7],
        OK[:-1],
        b"SSH-2.0-OpenSSH_9.9\r\n",
        b"HTTP/9.9 what\r\n\r\n",
    ],
    ids=["nothing", "half a head", "half a stream", "half a body", "another protocol", "no HTTP"],
)
async def test_what_breaks_off_is_told_so(bytes_said: bytes) -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await request(reader)
        writer.write(bytes_said)

    async with server(answer) as (url, _):
        with pytest.raises(BrokenOffError):
            await said(connections(), url)


@pytest.mark.parametrize("before", [b"", BEGUN], ids=["before its head", "within its body"])
async def test_silence_has_an_end(before: bytes) -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await request(reader)
        writer.write(before)
        await reader.read()

    async with server(answer) as (url, _):
        with pytest.raises(SilenceError, match=r"nothing came for 0\.1 s"):
            await said(connections(silence_seconds=0.1), url)


async def test_who_reads_late_is_not_told_of_silence() -> None:
    async with server(always(OK)) as (url, _), connections(silence_seconds=0.1).asked(url, b"{}", {}) as answer:
        await asyncio.sleep(LATE)
        assert await answer.read(9) == b"ok"


@pytest.mark.parametrize("ending", [b"stop", b""], ids=["its last piece", "its end"])
async def test_in_bulk_small_pieces_come_together(ending: bytes) -> None:
    says = piecemeal(b"a", b"b", b"c" * 70_000, b"d", b"e", ending, ends=not ending)
    async with server(says) as (url, _), connections().asked(url, b"{}", {}) as reply:
        assert await reply.next() == b"a"
        reply.in_bulk(b"stop")
        much, rest = b"", []
        while not much.endswith(b"c" * 70_000):
            much += await reply.next()
        while not (rest and (ending or not rest[-1])):
            rest.append(await reply.next())
    assert much == b"b" + b"c" * 70_000
    assert b"".join(rest) == b"de" + ending


async def test_in_bulk_what_came_waits_a_second_at_most() -> None:
    says = piecemeal(b"a", b"an error, or an end of another kind")
    async with server(says) as (url, _), connections(silence_seconds=60.0).asked(url, b"{}", {}) as reply:
        assert await reply.next() == b"a"
        reply.in_bulk(b"stop")
        async with asyncio.timeout(5):
            assert await reply.next() == b"an error, or an end of another kind"


async def test_in_bulk_silence_has_an_end_too_and_what_came_is_given() -> None:
    async with (
        server(piecemeal(b"a", b"b")) as (url, _),
        connections(silence_seconds=LATE).asked(url, b"{}", {}) as reply,
    ):
        assert await reply.next() == b"a"
        reply.in_bulk(b"stop")
        assert await reply.next() == b"b"
        with pytest.raises(SilenceError):
            await reply.next()


async def test_what_nobody_takes_stays_with_the_sender() -> None:
    size, sent = 64 * 1024 * 1024, 0

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        await request(reader)
        writer.write(f"HTTP/1.1 200 OK\r\nContent-Length: {size}\r\n\r\n".encode())
        for _ in range(64):
            writer.write(bytes(size // 64))
            await writer.drain()
            sent += size // 64

    async with server(answer) as (url, _), connections().asked(url, b"{}", {}) as reply:
        await asyncio.sleep(LATE)
        assert sent < size // 2
        assert len(await reply.read(2 * size)) == size


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:1/v1", "http://", "ftp://h/x", "http://h:x/", "http://a b/", "http://h/\n"]
)
async def test_what_cannot_be_reached_is_told_so(url: str) -> None:
    with pytest.raises(UnreachedError):
        await connections().post(url, b"{}", {})


async def test_who_does_not_accept_is_not_waited_for_for_ever() -> None:
    client = Connections(connect_seconds=0.1, silence_seconds=5.0)
    with socket.socket() as deaf, contextlib.ExitStack() as waiting:
        deaf.bind(("127.0.0.1", 0))
        deaf.listen(0)
        for _ in range(4):  # more than its queue holds
            other = waiting.enter_context(socket.socket())
            other.setblocking(False)
            other.connect_ex(deaf.getsockname())
        with pytest.raises(UnreachedError):
            await client.post(f"http://127.0.0.1:{deaf.getsockname()[1]}/", b"", {})
