"""The gateway for agents written without asyncio; ``aio.py`` is the same with it.

Invariant: leaving a trajectory's block completes it, and an exception that leaves the block aborts it, so that what
failed never counts as completed. Every call is tried again, under one key, while that can help (``retrying.py``)::

    with Gateway() as gateway, gateway.trajectory(group="sum-17", group_size=8) as trajectory:
        answer = trajectory.chat([{"role": "user", "content": "6 * 7?"}])
        trajectory.complete(reward=float(answer.text == "42"))
"""

import logging
import time
from collections.abc import Mapping, Sequence
from typing import Any, Protocol, Self, TypeVar, Unpack

import httpx

from clawstream.agents import calls
from clawstream.agents.answers import ChatAnswer, Generation, SampledStep
from clawstream.agents.calls import Call
from clawstream.agents.errors import AgentError
from clawstream.agents.place import DEFAULT_BASE_URL, Options, place_of
from clawstream.agents.retrying import Patience, Trouble
from clawstream.agents.spares import Spares
from clawstream.agents.standing import Standing, reason_of
from clawstream.agents.wire import (
    Tries,
    client_options,
    gateway_url,
    headers_of,
    lost,
    result_of,
)

T = TypeVar("T")

_log = logging.getLogger(__name__)


class Send(Protocol):
    """Sends a call until it has a result. Raises ``AgentError``."""

    def __call__(self, call: Call[T], /) -> T: ...


class Trajectory:
    """One trajectory at the gateway of ``url``."""

    def __init__(self, send: Send, standing: Standing, url: str) -> None:
        self.send, self.standing, self.url = send, standing, url
        self.place = standing.place

    @property
    def base_url(self) -> str:
        """For any other client that is to call in its name, such as ``openai``."""
        return self.url + self.place.path

    def chat(
        self,
        messages: Sequence[Mapping[str, Any]],
        *,
        tools: Sequence[Mapping[str, Any]] = (),
        tokens: bool = False,
        **options: Any,
    ) -> ChatAnswer:
        """Ask the model. ``tokens``: with the exact tokens and log-probabilities; ``options`` as OpenAI and vLLM have
        them, before the trajectory's own sampling."""
        return self.send(calls.chat(self.standing.require_open(), messages, tools, tokens, options))

    def generate(self, prompt_ids: Sequence[int], **sampling: Any) -> Generation:
        """Go on from token ids, whatever they mean; ``sampling`` before the trajectory's own."""
        return self.send(calls.generate(self.standing.require_open(), prompt_ids, sampling))

    def reward(
        self, value: float, *, step_id: str | None = None, source: str = "agent", detail: dict[str, Any] | None = None
    ) -> None:
        """Reward one step, or the whole trajectory; also after its end. The newest of each source counts."""
        self.send(calls.reward(self.place, value, step_id, source, detail))

    def submit_steps(self, steps: Sequence[SampledStep]) -> int:
        """Record steps that were sampled elsewhere (those of ``chat`` and ``generate`` are recorded already)."""
        with self.standing.numbering(len(steps)) as first:
            return self.send(calls.submit_steps(self.standing.require_open(), steps, first))

    def complete(self, reward: float | None = None) -> None:
        """End it, with the outcome's reward where there is one; a missing reward is not zero."""
        self.send(calls.complete(self.standing.require_open(), reward))
        self.standing.completed(reward)

    def abort(self, reason: str) -> None:
        """End it as failed: it does not train."""
        self.send(calls.abort(self.standing.require_open(), reason))
        self.standing.aborted(reason)

    def open(self) -> None:
        """Register it. Waits while the gateway paces."""
        self.send(calls.open_trajectory(self.standing.require_open()))

    def give_up(self, error: BaseException) -> None:
        """Abort it because of ``error``, unless it has ended."""
        if self.standing.ended is not None:
            return
        try:
            self.abort(reason_of(error))
        except AgentError as unsaid:
            _log.warning("trajectory %s stays open until it is idle: %s", self.place.trajectory_id, unsaid)

    def __enter__(self) -> Self:
        self.open()
        return self

    def __exit__(self, _: type[BaseException] | None, error: BaseException | None, __: object) -> None:
        if error is not None:
            self.give_up(error)
        elif self.standing.ended is None:
            self.complete()


class Gateway:
    """A gateway. Threads may share it."""

    def __init__(
        self,
        base_url: str = DEFAULT_BASE_URL,
        *,
        api_key: str | None = None,
        patience: Patience | None = None,
        call_seconds: float = 600.0,
    ) -> None:
        """``call_seconds``: longest silence of the gateway within a call. Raises ``AgentError`` for what is no URL."""
        self.url, self._patience = gateway_url(base_url), patience or Patience()
        options = client_options(self.url, api_key, call_seconds)
        self._clients = Spares(lambda: httpx.Client(**options))

    def trajectory(
        self, *, trajectory: str | None = None, group: str | None = None, **options: Unpack[Options]
    ) -> Trajectory:
        """A trajectory, opened by its ``with`` block; names not given are new. For the options see ``Place``."""
        return Trajectory(self.send, Standing(place=place_of(trajectory, group, **options)), self.url)

    def models(self) -> list[str]:
        """Names of the models that are served now."""
        return self.send(calls.models())

    def send(self, call: Call[T]) -> T:
        """Send ``call`` until it has a result."""
        tries = Tries(self._patience)
        while True:
            outcome = self._try(call, tries)
            if not isinstance(outcome, Trouble):
                return outcome
            time.sleep(tries.wait_after(outcome))

    def _try(self, call: Call[T], tries: Tries) -> T | Trouble:
        try:
            with self._clients.one() as client:
                response = client.request(
                    call.method, self.url + call.path, content=call.body, headers=headers_of(call, tries.tried)
                )
        except httpx.RequestError as error:
            return lost(call, error)
        return result_of(call, response)

    def close(self) -> None:
        """Close its connections."""
        for client in self._clients.drain():
            client.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
