"""A node: which weights it serves, and what it says of itself.

Invariant: ``nodes`` says ``ready`` at a version only while exactly that version's weights serve, and of each adapter
(``adapters.py``) the same as of a node of its own. The last announcement in ``weights`` counts, so a rollback is an
older version announced again, and a node that joins late loads it, and every adapter's, before it is ready::

    starting -> (newest announced version loaded) -> ready -> swapping -> ready ... -> stopped
"""

import logging
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from clawstream.rollout.adapters import Adapters
from clawstream.rollout.arguments import max_model_len
from clawstream.rollout.engine import Engine
from clawstream.rollout.kept import KeptFolders
from clawstream.rollout.loading import Loading
from clawstream.rollout.metrics import SWAPS, VERSION
from clawstream.rollout.settings import RolloutSettings
from clawstream.rollout.swap import SwapError
from clawstream.rollout.turns import has_turn
from clawstream.schemas import NodeHealth, NodeStatus, WeightVersion, now
from clawstream.streams.files.snapshots import SnapshotError, weights_digest
from clawstream.streams.reading.consumer import Follower, Received
from clawstream.streams.writing.producer import Producer
from clawstream.topics import NODES

_log = logging.getLogger(__name__)
_TURN_POLL_SECONDS = 0.02
_FORGET_SECONDS = 2.0  # after which nobody sends calls to an adapter that is said to be stopped


