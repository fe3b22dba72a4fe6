"""``clawstream gateway``: serve until SIGTERM, then end what was begun.

Invariant: after the last answer every record is flushed; a thread that follows a topic and fails ends the process,
so that its supervisor starts it again rather than let it route on stale news; so does a producer that can send nothing
any more, rather than refuse every call from then on.
"""

import asyncio
import contextlib
import functools
import gc
import ipaddress
import logging
import signal
import threading
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, cast

from aiohttp import InvalidURL, web
from aiohttp.http_exceptions import HttpProcessingError

from clawstream.gateway.app import make_app
from clawstream.gateway.callers.tenants import Tenants
from clawstream.gateway.context import Gateway, Tails, assemble
from clawstream.gateway.settings import GatewaySettings
from clawstream.gateway.upstreams.connections import Connections
from clawstream.gateway.upstreams.follow import follow
from clawstream.gateway.upstreams.provider import provider_of
from clawstream.gateway.workers import run_workers
from clawstream.schemas import NodeStatus, WeightVersion
from clawstream.streams.cluster.admin import wait_for_kafka
from clawstream.streams.errors import StreamError
from clawstream.streams.reading.consumer import Follower
from clawstream.streams.reading.tail import Tail
from clawstream.streams.settings import KafkaSettings, SettingsError
from clawstream.streams.writing.producer import Producer
from clawstream.topics import FEEDBACK, NODES, STEPS, WEIGHTS

_log = logging.getLogger(__name__)
_MEASURE_SECONDS = 1.0


def run(settings: GatewaySettings, kafka: KafkaSettings) -> int:
    """Serve until SIGTERM or Ctrl-C. Raises ``SettingsError`` for an open address without a key, keys that cannot be
    used, or a provider that is set by half."""
    require_key(settings)
    Tenants(settings)
    provider_of(settings)
    if settings.workers > 1:
        return run_workers(settings, kafka, _work)
    _work(settings, kafka)
    return 0


def _work(settings: GatewaySettings, kafka: KafkaSettings) -> None:
    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        runner.run(_serve(settings, kafka))


def require_key(settings: GatewaySettings) -> None:
    """Raise ``SettingsError`` when others than this machine could call without a key."""
    if settings.api_key is None and settings.keys_file is None and not _is_loopback(settings.host):
        raise SettingsError(
            f"[gateway] host is {settings.host}, which others can reach: "
            "set api_key or keys_file, or listen on 127.0.0.1"
        )


@contextlib.asynccontextmanager
async def serving(settings: GatewaySettings, kafka: KafkaSettings) -> AsyncIterator[tuple[Gateway, str]]:
    """A gateway that answers, and its URL. At the end: no new calls, those in flight get their time, Kafka is flushed.

    Raises ``StreamError`` when a topic to follow is not there or the port is taken; at the end, what a follower raised,
    and ``ProducerBrokenError``.
    """
    nodes = await asyncio.to_thread(Follower, kafka, NODES)
    weights = await asyncio.to_thread(Follower, kafka, WEIGHTS)
    tails = await _tails(settings, kafka) if settings.handover else None
    producer = Producer(kafka, "gateway")
    connections = Connections(connect_seconds=settings.connect_seconds, silence_seconds=settings.silence_seconds)
    try:
        gateway = assemble(settings, kafka, producer, connections, tails)
        async with _following(gateway, nodes, weights), _measuring(gateway), _listening(gateway) as url:
            yield gateway, url
    finally:
        connections.close()
        await asyncio.to_thread(producer.close)


@contextlib.asynccontextmanager
async def _measuring(gateway: Gateway) -> AsyncIterator[None]:
    """Every second: of several workers another one may be asked for metrics, and tells what all have measured last."""

    async def measure() -> None:
        while True:
            gateway.measure()
            await asyncio.sleep(_MEASURE_SECONDS)

    measuring = asyncio.create_task(measure())
    try:
        yield
    finally:
        measuring.cancel()


async def _tails(settings: GatewaySettings, kafka: KafkaSettings) -> Tails:
    steps, feedback = await asyncio.gather(
        *(asyncio.to_thread(Tail, kafka, topic, settings.handover_records) for topic in (STEPS, FEEDBACK))
    )
    return Tails(steps=steps, feedback=feedback)


@contextlib.asynccontextmanager
async def _following(
    gateway: Gateway, nodes: Follower[NodeStatus], weights: Follower[WeightVersion]
) -> AsyncIterator[None]:
    """Threads of their own (those of asyncio are few, and others wait for them) that follow the topics."""
    stop, loop = threading.Event(), asyncio.get_running_loop()
    follows: list[Callable[[], None]] = [
        lambda: follow(nodes, gateway.nodes.apply, stop),
        lambda: follow(weights, gateway.versions.apply, stop),
    ]
    logs = [each for each in (gateway.handover, gateway.openings) if each is not None]
    follows += [functools.partial(each.follow, stop) for each in logs]
    with ThreadPoolExecutor(len(follows), thread_name_prefix="follow") as threads:
        gateway.following += [loop.run_in_executor(threads, each) for each in follows]
        try:
            await asyncio.gather(*(each.read_back() for each in logs))
            yield
        finally:
            stop.set()
            await asyncio.gather(*gateway.following)


@contextlib.asynccontextmanager
async def _listening(gateway: Gateway) -> AsyncIterator[str]:
    settings = gateway.settings
    runner = web.AppRunner(
        make_app(gateway), handler_cancellation=True, access_log=None, shutdown_timeout=settings.drain_seconds
    )
    await runner.setup()
    try:
        try:
            shared = True if settings.workers > 1 else None  # None: as the system has it
            await web.TCPSite(runner, settings.host, settings.port, reuse_port=shared).start()
        except OSError as error:
            raise StreamError(f"cannot listen on {settings.host} port {settings.port}: {error.strerror}") from error
        host, port = runner.addresses[0][:2]
        yield f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
    finally:
        await runner.cleanup()
        await gateway.settle()


async def _serve(settings: GatewaySettings, kafka: KafkaSettings) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    if not await asyncio.to_thread(wait_for_kafka, kafka, stopped=stop.is_set):
        return
    async with serving(settings, kafka) as (gateway, url):
        _spare_collector()
        logging.getLogger("aiohttp.server").addFilter(_is_ours)
        _log.info("serving at %s/v1", url)
        await over(gateway, stop)
        _log.info("stopping: calls in flight have %g s to end", settings.drain_seconds)


async def over(gateway: Gateway, stop: asyncio.Event) -> None:
    """Wait until ``stop`` is set, or the gateway cannot go on."""
    stopped, broken = asyncio.create_task(stop.wait()), asyncio.wrap_future(gateway.ledger.broken)
    ends: list[asyncio.Future[Any]] = [stopped, broken, *gateway.following]
    await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
    if broken.done():
        _log.error("%s", broken.exception())
    broken.cancel()
    stopped.cancel()


def _is_ours(record: logging.LogRecord) -> bool:
    """False for what a client alone has done: bytes that are no HTTP are answered 400, and fill no log."""
    error = record.exc_info[1] if record.exc_info else None
    return not isinstance(error, HttpProcessingError | InvalidURL) or _log.isEnabledFor(logging.DEBUG)


def _spare_collector() -> None:
    """A call leaves next to no cycles behind, so Python need not look for them every 700 objects, nor ever among what
    was there before the first call."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000)


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """uvloop where it is installed; ``None`` for asyncio's own."""
    try:
        import uvloop
    except ImportError:
        return None
    return cast(Callable[[], asyncio.AbstractEventLoop], uvloop.new_event_loop)
