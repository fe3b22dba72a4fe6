"""What is scored: a turn (a step with its conversation), a reaction (what followed it), an episode (all of it). Pure.

Invariant: they are made of records alone, so the same events give the same subjects, live and in a replay.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import Any

from clawstream.schemas import NextState, Reward, RewardKind, Step, Vote
from clawstream.schemas.reading.fields import json_array, json_object
from clawstream.schemas.reading.sequences import in_order

Message = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Subject(ABC):
    """What all of them know of their trajectory."""

    trajectory_id: str
    group_id: str
    tenant: str
    metadata: dict[str, Any]  # as the trajectory was opened with

    @property
    @abstractmethod
    def step_id(self) -> str | None:
        """The step that a reward of it is about; None: the whole trajectory."""

    @property
    @abstractmethod
    def at(self) -> datetime:
        """When what is scored happened."""

    def reward(
        self,
        value: float | None,
        *,
        votes: Sequence[Vote] = (),
        hint: str | None = None,
        teacher_logprobs: bytes | None = None,
        unscored: str | None = None,
    ) -> Reward:
        """A reward of it. Who gave it and its id are filled in by the processors."""
        kind: RewardKind = "outcome" if self.step_id is None else "process"
        return Reward(
            reward_id="",
            trajectory_id=self.trajectory_id,
            step_id=self.step_id,
            tenant=self.tenant,
            value=value,
            source="",
            kind=kind,
            at=self.at,
            votes=list(votes),
            hint=hint,
            teacher_logprobs=teacher_logprobs,
            unscored=unscored,
        )


@dataclass(frozen=True, kw_only=True)
class Turn(Subject):
    """One call: what was asked, and the answer."""

    step: Step
    messages: list[Message] = field(repr=False)  # the conversation up to the answer
    prompt_tokens: bytes = field(repr=False, default=b"")  # all of the prompt, packed
    tools: list[Any] = field(repr=False, default_factory=list)  # that the model could call

    @property
    def step_id(self) -> str | None:
        """Its step."""
        return self.step.step_id

    @property
    def at(self) -> datetime:
        """When the answer was complete."""
        return self.step.finished_at

    @property
    def text(self) -> str:
        """The answer's content."""
        return self.step.text

    @cached_property
    def tool_calls(self) -> list[Any]:
        """The answer's calls, as OpenAI has them."""
        return json_array(self.step.tool_calls_json)

    @property
    def answer(self) -> Message:
        """The answer as a message."""
        calls = {"tool_calls": self.tool_calls} if self.tool_calls else {}
        return {"role": "assistant", "content": self.text, **calls}


@dataclass(frozen=True, kw_only=True)
class Reaction(Subject):
    """What followed a turn."""

    turn: Turn
    next_state: NextState

    @property
    def step_id(self) -> str | None:
        """The step that was followed."""
        return self.turn.step_id

    @property
    def at(self) -> datetime:
        """When it arrived."""
        return self.next_state.at

    @cached_property
    def messages(self) -> list[Message]:
        """All that followed: every tool result, the user's reply."""
        return [message for message in json_array(self.next_state.messages_json) if isinstance(message, dict)]


@dataclass(frozen=True, kw_only=True)
class Episode(Subject):
    """A trajectory that has ended."""

    channel: str
    agent: str
    ended_by: str  # completed, idle or max_age
    ended_at: datetime
    turns: list[Turn] = field(repr=False)  # in the log's order
    rewards: tuple[Reward, ...] = ()  # those that came before it ended

    @property
    def step_id(self) -> str | None:
        """None: it is all of them."""
        return None

    @property
    def at(self) -> datetime:
        """When its last event happened."""
        return self.ended_at

    @property
    def text(self) -> str:
        """The last answer of a main turn; empty where there is none."""
        main = [turn for turn in self.turns if turn.step.turn_type == "main"]
        return main[-1].text if main else ""


def turns_of(steps: Sequence[Step], metadata_json: str | None) -> dict[str, Turn]:
    """The turns of a trajectory's ``steps`` (in log order), by step. What a step continues must be among them, else
    its conversation begins with its own messages."""
    metadata, turns = json_object(metadata_json), dict[str, Turn]()
    for step in in_order(list(steps)):
        before = turns.get(step.prompt_prefix.step_id) if step.prompt_prefix else None
        messages = [message for message in json_array(step.new_messages_json) if isinstance(message, dict)]
        turns[step.step_id] = Turn(
            trajectory_id=step.trajectory_id,
            group_id=step.group_id,
            tenant=step.tenant,
            metadata=metadata,
            step=step,
            messages=[*before.messages, before.answer, *messages] if before else messages,
            prompt_tokens=before.prompt_tokens + before.step.response_tokens + step.prompt_tokens
            if before
            else step.prompt_tokens,
            tools=before.tools if before and step.tools_json is None else json_array(step.tools_json),
        )
    return turns
