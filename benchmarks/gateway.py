"""What the gateway adds to a call: requests per second, latency, first token, CPU; recording to a real Kafka, acks=all.

    python -m benchmarks.gateway [--calls 1800] [--litellm /path/to/litellm]

A synthetic node (a process of its own, fixed tokens at once) is called directly, through the gateway, through a bare
proxy that passes bytes on and does nothing else, and, where it is installed, through LiteLLM's proxy, in turns, for
short and long prompts, few and many calls at one time, streamed and not. All share the machine's cores with the load
and with Kafka, so CPU is more than it would be on a core of one's own. Last: do malformed bodies slow healthy calls?
"""

import argparse
import asyncio
import itertools
import os
import re
import shutil
import tempfile
import time
from collections import Counter
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import aiohttp

from benchmarks.report import percentiles, publish
from benchmarks.ways import Way, bare, litellm, serving
from clawstream.streams.broker import LocalBroker
from clawstream.streams.cluster.admin import create_missing
from clawstream.streams.settings import KafkaSettings
from clawstream.streams.writing.producer import Producer

_WARM_CALLS = 500
_MANY = 1000  # calls at one time that one process is to bear
_MALFORMED = (
    *(b"", b"{", b"[]", b"\xff\xfe", b'{"model": 1}', b'{"messages": {}}', b'{"messages": [{"role": 5}]}'),
    *(b'{"messages": [], "n": -1}', b'{"messages": [{"role": "user", "content": 7}]}', b"[" * 10_000),
    b'{"messages": [{"role": "user", "content": "a"}], "temperature": 1e999}',
)
_TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, kw_only=True)
class Case:
    """One kind of call."""

    prompt_tokens: int
    concurrency: int
    stream: bool
    answer_tokens: int | None = None  # a chunk each, as vLLM streams; None: 16 in four chunks, at once


CASES = (
    *(Case(prompt_tokens=t, concurrency=c, stream=s) for t in (68, 4_000) for c in (1, 32, 256) for s in (False, True)),
    *(Case(prompt_tokens=68, concurrency=32, stream=s, answer_tokens=256) for s in (False, True)),
)


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


async def warm(ways: list[Way]) -> None:
    """Kafka's JVM compiles what it runs often, and Python fills its caches: what is served is neither's first call."""
    body = {"model": "policy", "messages": [{"role": "user", "content": "hi"}]}
    for way in ways:
        await load(way.url, body, _WARM_CALLS, 8, Measured())


async def measure(ways: list[Way], case: Case, calls: int) -> dict[str, Any]:
    """One case, every way in turns."""
    tokens, concurrency, stream = case.prompt_tokens, case.concurrency, case.stream
    message = {"role": "user", "content": " ".join(["word"] * tokens)}
    body = {"model": "policy", "messages": [message], "stream": stream}
    if case.answer_tokens is not None:
        body["max_tokens"] = case.answer_tokens
    measured, spent = {way.name: Measured() for way in ways}, dict.fromkeys((way.name for way in ways), 0.0)
    for way in ways:
        await load(way.url, body, concurrency, concurrency, Measured())  # connections
    for _ in range(3):
        for way in ways:
            before = cpu_seconds(way.pid)
            turn = calls // 3 if way.name != "litellm" else max(concurrency, calls // 30)  # it takes so much longer
            await load(way.url, body, turn, concurrency, measured[way.name])
            spent[way.name] += cpu_seconds(way.pid) - before
    found = asdict(case)
    for name, each in measured.items():
        found[name] = each.summary() | {"cpu_ms_per_call": round(1000 * spent[name] / len(each.call_ms), 3)}
    return found


async def many_under_way(gateway: Way) -> dict[str, Any]:
    """A thousand calls at one time, of answers that take a while, whole and streamed; and how many the gateway saw."""
    found: dict[str, Any] = {"calls": 0, "most_in_flight": 0}

    async def watch() -> None:
        async with aiohttp.ClientSession() as session:
            while True:
                async with session.get(f"{gateway.url}/metrics") as answer:
                    said = re.search(r"^clawstream_gateway_in_flight (\d+)", await answer.text(), re.MULTILINE)
                found["most_in_flight"] = max(found["most_in_flight"], int(said[1]) if said else 0)
                await asyncio.sleep(0.5)

    watching = asyncio.create_task(watch())
    for stream in (False, True):
        message = {"role": "user", "content": " ".join(["word"] * 68)}
        body = {"model": "policy", "messages": [message], "stream": stream, "max_tokens": 256}
        measured = Measured()
        await load(gateway.url, body, 2 * _MANY, _MANY, measured)  # raises where one fails
        found["calls"] += len(measured.call_ms)
    watching.cancel()
    await asyncio.gather(watching, return_exceptions=True)
    return found


