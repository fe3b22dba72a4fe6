"""Tasks: two disjoint sets from one seed, scored by reasoning-gym."""

import pytest

from clawstream.demo.tasks import Task, make_tasks, score


def test_one_seed_gives_the_same_tasks() -> None:
    assert make_tasks(train=50, held_out=20, seed=7) == make_tasks(train=50, held_out=20, seed=7)


def test_another_seed_gives_other_tasks() -> None:
    assert make_tasks(train=50, held_out=20, seed=7) != make_tasks(train=50, held_out=20, seed=1007)


@pytest.mark.parametrize("seed", [0, 7, 12345])
def test_no_question_is_in_both_sets_or_twice_in_one(seed: int) -> None:
    split = make_tasks(train=2000, held_out=200, seed=seed)
    train, held_out = ({task.question for task in tasks} for tasks in (split.train, split.held_out))
    assert (len(train), len(held_out)) == (2000, 200)
    assert not train & held_out


def test_draws_do_repeat_so_that_the_filter_is_needed() -> None:
    split = make_tasks(train=6000, held_out=200, seed=7)
    draws = 1 + max(int(task.task_id.split("/")[1]) for task in split.train) - 7
    assert draws > len(split.train) + len(split.held_out)


def test_held_out_tasks_do_not_depend_on_how_many_are_trained_on() -> None:
    assert make_tasks(train=10, held_out=20, seed=7).held_out == make_tasks(train=500, held_out=20, seed=7).held_out


def test_a_right_answer_scores_one_however_it_is_written() -> None:
    task = Task(task_id="chain_sum/0", question="State ...: 43 + 14 =", answer="57")
    assert [score(task, answer) for answer in ("57", "+57", "57.0")] == [1.0, 1.0, 1.0]


@pytest.mark.parametrize("answer", [None, "", "58", "157", "the answer is 57", "I do not know."])
def test_anything_else_scores_zero_also_what_contains_the_answer(answer: str | None) -> None:
    assert score(Task(task_id="chain_sum/0", question="State ...: 43 + 14 =", answer="57"), answer) == 0.0


def test_every_answer_of_the_set_scores_one() -> None:
    assert all(score(task, task.answer) == 1.0 for task in make_tasks(train=100, held_out=20, seed=3).train)
