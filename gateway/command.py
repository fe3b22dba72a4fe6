"""``clawstream gateway``: serve until SIGTERM, then end what was begun.

Invariant: after the last answer every record is flushed; a thread that follows a topic and fails ends the process,
so that its supervisor starts it again rather than let it route on stale news.
"""

import asyncio
import contextlib
import ipaddress
import logging
import signal
import threading
from collections.abc import AsyncIterator

from aiohttp import web

from clawstream.gateway.app import make_app
from clawstream.gateway.context import Gateway, assemble
from clawstream.gateway.follow import follow
from clawstream.gateway.settings import GatewaySettings
from clawstream.streams.producer import Producer
from clawstream.streams.settings import KafkaSettings, SettingsError
from clawstream.topics import NODES, WEIGHTS

_log = logging.getLogger(__name__)


def run(settings: GatewaySettings, kafka: KafkaSettings) -> int:
    """Serve until SIGTERM or Ctrl-C. Raises ``SettingsError`` for an open address without a key."""
    require_key(settings)
    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        runner.run(_serve(settings, kafka))
    return 0


def require_key(settings: GatewaySettings) -> None:
    """Raise ``SettingsError`` when others than this machine could call without a key."""
    if settings.api_key is None and not _is_loopback(settings.host):
        raise SettingsError(
            f"[gateway] host is {settings.host}, which others can reach: set api_key, or listen on 127.0.0.1"
        )


@contextlib.asynccontextmanager
async def serving(settings: GatewaySettings, kafka: KafkaSettings) -> AsyncIterator[tuple[Gateway, str]]:
    """A gateway that answers, and its URL. At the end: no new calls, those in flight get their time, Kafka is flushed.

    Raises what a follower raised, at the end.
    """
    producer, stop = Producer(kafka, "gateway"), threading.Event()
    try:
        gateway = assemble(settings, kafka, producer)
        async with gateway.node_client, asyncio.TaskGroup() as followers:
            followers.create_task(asyncio.to_thread(follow, kafka, NODES, gateway.nodes.apply, stop))
            followers.create_task(asyncio.to_thread(follow, kafka, WEIGHTS, gateway.versions.apply, stop))
            try:
                async with _listening(gateway) as url:
                    yield gateway, url
            finally:
                stop.set()
    finally:
        await asyncio.to_thread(producer.close)


@contextlib.asynccontextmanager
async def _listening(gateway: Gateway) -> AsyncIterator[str]:
    settings = gateway.settings
    runner = web.AppRunner(
        make_app(gateway), handler_cancellation=True, access_log=None, shutdown_timeout=settings.drain_seconds
    )
    await runner.setup()
    try:
        await web.TCPSite(runner, settings.host, settings.port).start()
        host, port = runner.addresses[0][:2]
        yield f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
    finally:
        await runner.cleanup()
        await gateway.settle()


async def _serve(settings: GatewaySettings, kafka: KafkaSettings) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with serving(settings, kafka) as (_, url):
        _log.info("serving at %s/v1", url)
        await stop.wait()
        _log.info("stopping: calls in flight have %g s to end", settings.drain_seconds)


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _loop_factory():  # type: ignore[no-untyped-def]
    try:
        import uvloop
    except ImportError:
        return None
    return uvloop.new_event_loop
