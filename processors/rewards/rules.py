"""Rewards by rules: the last answer against the metadata that its trajectory was opened with. Pure.

Invariant: right is 1 and wrong is 0; where there is nothing to compare with, there is no reward.
"""

import re
from abc import abstractmethod
from typing import Any

import jsonschema
import msgspec

from clawstream.processors.rewards.decorated import RewardError
from clawstream.processors.rewards.maths import final_answer, last_number, same
from clawstream.processors.rewards.scorer import Scorer
from clawstream.processors.rewards.subjects import Episode, Subject
from clawstream.schemas import Reward


class Rule(Scorer):
    """Compares an episode's last answer with what is ``expected``: a metadata key, dots going inwards."""

    def __init__(self, name: str, expected: str = "answer", *, extract: str = "") -> None:
        """``extract``: a pattern whose first group (or whole match) of the answer counts; nothing found is wrong."""
        super().__init__(name, "trajectory")
        self.expected, self._extract = expected, _pattern(name, extract) if extract else None

    @abstractmethod
    def holds(self, answer: str, wanted: Any) -> bool:
        """Is ``answer`` right?"""

    def wanted(self, subject: Subject) -> Any:
        """What is expected; None: nothing is known."""
        found: Any = subject.metadata
        for part in self.expected.split("."):
            found = found.get(part) if isinstance(found, dict) else None
        return found

    async def score(self, subject: Subject) -> Reward | float | None:
        """1, 0, or a null reward that says what is missing."""
        wanted = self.wanted(subject)
        if wanted is None:
            return subject.reward(None, unscored=f"its metadata has no {self.expected}")
        answer = subject.text if isinstance(subject, Episode) else ""
        if self._extract is not None:
            found = self._extract.search(answer)
            if found is None:
                return 0.0
            answer = found[1] if self._extract.groups else found[0]
        return float(self.holds(answer, wanted))


class ExactMatch(Rule):
    """Equal as text, white space around it aside; several expected ones may be given as a list."""

    def holds(self, answer: str, wanted: Any) -> bool:
        """Is ``answer`` one of them?"""
        every = wanted if isinstance(wanted, list) else [wanted]
        return answer.strip() in {str(one).strip() for one in every}


class Numeric(Rule):
    """The last number in the answer, within a tolerance."""

    def __init__(self, name: str, expected: str = "answer", *, extract: str = "", tolerance: float = 1e-6) -> None:
        """``tolerance`` is relative, and absolute below 1."""
        super().__init__(name, expected, extract=extract)
        self._tolerance = tolerance

    def holds(self, answer: str, wanted: Any) -> bool:
        """Is its last number the expected one?"""
        said, right = last_number(answer), last_number(str(wanted))
        return said is not None and right is not None and abs(said - right) <= self._tolerance * max(1.0, abs(right))


class Maths(Numeric):
    r"""The final answer (``\boxed{}``, ``####``, "the answer is", else the last line) as a number or a formula."""

    def holds(self, answer: str, wanted: Any) -> bool:
        """Does it mean the expected one?"""
        return same(final_answer(answer), final_answer(str(wanted)), self._tolerance)


class Matches(Rule):
    """A regular expression that the answer must match somewhere."""

    def __init__(self, name: str, expected: str = "pattern", *, pattern: str = "") -> None:
        """``pattern``: the same for every trajectory; else the metadata key ``expected`` holds it."""
        super().__init__(name, expected)
        self._pattern = _pattern(name, pattern) if pattern else None

    def wanted(self, subject: Subject) -> Any:
        """The pattern."""
        return self._pattern or super().wanted(subject)

    def holds(self, answer: str, wanted: Any) -> bool:
        """Does it match?"""
        return re.search(wanted, answer) is not None


class JsonSchema(Rule):
    """The answer is JSON (a fenced block counts) that fits a JSON schema."""

    def __init__(self, name: str, expected: str = "schema", *, schema: dict[str, Any] | None = None) -> None:
        """``schema``: the same for every trajectory; else the metadata key ``expected`` holds it."""
        super().__init__(name, expected)
        self._schema = schema

    def wanted(self, subject: Subject) -> Any:
        """The schema."""
        return super().wanted(subject) if self._schema is None else self._schema

    def holds(self, answer: str, wanted: Any) -> bool:
        """Does it fit?"""
        block = re.search(r"```(?:json)?\s*\n(.*?)```", answer, re.DOTALL)
        try:
            value = msgspec.json.decode(block[1] if block else answer)
        except msgspec.DecodeError:
            return False
        return bool(jsonschema.validators.validator_for(wanted)(wanted).is_valid(value))


class Length(Scorer):
    """0 up to ``max_tokens - buffer_tokens`` sampled tokens, then down to -1 at ``max_tokens``: DAPO's penalty."""

    def __init__(self, name: str, *, max_tokens: int, buffer_tokens: int) -> None:
        super().__init__(name, "trajectory")
        self._max_tokens, self._buffer_tokens = max_tokens, buffer_tokens

    async def score(self, subject: Subject) -> float | None:
        """``clip((L_max - L_buffer - length) / L_buffer, -1, 0)``."""
        if not isinstance(subject, Episode):
            return None
        length = sum(turn.step.response_token_count for turn in subject.turns)
        return max(-1.0, min(0.0, (self._max_tokens - self._buffer_tokens - length) / self._buffer_tokens))


def _pattern(name: str, text: str) -> re.Pattern[str]:
    try:
        return re.compile(text, re.DOTALL)
    except re.error as error:
        raise RewardError(f"reward {name}: {text!r} is no regular expression: {error}") from error
