"""``clawstream console``: the index on one thread, the web site on another.

Invariant: a console that cannot read Kafka any more ends, and what it had not committed is read again; it never goes on
showing what is old as if it were new.
"""

import asyncio
import logging
import socket
import threading
from collections.abc import Callable

import uvicorn
from rich.progress import Progress as Bar

from clawstream.console.access.browsers import LOOPBACK
from clawstream.console.access.sessions import Sessions
from clawstream.console.context import Console
from clawstream.console.gateway import Gateway
from clawstream.console.index.filling import Filler, Progress, fill
from clawstream.console.index.store import Index
from clawstream.console.pulse import Pulse
from clawstream.console.settings import ConsoleSettings
from clawstream.console.site import site
from clawstream.console.stories.decoding import Decoder
from clawstream.streams.cluster.admin import wait_for_kafka
from clawstream.streams.process.ports import free_port
from clawstream.streams.settings import KafkaSettings

_log = logging.getLogger(__name__)
logging.getLogger("uvicorn").setLevel("WARNING")  # it logs every web socket


def run(settings: ConsoleSettings, kafka: KafkaSettings, *, rebuild: bool = False) -> int:
    """Serve until Ctrl-C or SIGTERM. ``rebuild``: throw the index away first, and build it before serving."""
    decoder = Decoder(settings.model)
    wait_for_kafka(kafka)
    index = Index(settings.data_dir, rebuild=rebuild)
    filler = Filler(index, kafka, settings)
    if rebuild:
        _rebuild(filler)
    gateway = Gateway(settings.gateway_url)
    console = Console(
        settings=settings,
        kafka=kafka,
        index=index,
        gateway=gateway,
        sessions=Sessions(gateway, needs_keys=settings.host not in LOOPBACK),
        decoder=decoder,
        pulse=Pulse(kafka),
    )
    return asyncio.run(_serve(console, filler))


async def _serve(console: Console, filler: Filler) -> int:
    host, port = console.settings.host, console.settings.port or free_port()
    config = uvicorn.Config(site(console), host=host, port=port, log_config=None, access_log=False, lifespan="on")
    server, stopped, failures = _Server(config), threading.Event(), list[BaseException]()

    def tell(progress: Progress) -> None:
        console.progress = progress

    def keep_filling() -> None:
        fill(filler, tell, stopped.is_set)
        console.progress = Progress(0, 0)
        while not stopped.is_set():
            filler.step()

    def end_with(error: BaseException) -> None:
        failures.append(error)
        server.should_exit = True

    threads = [
        threading.Thread(target=_or_tell, args=(keep_filling, end_with), name="index"),
        threading.Thread(target=_or_tell, args=(lambda: console.pulse.keep_looking(stopped), end_with), name="pulse"),
    ]
    for thread in threads:
        thread.start()
    try:
        await server.serve()
    finally:
        stopped.set()
        for thread in threads:
            await asyncio.to_thread(thread.join)
        filler.close()
        console.index.close()
        await console.gateway.close()
    return 1 if failures else 0


class _Server(uvicorn.Server):
    """Says where it serves, once it does."""

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen."""
        await super().startup(sockets)
        if self.started:
            _log.info("serving at http://%s:%d", self.config.host, self.config.port)


def _or_tell(work: Callable[[], None], tell: Callable[[BaseException], None]) -> None:
    """The edge of a thread: the process ends with what ended it."""
    try:
        work()
    except BaseException as error:
        _log.exception("this console cannot go on, and ends")
        tell(error)


def _rebuild(filler: Filler) -> None:
    with Bar() as bar:
        task = bar.add_task("index", total=None)

        def tell(progress: Progress) -> None:
            bar.update(task, completed=progress.done, total=progress.total)

        fill(filler, tell, lambda: False)
