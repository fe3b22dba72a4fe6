"""What the gateway adds to a call: requests per second, latency, first token, CPU; recording to a real Kafka, acks=all.

    python -m benchmarks.gateway [--calls 600]

A synthetic node (a process of its own, fixed tokens at once) is called directly and through the gateway, in turns, for
short and long prompts, few and many calls at one time, streamed and not. All share the machine's cores with the load.
"""

import argparse
import asyncio
import contextlib
import os
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp

from benchmarks.report import percentiles, publish
from benchmarks.synthetic_node import keep_announcing
from clawstream.streams.admin import create_missing
from clawstream.streams.broker import LocalBroker
from clawstream.streams.child import tied
from clawstream.streams.ports import free_port
from clawstream.streams.producer import Producer
from clawstream.streams.settings import KafkaSettings
from clawstream.up.processes import Process
from clawstream.up.supervisor import Supervisor

_PROMPT_TOKENS = (68, 4_000)
_CONCURRENCIES = (1, 32, 256)
_TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")


@dataclass(kw_only=True)
class Measured:
    """One way to the node, under one load."""

    call_ms: list[float] = field(default_factory=list)
    first_byte_ms: list[float] = field(default_factory=list)
    seconds: float = 0.0

    def summary(self) -> dict[str, Any]:
        """For the results."""
        return {
            "calls_per_second": round(len(self.call_ms) / self.seconds, 1),
            "call": percentiles(self.call_ms),
            "first_byte": percentiles(self.first_byte_ms),
        }


def cpu_seconds(pid: int) -> float:
    """User and system time of ``pid`` so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS_PER_SECOND


async def load(url: str, body: dict[str, Any], calls: int, concurrency: int, into: Measured) -> None:
    """``calls`` calls, ``concurrency`` at one time."""
    left = iter(range(calls))
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(connector=connector) as session:

        async def work() -> None:
            for _ in left:
                started = time.perf_counter()
                async with session.post(f"{url}/v1/chat/completions", json=body) as answer:
                    answer.raise_for_status()
                    await answer.content.readany()
                    into.first_byte_ms.append((time.perf_counter() - started) * 1000)
                    await answer.read()
                into.call_ms.append((time.perf_counter() - started) * 1000)

        started = time.perf_counter()
        await asyncio.gather(*(work() for _ in range(concurrency)))
        into.seconds += time.perf_counter() - started


async def measure(node: str, gateway: str, pid: int, case: tuple[int, int, bool], calls: int) -> dict[str, Any]:
    """One case, both ways in turns."""
    tokens, concurrency, stream = case
    message = {"role": "user", "content": " ".join(["word"] * tokens)}
    body = {"model": "policy", "messages": [message], "stream": stream}
    direct, through, spent = Measured(), Measured(), 0.0
    await load(gateway, body, concurrency, concurrency, Measured())  # connections
    for _ in range(3):
        await load(node, body, calls // 3, concurrency, direct)
        before = cpu_seconds(pid)
        await load(gateway, body, calls // 3, concurrency, through)
        spent += cpu_seconds(pid) - before
    return {
        "prompt_tokens": tokens,
        "concurrency": concurrency,
        "stream": stream,
        "direct": direct.summary(),
        "gateway": through.summary(),
        "gateway_cpu_ms_per_call": round(1000 * spent / len(through.call_ms), 3),
    }


@contextlib.asynccontextmanager
async def serving(kafka: KafkaSettings, producer: Producer) -> AsyncIterator[tuple[str, str, int]]:
    """Node and gateway, each a process: their URLs, and the gateway's process id."""
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
        yield *urls, pid
    finally:
        heartbeat.cancel()
        await supervisor.stop()
        node.terminate()
        await node.wait()


async def until_it_answers(gateway: str) -> None:
    """Wait until a call through the whole gateway succeeds. Raises ``TimeoutError``."""
    body = {"model": "policy", "messages": [{"role": "user", "content": "hi"}]}
    async with aiohttp.ClientSession() as session:
        for _ in range(300):
            with contextlib.suppress(aiohttp.ClientError):
                async with session.post(f"{gateway}/v1/chat/completions", json=body) as answer:
                    if answer.status == 200:
                        return
            await asyncio.sleep(0.2)
    raise TimeoutError("the gateway did not answer within 60 s")


async def main(arguments: argparse.Namespace) -> None:
    """Every case, then publish."""
    cases = [(t, c, s) for t in _PROMPT_TOKENS for c in _CONCURRENCIES for s in (False, True)]
    with tempfile.TemporaryDirectory() as folder, LocalBroker(port=0, data_dir=Path(folder)) as broker:
        kafka = KafkaSettings(bootstrap_servers=broker.bootstrap_servers)
        create_missing(kafka)
        producer = Producer(kafka, "benchmark")
        async with serving(kafka, producer) as (node, gateway, pid):
            measured = [await measure(node, gateway, pid, case, arguments.calls) for case in cases]
        producer.close()
    header = ("", "ratio of calls/s, calls/s, added p50, p99 ms, first byte ms, CPU ms")
    publish("gateway", [header, *(_row(case) for case in measured)], {"arguments": vars(arguments), "cases": measured})


def _row(case: dict[str, Any]) -> tuple[str, str]:
    direct, gateway = case["direct"], case["gateway"]
    added = [gateway["call"][p] - direct["call"][p] for p in ("p50_ms", "p99_ms")]
    first = gateway["first_byte"]["p50_ms"] - direct["first_byte"]["p50_ms"]
    name = f"{case['prompt_tokens']} tokens, {case['concurrency']} at once, {'streamed' if case['stream'] else 'whole'}"
    rate, cpu = gateway["calls_per_second"], case["gateway_cpu_ms_per_call"]
    ratio = rate / direct["calls_per_second"]
    return name, f"{ratio:.2f}  {rate:5.0f}  {added[0]:6.1f}  {added[1]:6.1f}  {first:+6.1f}  {cpu:5.2f}"


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--calls", type=int, default=600, help="calls of each case, each way")
    asyncio.run(main(parser.parse_args()))
