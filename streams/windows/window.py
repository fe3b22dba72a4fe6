"""Windows of samples. A state machine without I/O: received samples and the clock go in, windows come out::

    OPEN --(samples, groups, tokens or seconds reached)--> due --close--> Window, and OPEN again, empty

Invariant: each sample of the tenant's that is added is in exactly one window, once: trained, validated, or discarded
with its reason; of others nothing is kept but that they were passed;
the window's offsets and seen ids cover these samples and no other, so they make one checkpoint with what it trained.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from clawstream.schemas import TOKEN_BYTES, Discard, Sample
from clawstream.streams.reading.consumer import Offsets, Received
from clawstream.streams.windows.own import models_of, own_part
from clawstream.streams.windows.seen import SeenSamples
from clawstream.streams.windows.usable import youngest_lag

TRAINED_CHANNEL, VALIDATION_CHANNEL = "train", "val"
MAX_UNTRAINED = 5_000  # a report stays far below the largest record

Unusable = Callable[[Sample, int], str | None]  # sample, trainer's version -> why it cannot be trained


@dataclass(frozen=True, kw_only=True)
class WindowLimits:
    """What closes a window, and how old a sample may be."""

    model: str = ""  # that is trained; empty: whichever sampled it
    base: str = ""  # of which that model is an adapter; empty: of none
    tenant: str = ""  # whose samples count; empty: everybody's
    left_out: frozenset[str] = frozenset()  # but not those of these tenants
    samples: int
    groups: int = 0  # whole groups; 0: not counted
    tokens: int  # of all sequences, prompts included
    seconds: float  # since the first sample that will train
    policy_lag: int  # versions; older tokens do not train, and a sample that has no younger one is discarded
    drop_flat_groups: bool = False  # of equal rewards, which teach nothing (DAPO's dynamic sampling)


@dataclass(frozen=True, kw_only=True)
class Window:
    """What one update consumes."""

    samples: tuple[Sample, ...]  # to be trained
    validation: tuple[Sample, ...]  # to be looked at
    discarded: tuple[Discard, ...]
    next_offsets: Offsets  # of every partition ever read, after this window


class WindowAssembler:
    """Assembles one window after the other."""

    def __init__(self, limits: WindowLimits, unusable: Unusable, seen: SeenSamples, next_offsets: Offsets) -> None:
        """``seen`` and ``next_offsets``: as the last checkpoint has them."""
        self.seen = seen
        self._limits, self._unusable = limits, unusable
        self._next_offsets = dict(next_offsets)
        self._told = dict(next_offsets)  # offsets that a window or ``passed`` has told
        self._start()

    def _start(self) -> None:
        self._samples: list[Sample] = []
        self._validation: list[Sample] = []
        self._discarded: list[Discard] = []
        self._members: Counter[str] = Counter()
        self._whole_groups = 0
        self._tokens = 0
        self._opened_at: float | None = None

    @property
    def room(self) -> int:
        """Samples that fit before the window is full."""
        return self._limits.samples - len(self._samples)

    @property
    def discarded(self) -> Sequence[Discard]:
        """What the open window holds and will not train."""
        return self._discarded

    def positions(self, partitions: Sequence[int]) -> Offsets:
        """Where to read on in ``partitions``, from the start where none was read; the open window counts as read."""
        return {partition: self._next_offsets.get(partition, 0) for partition in partitions}

    def passed(self) -> Offsets:
        """Where to read on after samples of other tenants, told once; empty while the open window holds any of its own.

        For those who watch the lag: who starts again reads on from the last window.
        """
        if self._samples or self._validation or self._discarded or self._next_offsets == self._told:
            return {}
        self._told = dict(self._next_offsets)
        return dict(self._told)

    def add(self, received: Received[Sample], version: int, at_seconds: float) -> None:
        """Take in one sample while the trainer is at ``version``; ``at_seconds`` is any monotonic clock."""
        sample = received.record
        self._next_offsets[received.partition] = received.offset + 1
        if self._limits.tenant not in ("", sample.tenant) or sample.tenant in self._limits.left_out:
            return
        own = own_part(sample, self._limits.model, self._limits.base) if self._limits.model else sample
        reason = self._reason_against(sample, own, version)
        self.seen.add(sample.sample_id)
        if reason is None and sample.channel == VALIDATION_CHANNEL:
            self._validation.append(own)
            return
        if reason is not None:
            self._discarded.append(Discard(sample_id=sample.sample_id, reason=reason))
            return
        self._samples.append(own)
        self._members[sample.group_id] += 1
        self._whole_groups += self._members[sample.group_id] == sample.group.size
        self._tokens += sum(len(sequence.tokens) for sequence in own.sequences) // TOKEN_BYTES
        if self._opened_at is None:
            self._opened_at = at_seconds

    def due(self, at_seconds: float) -> bool:
        """Whether the window is full, or has waited long enough; by time alone, only with a sample that will train."""
        if (
            len(self._discarded) + len(self._validation) >= MAX_UNTRAINED
            or self.room <= 0
            or self._tokens >= self._limits.tokens
        ):
            return True
        if 0 < self._limits.groups <= self._whole_groups:
            return True
        return self._opened_at is not None and at_seconds - self._opened_at >= self._limits.seconds

    def close(self) -> Window:
        """The window, and a new one begins. ``seen`` now holds all of its samples."""
        window = Window(
            samples=tuple(self._samples),
            validation=tuple(self._validation),
            discarded=tuple(self._discarded),
            next_offsets=dict(self._next_offsets),
        )
        self._told = dict(self._next_offsets)
        self._start()
        return window

    def _reason_against(self, sample: Sample, own: Sample, version: int) -> str | None:
        """Why ``sample``, whose ``own`` part would train, must not: one word, then what is the matter."""
        if sample.sample_id in self.seen:
            return "repeated: consumed before"
        if sample.channel not in (TRAINED_CHANNEL, VALIDATION_CHANNEL):
            return f"channel: {sample.channel} does not train"
        if sample.sequences and not own.sequences:
            return f"model: {models_of(sample)} sampled it, and {self._limits.model} is trained"
        if (problem := self._unusable(own, version)) is not None:
            return f"unusable: {problem}"
        if sample.channel == VALIDATION_CHANNEL:
            return None
        if self._limits.drop_flat_groups and sample.group.size > 1 and sample.group.reward_std == 0:
            return f"flat: all {sample.group.size} rewards of its group are {sample.group.reward_mean:g}"
        lag = youngest_lag(own, version)
        if lag > self._limits.policy_lag:
            return f"stale: {lag} versions behind, at most {self._limits.policy_lag} train"
        return None