async def among_malformed(gateway: Way, calls: int) -> dict[str, Any]:
    """Healthy calls, four at one time, alone and while malformed bodies come, a hundred a second, in turns."""
    body = {"model": "policy", "messages": [{"role": "user", "content": " ".join(["word"] * 68)}]}
    alone, among, statuses = Measured(), Measured(), Counter[int]()
    for _ in range(3):
        await load(gateway.url, body, calls // 3, 4, alone)
        flood = asyncio.create_task(malformed(gateway.url, statuses))
        await load(gateway.url, body, calls // 3, 4, among)
        flood.cancel()
        await asyncio.gather(flood, return_exceptions=True)
    return {"alone": alone.summary(), "among": among.summary(), "statuses": dict(statuses)}


async def malformed(url: str, statuses: Counter[int]) -> None:
    """Bodies that are each wrong in a way of their own, until cancelled."""
    async with aiohttp.ClientSession() as session:
        for body in itertools.cycle(_MALFORMED):
            async with session.post(f"{url}/v1/chat/completions", data=body) as answer:
                statuses[answer.status] += 1
            await asyncio.sleep(0.01)


async def main(arguments: argparse.Namespace) -> None:
    """Every case, then publish."""
    with tempfile.TemporaryDirectory() as folder, LocalBroker(port=0, data_dir=Path(folder)) as broker:
        kafka = KafkaSettings(bootstrap_servers=broker.bootstrap_servers)
        create_missing(kafka)
        producer = Producer(kafka, "benchmark")
        async with (
            serving(kafka, producer) as (node, gateway),
            bare(node) as proxied,
            litellm(arguments.litellm, node) as others,
        ):
            ways = [node, gateway, proxied, *others]
            await warm(ways)
            measured = [await measure(ways, case, arguments.calls) for case in CASES]
            abuse = await among_malformed(gateway, arguments.calls)
            many = await many_under_way(gateway)
        producer.close()
    header = ("", "ratio of calls/s, calls/s, added p50, p99 ms, first byte ms, CPU ms")
    rows = [_row(case, way) for case in measured for way in ("gateway", "bare", "litellm") if way in case]
    healthy = [f"{abuse[way]['call']['p99_ms']:.1f}" for way in ("alone", "among")]
    last = ("p99 of healthy calls, 4 at once: alone, among malformed bodies", "  ".join(healthy))
    borne = (f"calls, {_MANY} at once: none failed; most in flight", f"{many['calls']}; {many['most_in_flight']}")
    raw = {"arguments": vars(arguments), "cases": measured, "malformed": abuse, "many": many}
    publish("gateway", [header, *rows, last, borne], raw)


def _row(case: dict[str, Any], way: str) -> tuple[str, str]:
    direct, through = case["direct"], case[way]
    added = [through["call"][p] - direct["call"][p] for p in ("p50_ms", "p99_ms")]
    first = through["first_byte"]["p50_ms"] - direct["first_byte"]["p50_ms"]
    streamed = "streamed" if case["stream"] else "whole"
    answer = "" if case["answer_tokens"] is None else f", answers of {case['answer_tokens']}"
    name = f"{way}, {case['prompt_tokens']} tokens{answer}, {case['concurrency']} at once, {streamed}"
    rate, cpu = through["calls_per_second"], through["cpu_ms_per_call"]
    ratio = rate / direct["calls_per_second"]
    return name, f"{ratio:.2f}  {rate:5.0f}  {added[0]:6.1f}  {added[1]:6.1f}  {first:+6.1f}  {cpu:5.2f}"


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--calls", type=int, default=1800, help="calls of each case, each way; of LiteLLM's a tenth")
    parser.add_argument("--litellm", default=shutil.which("litellm"), help="its program, to compare with")
    asyncio.run(main(parser.parse_args()))
