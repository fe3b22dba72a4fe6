"""``clawstream console``: the index on one thread, the web site on another.

Invariant: a console that cannot read Kafka any more ends, and what it had not committed is read again; it never goes on
showing what is old as if it were new.
"""

import asyncio
import logging
import threading

import uvicorn
from rich.progress import Progress as Bar

from clawstream.console.access.sessions import Sessions
from clawstream.console.context import Console
from clawstream.console.gateway import Gateway
from clawstream.console.index.filling import Filler, Progress, fill
from clawstream.console.index.store import Index
from clawstream.console.settings import ConsoleSettings
from clawstream.console.site import site
from clawstream.console.stories.decoding import Decoder
from clawstream.streams.admin import wait_for_kafka
from clawstream.streams.ports import free_port
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
        settings=settings, kafka=kafka, index=index, gateway=gateway, sessions=Sessions(gateway), decoder=decoder
    )
    return asyncio.run(_serve(console, filler))


async def _serve(console: Console, filler: Filler) -> int:
    host, port = console.settings.host, console.settings.port or free_port()
    config = uvicorn.Config(site(console), host=host, port=port, log_config=None, access_log=False, lifespan="on")
    server, stopped, failures = uvicorn.Server(config), threading.Event(), list[BaseException]()

    def tell(progress: Progress) -> None:
        console.progress = progress

    def keep_filling() -> None:
        try:
            fill(filler, tell, stopped.is_set)
            while not stopped.is_set():
                filler.step()
        except BaseException as error:  # the thread's edge: the process ends with it
            _log.exception("the index cannot be filled any more")
            failures.append(error)
            server.should_exit = True

    thread = threading.Thread(target=keep_filling, name="index")
    thread.start()
    try:
        _log.info("serving at http://%s:%d", host, port)
        await server.serve()
    finally:
        stopped.set()
        await asyncio.to_thread(thread.join)
        filler.close()
        console.index.close()
        await console.gateway.close()
    return 1 if failures else 0


def _rebuild(filler: Filler) -> None:
    with Bar() as bar:
        task = bar.add_task("index", total=None)

        def tell(progress: Progress) -> None:
            bar.update(task, completed=progress.done, total=progress.total)

        fill(filler, tell, lambda: False)
