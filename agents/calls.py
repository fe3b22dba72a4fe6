"""Each thing that a trajectory can say to the gateway, as one request. Pure.

Invariant: a call may be sent any number of times and counts once. It names itself by an idempotency key, or by its
content; a submitted step has the id that follows from its trajectory and index.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar
from urllib.parse import quote

import msgspec

from clawstream.agents.answers import ChatAnswer, Generation, SampledStep
from clawstream.agents.place import Place, new_name

T = TypeVar("T")

Json = dict[str, Any]
Headers = Mapping[str, str]

_STEP = "X-ClawStream-Step"
_REASON_CHARACTERS = 2000  # of an abort


@dataclass(frozen=True, kw_only=True)
class Call(Generic[T]):
    """One request, the same over all its tries.

    Attributes:
        method: of HTTP.
        path: what follows the gateway's URL.
        body: JSON.
        read: makes the result of a 2xx answer's JSON and headers; raises ``KeyError``, ``TypeError`` or ``IndexError``
            for one that is no gateway's.
        headers: beside the key's and those of HTTP.
        key: the same over all tries.
    """

    path: str
    read: Callable[[Json, Headers], T]
    method: str = "POST"
    body: bytes = b""
    headers: Headers = field(default_factory=dict)
    key: str = field(default_factory=new_name)

    @property
    def route(self) -> str:
        """The path without the names in it, so that equal troubles of several trajectories are worded alike."""
        return self.path.rpartition("/v1/")[2].partition("?")[0].strip("/")


def models() -> Call[list[str]]:
    """The models that are served."""
    return Call(method="GET", path="/v1/models", read=lambda said, _: [str(model["id"]) for model in said["data"]])


def open_trajectory(place: Place) -> Call[None]:
    """Register the trajectory: from now on its group waits for it."""
    metadata = dict(place.metadata)
    if place.group_size is not None:
        metadata["group_size"] = place.group_size
    return _call(place, "register_trajectory", {"channel": place.channel, "metadata": metadata}, _nothing)


def chat(
    place: Place, messages: Sequence[Mapping[str, Any]], tools: Sequence[Mapping[str, Any]], tokens: bool, options: Json
) -> Call[ChatAnswer]:
    """A chat completion. Raises ``ValueError`` for an option that makes it no single whole answer."""
    if options.get("stream") or options.get("n") not in (None, 1):
        raise ValueError("stream and n: chat gives one whole answer; for others use any OpenAI client at base_url")
    body: Json = {"model": place.model} if place.model is not None else {}
    body |= {"messages": messages, **place.sampling, **options}
    if tools:
        body["tools"] = tools
    if tokens:
        body |= {"logprobs": True, "return_token_ids": True}
    return _call(place, "chat/completions", body, _chat_answer)


def generate(place: Place, prompt_ids: Sequence[int], sampling: Json) -> Call[Generation]:
    """Tokens in, tokens out."""
    body: Json = {"prompt_ids": list(prompt_ids), "sampling_params": {**place.sampling, **sampling}}
    if place.model is not None:
        body["model"] = place.model
    return _call(place, "generate", body, _generation)


def reward(place: Place, value: float, step_id: str | None, source: str, detail: Json | None) -> Call[None]:
    """A reward of the trajectory, or of one step. Raises ``ValueError`` for one that is no finite number."""
    body: Json = {"kind": "rewarded", "reward": finite(value), "source": source}
    body |= {name: said for name, said in (("step_id", step_id), ("detail", detail)) if said is not None}
    return _call(place, "feedback", body, _nothing)


def submit_steps(place: Place, steps: Sequence[SampledStep], first_index: int) -> Call[int]:
    """Steps that were sampled elsewhere, the first at ``first_index`` of their trajectory; how many were taken."""
    rows = [_submitted(place, step, index) for index, step in enumerate(steps, first_index)]
    return Call(
        path=f"/submit_steps?channel={quote(place.channel, safe='')}",
        body=msgspec.json.encode({"steps": rows}),
        read=lambda said, _: int(said["accepted"]),
        headers=place.headers,
    )


def complete(place: Place, outcome: float | None) -> Call[None]:
    """The end, with the outcome's reward where there is one. Raises ``ValueError`` for one that is no finite number."""
    body = {} if outcome is None else {"reward": finite(outcome)}
    return _call(place, "complete_trajectory", body, _nothing)


def abort(place: Place, reason: str) -> Call[None]:
    """The end of a trajectory that failed: it does not train."""
    detail = {"reason": reason[:_REASON_CHARACTERS]}
    return _call(place, "feedback", {"kind": "aborted", "detail": detail}, _nothing)


def finite(value: float) -> float:
    """``value``. Raises ``ValueError`` when it is not finite."""
    if not math.isfinite(value):
        raise ValueError(f"a reward is a finite number, not {value}")
    return float(value)


def _call(place: Place, route: str, body: Json, read: Callable[[Json, Headers], T]) -> Call[T]:
    return Call(path=f"{place.path}/{route}", body=msgspec.json.encode(body), read=read, headers=place.headers)


def _nothing(_: Json, __: Headers) -> None:
    """It was recorded, and there is no more to know."""


def _chat_answer(said: Json, headers: Headers) -> ChatAnswer:
    choice = said["choices"][0]
    logprobs = (choice.get("logprobs") or {}).get("content")
    return ChatAnswer(
        message={name: value for name, value in choice["message"].items() if value is not None or name == "content"},
        finish_reason=choice.get("finish_reason"),
        usage=said.get("usage") or {},
        step_id=headers[_STEP],
        prompt_ids=said.get("prompt_token_ids"),
        token_ids=choice.get("token_ids"),
        logprobs=None if logprobs is None else [entry["logprob"] for entry in logprobs],
    )


def _generation(said: Json, headers: Headers) -> Generation:
    return Generation(
        token_ids=said["token_ids"],
        logprobs=said["log_probs"],
        stop_reason=said.get("stop_reason"),
        step_id=headers[_STEP],
    )


def _submitted(place: Place, step: SampledStep, index: int) -> Json:
    row: Json = {
        "trajectory_uid": place.trajectory_id,
        "prompt_uid": place.group_id,
        "step_index": index,
        "prompt_ids": list(step.prompt_ids),
        "response_ids": list(step.response_ids),
        "temperature": step.temperature,
        "finish_reason": step.finish_reason,
    }
    optional = {
        "rollout_log_probs": None if step.logprobs is None else list(step.logprobs),
        "policy_version": step.policy_version,
        "reward": None if step.reward is None else finite(step.reward),
        "model": place.model,
    }
    return row | {name: value for name, value in optional.items() if value is not None}
