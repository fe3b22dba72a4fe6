"""``clawstream demo``: make a small policy, start everything, let agents work, show that they learn.

The course of a run::

    warm up a model -> start Kafka, rollout node, gateway, processors, trainer -> held-out success before
    -> agents work while the policy is updated under them -> held-out success after -> account, plot, result.json
"""

import asyncio
import time
from collections.abc import Callable
from pathlib import Path

from rich.console import Console

from clawstream.demo.account import Account, take_account
from clawstream.demo.model import make_model
from clawstream.demo.report import Result, draw, print_result, write_result
from clawstream.demo.rollouts import Agents, Tally, counting_client
from clawstream.demo.settings import DemoSettings
from clawstream.demo.stage import FileLog, clear, lay_out, running
from clawstream.demo.table import rows, show
from clawstream.demo.tasks import TaskSplit, make_tasks
from clawstream.demo.watch import Observed, Watch
from clawstream.streams.settings import KafkaSettings

_TRAIN_TASKS = 2000
_HELD_OUT_IN_FLIGHT = 32
_NODE_SECONDS = 240.0
_QUIET_SECONDS = 40.0
_SETTLE_SECONDS = 90.0
_GOAL = 0.7  # of the held-out tasks solved after learning
_SETUP_FILE = Path(".venv/ready")


def run(settings: DemoSettings, kafka: KafkaSettings) -> int:
    """Run the demo; 0 when it reached its goal, every step is accounted for and nothing was trained twice."""
    started, console = time.monotonic(), Console()
    try:
        clear(settings.data_dir)
        console.print("Warming up a small model on demonstrations of mixed quality: about one in four is right.")
        make_model(
            settings.data_dir / "model", seed=settings.seed
        )  # before the event loop, which keeps Ctrl-C to itself
        return asyncio.run(demonstrate(settings, kafka, console, started))
    except (KeyboardInterrupt, asyncio.CancelledError):
        return 130


async def demonstrate(settings: DemoSettings, kafka: KafkaSettings, console: Console, started: float) -> int:
    """One run from the model to the result. ``started``: when the model was begun, by the monotonic clock."""
    warmup_seconds, folder = time.monotonic() - started, settings.data_dir
    tasks = make_tasks(train=_TRAIN_TASKS, held_out=settings.held_out_tasks, seed=settings.seed)
    layout = lay_out(settings, kafka, folder / "model")
    console.print(f"Starting Kafka, a vLLM node, gateway, processors and trainer; logs in {folder / 'logs'}")
    async with running(layout, FileLog(folder / "logs", console)) as stop:
        with Watch(layout.kafka) as watch:
            await until(lambda: watch.observed.served_version is not None, _NODE_SECONDS, "no rollout node was ready")
            console.print(f"Watch it at {layout.console_url}")
            before, after, tally = await learn(settings, layout.gateway_url, tasks, watch.observed, console)
        account = await settled(layout.kafka)
        result = Result(
            success_before=before,
            success_after=after,
            policy_versions=watch.observed.trained_version,
            calls=tally.calls,
            calls_failed=tally.calls_asked - tally.calls,
            steps=account.steps,
            samples=account.samples,
            rejected=account.rejected,
            trained_twice=account.trained_twice,
            steps_open=account.steps_open,
            steps_twice=account.steps_twice,
            setup_seconds=setup_seconds(),
            warmup_seconds=round(warmup_seconds, 1),
            run_seconds=round(time.monotonic() - started, 1),
        )
        draw(watch.observed.updates, result, folder / "learning.png")
        write_result(result, folder / "result.json")
        print_result(console, result, account, folder)
        if settings.keep:
            console.print(
                f"Still running: base_url {layout.gateway_url}/v1, console {layout.console_url}; Ctrl-C ends it."
            )
            await stop.wait()
    reached = after >= max(_GOAL, 2 * before)
    if not reached:
        console.print(f"The goal was missed: at least {_GOAL:.0%} of the held-out tasks, and twice as many as before.")
    return 0 if reached and account.closed and account.trained_twice == 0 else 1


def setup_seconds() -> float | None:
    """What ``make`` measured of its set-up; None where it was not make that set up."""
    return float(_SETUP_FILE.read_text()) if _SETUP_FILE.exists() else None


async def learn(
    settings: DemoSettings, gateway_url: str, tasks: TaskSplit, observed: Observed, console: Console
) -> tuple[float, float, Tally]:
    """Held-out success before and after agents worked on the training tasks, and what they did."""
    tally, started = Tally(), time.monotonic()
    client = counting_client(gateway_url, tally)
    agents = Agents(client=client, gateway_url=gateway_url, temperature=settings.temperature, tally=tally)
    before = await agents.success_on(tasks.held_out, in_flight=_HELD_OUT_IN_FLIGHT)
    console.print(f"Held-out tasks solved before learning: {before:.0%}")
    begun = time.monotonic()

    def enough() -> bool:
        full = len(tally.recent) == tally.recent.maxlen and tally.success_rate >= settings.target
        return full or len(observed.updates) >= settings.max_updates or time.monotonic() - begun > settings.max_seconds

    live = asyncio.create_task(show(console, lambda: rows(tally, observed, time.monotonic() - started)))
    await agents.work(tasks.train, group_size=settings.group_size, in_flight=settings.groups_in_flight, enough=enough)
    await until(
        lambda: observed.consumer_lag == 0 and observed.served_version == observed.trained_version, _QUIET_SECONDS
    )
    live.cancel()
    await asyncio.gather(live, return_exceptions=True)
    after = await agents.success_on(tasks.held_out, in_flight=_HELD_OUT_IN_FLIGHT)
    await client.close()
    return before, after, tally


async def settled(kafka: KafkaSettings) -> Account:
    """The account, once every step has ended or the time for that is over."""
    deadline = time.monotonic() + _SETTLE_SECONDS
    while True:
        account = await asyncio.to_thread(take_account, kafka)
        if account.closed or time.monotonic() > deadline:
            return account
        await asyncio.sleep(1.0)


async def until(condition: Callable[[], bool], seconds: float, failure: str | None = None) -> None:
    """Wait for ``condition``; past ``seconds``, raise ``TimeoutError`` with ``failure``, or go on without one."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            if failure is None:
                return
            raise TimeoutError(f"{failure} within {seconds:g} s")
        await asyncio.sleep(0.3)
