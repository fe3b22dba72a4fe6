"""The demo's tasks: reasoning-gym's ``chain_sum``, checked by reasoning-gym itself.

Invariant: no question is in both sets. Held-out tasks are drawn first; whatever repeats a question that was drawn
before is dropped, by its text. One seed gives the same two sets on every machine.

The text is what is compared because neighbouring seeds do not separate instances: reasoning-gym draws item ``i`` of a
data set from ``seed + i``, so item 1 of seed 7 *is* item 0 of seed 8.
"""

import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

with warnings.catch_warnings():  # some of its dependencies are noisy when they are compiled
    warnings.simplefilter("ignore", SyntaxWarning)
    import reasoning_gym

_DATASET = "chain_sum"
_DIFFICULTY = {"min_terms": 2, "max_terms": 3, "min_digits": 2, "max_digits": 2}
_DRAWS_PER_TASK = 4


@dataclass(frozen=True, kw_only=True)
class Task:
    """One question and its answer.

    Attributes:
        task_id: data set and item, such as ``chain_sum/17``.
        question: the text that the agent is given.
        answer: the answer that reasoning-gym computed.
    """

    task_id: str
    question: str
    answer: str


@dataclass(frozen=True, kw_only=True)
class TaskSplit:
    """Two sets without a common question.

    Attributes:
        train: tasks to learn from.
        held_out: tasks to be measured on.
    """

    train: tuple[Task, ...]
    held_out: tuple[Task, ...]


def make_tasks(*, train: int, held_out: int, seed: int) -> TaskSplit:
    """``train`` and ``held_out`` different tasks, drawn from ``seed``.

    Raises ``ValueError`` when the difficulty has too few different questions for that many tasks.
    """
    wanted = train + held_out
    unique: dict[str, Task] = {}
    for task in _draw(seed, wanted * _DRAWS_PER_TASK):
        unique.setdefault(task.question, task)
        if len(unique) == wanted:
            tasks = tuple(unique.values())
            return TaskSplit(train=tasks[held_out:], held_out=tasks[:held_out])
    raise ValueError(
        f"{wanted * _DRAWS_PER_TASK} draws gave {len(unique)} different questions, {wanted} were asked for"
    )


def score(task: Task, answer: str | None) -> float:
    """1.0 if reasoning-gym holds ``answer`` to be right, else 0.0; no part marks for an answer that contains it."""
    full_marks: float = _generator(0, 1).score_answer(answer, {"answer": task.answer})
    return 1.0 if full_marks == 1.0 else 0.0


def _draw(seed: int, count: int) -> Iterator[Task]:
    generator = _generator(seed, count)
    for index in range(count):
        entry = generator[index]
        yield Task(task_id=f"{_DATASET}/{seed + index}", question=entry["question"], answer=entry["answer"])


@cache
def _generator(seed: int, size: int) -> Any:
    return reasoning_gym.create_dataset(_DATASET, seed=seed, size=size, **_DIFFICULTY)
