"""The account at the end: every step in exactly one place, nothing trained twice.

Invariant: computed from the topics alone, with repeats dropped by id, as every consumer does.
"""

from collections import Counter
from dataclasses import dataclass
from typing import Any

from clawstream.schemas import Rejection, Sample, UpdateReport
from clawstream.streams.reading.consumer import read_all
from clawstream.streams.settings import KafkaSettings
from clawstream.topics import CATALOGUE, REJECTED, SAMPLES, STEPS, UPDATES


@dataclass(frozen=True, kw_only=True)
class Account:
    """What became of the steps."""

    steps: int
    samples: int
    rejected: int
    steps_open: int  # neither in a sample nor rejected yet
    steps_twice: int  # both in a sample and rejected, or in two samples
    trained: int
    trained_twice: int
    records: dict[str, int]  # records by topic, repeats included

    @property
    def closed(self) -> bool:
        """True when every step is in exactly one place."""
        return self.steps_open == 0 and self.steps_twice == 0


def take_account(kafka: KafkaSettings) -> Account:
    """Read every topic to its present end and count."""
    read: dict[str, list[Any]] = {topic.name: read_all(kafka, topic) for topic in CATALOGUE}
    samples = {sample.sample_id: sample for sample in read[SAMPLES.name]}
    rejected = {rejection.rejection_id: rejection for rejection in read[REJECTED.name]}
    updates = {report.update_id: report for report in read[UPDATES.name]}
    return reckon(
        {step.step_id for step in read[STEPS.name]},
        list(samples.values()),
        list(rejected.values()),
        list(updates.values()),
        {name: len(records) for name, records in read.items()},
    )


def reckon(
    steps: set[str],
    samples: list[Sample],
    rejected: list[Rejection],
    updates: list[UpdateReport],
    records: dict[str, int],
) -> Account:
    """The account of ``steps`` (ids), given what came out."""
    ends = Counter(step_id for sample in samples for step_id in sample.step_ids)
    ends.update(rejection.step_id for rejection in rejected)
    trained = Counter(sample_id for report in updates for sample_id in report.sample_ids)
    return Account(
        steps=len(steps),
        samples=len(samples),
        rejected=len(rejected),
        steps_open=len(steps - ends.keys()),
        steps_twice=sum(count > 1 for count in ends.values()),
        trained=len(trained),
        trained_twice=sum(count > 1 for count in trained.values()),
        records=records,
    )
