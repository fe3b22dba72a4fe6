"""Ways to a synthetic node: directly, through the gateway, through a proxy; each a process of its own."""

import asyncio
import contextlib
import json
import sys
import tempfile
from collections.abc import AsyncIterator
from dataclasses import dataclass

import aiohttp

from benchmarks.synthetic_node import keep_announcing
from clawstream.streams.process.child import tied
from clawstream.streams.process.ports import free_port
from clawstream.streams.settings import KafkaSettings
from clawstream.streams.writing.producer import Producer
from clawstream.up.processes import Process
from clawstream.up.supervisor import Supervisor


@dataclass(frozen=True, kw_only=True)
class Way:
    """Where calls go, and the process that takes them."""

    name: str
    url: str
    pid: int


@contextlib.asynccontextmanager
async def serving(kafka: KafkaSettings, producer: Producer) -> AsyncIterator[tuple[Way, Way]]:
    """Node and gateway, each a process."""
    node_port, gateway_port = free_port(), free_port()
    node = await asyncio.create_subprocess_exec(
        *tied([sys.executable, "-m", "benchmarks.synthetic_node", str(node_port)])
    )
    supervisor = Supervisor(lambda name, line: print(f"{name}: {line}") if "ERROR" in line else None)
    environment = {"CLAWSTREAM_KAFKA_BOOTSTRAP_SERVERS": kafka.bootstrap_servers}
    arguments = ("gateway", "--port", str(gateway_port))
    supervisor.start(Process(name="gateway", arguments=arguments, environment=environment))
    urls = f"http://127.0.0.1:{node_port}", f"http://127.0.0.1:{gateway_port}"
    heartbeat = asyncio.create_task(keep_announcing(producer, urls[0]))
    try:
        await until_it_answers(urls[1])
        pid = supervisor.pid("gateway")
        if pid is None:
            raise RuntimeError("the gateway ended")
        yield Way(name="direct", url=urls[0], pid=node.pid), Way(name="gateway", url=urls[1], pid=pid)
    finally:
        heartbeat.cancel()
        await supervisor.stop()
        node.terminate()
        await node.wait()


@contextlib.asynccontextmanager
async def proxy(name: str, command: list[str], port: int) -> AsyncIterator[Way]:
    """A proxy that ``command`` starts on ``port``, once it answers."""
    process = await asyncio.create_subprocess_exec(*tied(command), stdout=asyncio.subprocess.DEVNULL)
    try:
        await until_it_answers(f"http://127.0.0.1:{port}")
        yield Way(name=name, url=f"http://127.0.0.1:{port}", pid=process.pid)
    finally:
        with contextlib.suppress(ProcessLookupError):  # it could not start, and has said why
            process.terminate()
        await process.wait()


@contextlib.asynccontextmanager
async def bare(node: Way) -> AsyncIterator[Way]:
    """The bare proxy before the node."""
    port = free_port()
    async with proxy("bare", [sys.executable, "-m", "benchmarks.bare_proxy", str(port), node.url], port) as way:
        yield way


@contextlib.asynccontextmanager
async def litellm(program: str | None, node: Way) -> AsyncIterator[list[Way]]:
    """LiteLLM's proxy before the node, where it is installed; it records nothing."""
    if program is None:
        yield []
        return
    port, model = free_port(), {"model": "openai/policy", "api_base": f"{node.url}/v1", "api_key": "none"}
    with tempfile.NamedTemporaryFile("w", suffix=".yaml") as config:
        general = {"dangerously_permit_weak_or_unset_master_key": True}  # on loopback, for as long as this runs
        models = [{"model_name": "policy", "litellm_params": model}]
        json.dump({"model_list": models, "general_settings": general}, config)  # JSON is YAML
        config.flush()
        command = [program, "--config", config.name, "--host", "127.0.0.1", "--port", str(port)]
        async with proxy("litellm", command, port) as way:
            yield [way]


async def until_it_answers(gateway: str) -> None:
    """Wait until a call succeeds. Raises ``TimeoutError``."""
    body = {"model": "policy", "messages": [{"role": "user", "content": "hi"}]}
    async with aiohttp.ClientSession() as session:
        for _ in range(300):
            with contextlib.suppress(aiohttp.ClientError):
                async with session.post(f"{gateway}/v1/chat/completions", json=body) as answer:
                    if answer.status == 200:
                        return
            await asyncio.sleep(0.2)
    raise TimeoutError("the gateway did not answer within 60 s")