class Node:
    """Serves the newest announced version of one model."""

    def __init__(
        self,
        name: str,
        settings: RolloutSettings,
        engine: Engine,
        weights: Follower[WeightVersion],
        nodes: Follower[NodeStatus],
        producer: Producer,
        folder: Path,
    ) -> None:
        """Says ``starting``. ``settings.model`` is version 0 until ``weights`` says otherwise; ``folder`` is the node's
        own, empty, and outlives vLLM."""
        self._name, self._settings, self._engine = name, settings, engine
        self._weights, self._nodes, self._producer = weights, nodes, producer
        self._heard: dict[str, NodeStatus] = {}  # what each node said last
        self._waiting: tuple[WeightVersion, float] | None = None  # for the turn to load these, and since when
        self._loading = Loading(engine.url, settings)
        self._adapters = Adapters(
            engine.url, settings.model_name, settings.adapters, settings.swap_seconds, KeptFolders(folder)
        )
        self._digest = weights_digest(settings.model)
        self._said_at, self._saying = 0.0, threading.Lock()
        self.version = 0
        self._health: NodeHealth = "starting"
        self._say("starting")

    def wait_ready(self, stopped: Callable[[], bool]) -> bool:
        """As the engine has it; meanwhile ``nodes`` hears that it is starting."""
        with self._beating():
            return self._engine.wait_ready(self._settings.start_seconds, stopped)

    def start(self) -> None:
        """Load what was announced last, then say that the node is ready. vLLM must answer by now."""
        self._loading.label(self.version)
        self._hear(self._nodes.to_end())
        announced = [received.record for received in self._weights.to_end()]
        self._follow(announced)
        self._follow_adapters(announced)
        self._say("ready")

    def step(self, timeout_seconds: float) -> None:
        """Take announcements that arrive within the time; repeat the status when it is due.

        Raises ``EngineError`` when vLLM has ended or holds weights that are not known.
        """
        self._engine.check()
        received = self._weights.poll(timeout_seconds if self._waiting is None else _TURN_POLL_SECONDS)
        announced = [entry.record for entry in received]
        changed = self._follow(self._in_turn(announced))
        self._follow_adapters(announced)
        due = time.monotonic() - self._said_at > self._settings.heartbeat_seconds
        if changed or (due and self._engine.answers()):
            self._say("ready")

    def close(self) -> None:
        """Say that the node is gone."""
        self._loading.close()
        self._adapters.close()
        self._say("stopped")

    def _in_turn(self, announced: list[WeightVersion]) -> list[WeightVersion]:
        """Of ``announced`` and what waited before, what may be loaded now; the rest waits."""
        self._hear(self._nodes.poll(0.0))
        of_model = [each for each in announced if each.model == self._settings.model_name]
        if of_model:
            self._waiting = of_model[-1], self._waiting[1] if self._waiting else time.monotonic()
        if self._waiting is None:
            return []
        wanted, since = self._waiting
        overdue = time.monotonic() - since > self._settings.turn_seconds
        if not overdue and not has_turn(self._name, wanted.model, wanted.version, self._heard.values(), now()):
            return []
        self._waiting = None
        return [wanted]

    def _hear(self, others: Iterable[Received[NodeStatus]]) -> None:
        self._heard |= {received.record.node: received.record for received in others}

    def _follow(self, announced: list[WeightVersion]) -> bool:
        """Serve the last of ``announced`` that is of this model; True when the version served has changed."""
        of_model = [each for each in announced if each.model == self._settings.model_name]
        wanted = of_model[-1] if of_model else None
        if wanted is None or (wanted.version, wanted.sha256) == (self.version, self._digest):
            return False
        try:
            if wanted.sha256 == self._digest:
                self._loading.label(wanted.version)
            elif self._settings.adapters:
                raise SwapError("with rollout.adapters the model stays as it is, or every adapter would change with it")
            else:
                with self._beating():
                    self._loading.load(wanted, self._swapping)
        except (SnapshotError, SwapError) as error:
            SWAPS.labels("refused", "disk").inc()
            _log.error("version %d is not loaded, version %d serves on: %s", wanted.version, self.version, error)
            return False
        self._digest, self.version = wanted.sha256, wanted.version
        return True

    def _follow_adapters(self, announced: list[WeightVersion]) -> None:
        """Serve the last of each adapter in ``announced``, and say so as each is loaded; retire those that are."""
        if not self._settings.adapters:
            return
        self._retire(self._adapters.unwanted(announced))
        wanted = self._adapters.wanted(announced)
        if not wanted:
            return
        with self._beating():
            for weights in wanted:
                try:
                    self._adapters.load(weights)
                except (SnapshotError, SwapError) as error:
                    SWAPS.labels("refused", "disk").inc()
                    _log.error("version %d of %s is not loaded: %s", weights.version, weights.model, error)
                    continue
                SWAPS.labels("loaded", "disk").inc()
                _log.info("serving version %d of adapter %s", weights.version, weights.model)
                self._say_of_adapter(weights.model, self._health)

    def _retire(self, adapters: list[str]) -> None:
        """Say of each that it is stopped; vLLM forgets it later, lest a call that is on its way find no such model."""
        for model in adapters:
            self._say_of_adapter(model, "stopped")
            self._adapters.retire(model)
            _log.info("adapter %s is retired", model)
        try:
            self._adapters.forget_retired(_FORGET_SECONDS)
        except SwapError as error:
            _log.error("%s", error)

    @contextmanager
    def _swapping(self) -> Iterator[None]:
        """Say so meanwhile; and that it is ready again where the earlier weights serve on."""
        ready = self._health == "ready"
        if ready:
            self._say("swapping")
        try:
            yield
        except SwapError:
            if ready:
                self._say("ready")
            raise

    @contextmanager
    def _beating(self) -> Iterator[None]:
        """Repeat the status meanwhile: vLLM is slow to start, and large weights to verify and load."""
        done = threading.Event()

        def beat() -> None:
            while not done.wait(self._settings.heartbeat_seconds):
                if self._health == "starting" or self._engine.answers():
                    self._say(self._health)

        beating = threading.Thread(target=beat, name="heartbeat", daemon=True)
        beating.start()
        try:
            yield
        finally:
            done.set()
            beating.join()

    def _say(self, health: NodeHealth) -> None:
        """Of the model after its adapters, but at the end before them: it gets the calls for what no node serves."""
        self._health, self._said_at = health, time.monotonic()
        VERSION.set(self.version)
        if health == "stopped":
            self._send(self._settings.model_name, self.version, health)
        for adapter in list(self._adapters.served):
            self._say_of_adapter(adapter, health)
        if health != "stopped":
            self._send(self._settings.model_name, self.version, health)

    def _say_of_adapter(self, model: str, health: NodeHealth) -> None:
        with self._saying:  # else a heartbeat might tell the version before after the one that is served
            self._send(model, self._adapters.served[model].version, health)

    def _send(self, model: str, version: int, health: NodeHealth) -> None:
        own = model == self._settings.model_name
        status = NodeStatus(
            node=self._name if own else f"{self._name}:{model}",
            url=self._engine.url,
            model=model,
            version=version,
            health=health,
            logprobs_mode=self._settings.logprobs_mode,
            max_model_len=max_model_len(self._settings),
            at=now(),
            base=None if own else self._settings.model_name,
        )
        self._producer.send(NODES, status).result()
