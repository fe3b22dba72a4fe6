"""A service that scores answers, asked as Claw-R1's clients ask for a reward.

Invariant: nothing is scored here; in both directions the shapes are Claw-R1's::

    {"prompt_ids", "response_ids", "num_turns": 2, "extra_fields": {}, "dataset_fields": {}}   as its code has it
    {"reward_score": 1.0, "reward_extra_info": {}}

    {"messages", "dataset_fields": {}}                                                as its documents have it
    {"reward": 1.0, "reward_score": 1.0, "reward_extra_info": {}}
"""

import asyncio
import math
from dataclasses import dataclass
from typing import Any

import msgspec

from clawstream.gateway.chat.chunks import TokenId
from clawstream.gateway.chat.request import encoded
from clawstream.gateway.errors import UPSTREAM, ApiError, invalid
from clawstream.gateway.reading import shaped
from clawstream.gateway.settings import GatewaySettings
from clawstream.gateway.upstreams.connections import Connections, UnreachedError
from clawstream.gateway.upstreams.http_answer import BrokenOffError
from clawstream.gateway.upstreams.refusal import refusal

_MAX_SCORE_BYTES = 16 * 1024 * 1024


class Scored(msgspec.Struct):
    """What is to be scored; other keys are passed on too."""

    prompt_ids: list[TokenId] | None = None
    response_ids: list[TokenId] | None = None
    messages: list[dict[str, Any]] | None = None
    num_turns: int = 2
    extra_fields: dict[str, Any] = {}
    dataset_fields: dict[str, Any] = {}


class Score(msgspec.Struct):
    """What the service says."""

    reward_score: float
    reward_extra_info: dict[str, Any] = {}


@dataclass(frozen=True, slots=True, kw_only=True)
class RewardService:
    """Where it is."""

    url: str
    seconds: float  # longest wait
    connections: Connections

    @classmethod
    def of(cls, settings: GatewaySettings, connections: Connections) -> "RewardService | None":
        """The service that is set."""
        if settings.reward_url is None:
            return None
        return cls(url=settings.reward_url, seconds=settings.reward_seconds, connections=connections)

    async def score(self, body: dict[str, Any]) -> Score:
        """Its score. Raises ``ApiError``: its own status and body, 502 where it cannot be used, 504 for silence."""
        headers = {"Content-Type": "application/json"}
        try:
            async with (
                asyncio.timeout(self.seconds),
                self.connections.asked(self.url, encoded(body), headers) as answer,
            ):
                if answer.status != 200:
                    raise await refusal(answer)
                score = msgspec.json.decode(await answer.read(_MAX_SCORE_BYTES), type=Score)
        except TimeoutError as error:
            raise _unusable(f"said nothing for {self.seconds:g} s", 504) from error
        except (UnreachedError, BrokenOffError) as error:
            raise _unusable("cannot be reached") from error
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise _unusable(f"gave no score: {error}") from error
        if not math.isfinite(score.reward_score):
            raise _unusable(f"gave the score {score.reward_score}")
        return score


def read_scored(body: dict[str, Any]) -> dict[str, Any]:
    """``body`` with Claw-R1's defaults. Raises ``ApiError`` 400 naming the field."""
    asked = shaped(body, Scored)
    if asked.messages is not None:
        return {"dataset_fields": asked.dataset_fields} | body
    for name in ("prompt_ids", "response_ids"):
        if body.get(name) is None:
            raise invalid(f"{name}: a list of token ids is needed", name)
    defaults = {"num_turns": asked.num_turns, "extra_fields": asked.extra_fields}
    return defaults | {"dataset_fields": asked.dataset_fields} | body


def told(score: Score, body: dict[str, Any]) -> bytes:
    """The answer to ``body``."""
    said: dict[str, Any] = {"reward_score": score.reward_score, "reward_extra_info": score.reward_extra_info}
    documented = {"reward": score.reward_score} if body.get("messages") is not None else {}
    return msgspec.json.encode(documented | said)


def _unusable(what: str, status: int = 502) -> ApiError:
    return ApiError(status, f"the reward service {what}", kind=UPSTREAM, code="reward_failed")
