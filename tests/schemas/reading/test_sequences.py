import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from clawstream.schemas import PolicySpan, Step, pack_logprobs, unpack_logprobs, unpack_tokens
from clawstream.schemas.reading.sequences import Resolved, resolve
from tests.builders import a_step
from tests.processors.conversations import a_tree, continuing, whole


def tokens_of(resolved: Resolved) -> list[list[int]]:
    return [unpack_tokens(sequence.tokens).tolist() for sequence in resolved.sequences]


def marked(resolved: Resolved) -> list[list[tuple[str, int, int]]]:
    return [[(r.step_id, r.start, r.end) for r in sequence.responses] for sequence in resolved.sequences]


def refused(resolved: Resolved) -> dict[str, str]:
    return {refusal.step.step_id: refusal.reason for refusal in resolved.refusals}


def test_steps_that_continue_each_other_are_one_sequence() -> None:
    resolved = resolve(a_tree([None, 0, 1]))
    assert tokens_of(resolved) == [[100, 200, 300, 101, 201, 301, 102, 202, 302]]
    assert marked(resolved) == [[("s0", 1, 3), ("s1", 4, 6), ("s2", 7, 9)]]
    assert resolved.step_ids == ["s0", "s1", "s2"]


def test_a_branch_repeats_what_it_shares_and_marks_it_once() -> None:
    resolved = resolve(a_tree([None, 0, 0]))
    assert tokens_of(resolved) == [[100, 200, 300, 101, 201, 301], [100, 200, 300, 102, 202, 302]]
    assert marked(resolved) == [[("s0", 1, 3), ("s1", 4, 6)], [("s2", 4, 6)]]


def test_logprobs_and_spans_lie_where_the_response_lies() -> None:
    first, second = a_tree([None, 0])
    first = msgspec.structs.replace(
        first,
        response_logprobs=pack_logprobs([-1.0, -2.0]),
        policy_spans=[PolicySpan(version=3, start=0, end=1), PolicySpan(version=4, start=1, end=2)],
    )
    (sequence,) = resolve([first, second]).sequences
    assert unpack_logprobs(sequence.logprobs).tolist() == [0.0, -1.0, -2.0, 0.0, -0.5, -0.5]
    assert [(s.version, s.start, s.end) for s in sequence.policy_spans] == [(3, 1, 2), (4, 2, 3), (0, 4, 6)]


@pytest.mark.parametrize("continued", [0, 1])
def test_of_a_retry_the_one_that_was_continued_trains(continued: int) -> None:
    tries = [a_step([1], [2], step_id="a"), a_step([1], [3], step_id="b", attempt=2)]
    follower = continuing(tries[continued], whole(tries[continued], {}), [9], [8], step_id="c")
    resolved = resolve([*tries, follower])
    assert refused(resolved) == {tries[1 - continued].step_id: "superseded"}
    assert resolved.step_ids == [tries[continued].step_id, "c"]


@pytest.mark.parametrize("again", [{"attempt": 2}, {"request_key": "k"}])
def test_of_a_retry_that_nobody_continued_the_last_trains(again: dict[str, object]) -> None:
    resolved = resolve([a_step([1], [2], step_id="a", request_key="k"), a_step([1], [3], step_id="b", **again)])
    assert (refused(resolved), resolved.step_ids) == ({"a": "superseded"}, ["b"])


def test_a_retry_whose_prompt_was_rendered_otherwise_is_known_by_its_key() -> None:
    first, second = a_step([1], [2], step_id="a", request_key="k"), a_step([1, 9], [3], step_id="b", request_key="k")
    resolved = resolve([first, second])
    assert (refused(resolved), tokens_of(resolved)) == ({"a": "superseded"}, [[1, 9, 3]])


def test_a_key_that_is_used_for_every_turn_loses_no_turn() -> None:
    steps = [msgspec.structs.replace(step, request_key="k") for step in a_tree([None, 0, 1])]
    resolved = resolve(steps)
    assert (refused(resolved), resolved.step_ids) == ({}, ["s0", "s1", "s2"])


def test_who_asks_twice_has_two_answers() -> None:
    resolved = resolve([a_step([1], [2], step_id="a"), a_step([1], [3], step_id="b")])
    assert (refused(resolved), tokens_of(resolved)) == ({}, [[1, 2], [1, 3]])


def test_an_untrainable_step_is_context_for_those_that_continue_it() -> None:
    first, second = a_tree([None, 0])
    first = msgspec.structs.replace(first, trainable=False, untrainable_reason="incomplete: finish reason is length")
    resolved = resolve([first, second])
    assert refused(resolved) == {"s0": "incomplete"}
    assert tokens_of(resolved) == [[100, 200, 300, 101, 201, 301]]
    assert marked(resolved) == [[("s1", 4, 6)]]


def test_a_chain_that_ends_untrainable_stops_at_the_last_step_that_trains() -> None:
    first, second = a_tree([None, 0])
    second = msgspec.structs.replace(second, trainable=False, untrainable_reason="side: turn type is side")
    resolved = resolve([first, second])
    assert tokens_of(resolved) == [[100, 200, 300]]
    assert refused(resolved) == {"s1": "side"}


def break_prefix(step: Step, **change: object) -> Step:
    assert step.prompt_prefix is not None
    return msgspec.structs.replace(step, prompt_prefix=msgspec.structs.replace(step.prompt_prefix, **change))


def test_a_step_that_does_not_train_makes_no_branch() -> None:
    first, cut, last = a_tree([None, 0, 0])
    resolved = resolve(
        [first, msgspec.structs.replace(cut, trainable=False, untrainable_reason="length: cut off"), last]
    )
    assert marked(resolved) == [[("s0", 1, 3), ("s2", 4, 6)]]


@pytest.mark.parametrize("change", [{"step_id": "gone"}, {"token_count": 2}, {"sha256": "0" * 64}])
def test_a_prefix_that_does_not_fit_is_broken_and_so_is_what_continues_it(change: dict[str, object]) -> None:
    first, second, third = a_tree([None, 0, 1])
    resolved = resolve([first, break_prefix(second, **change), third])
    assert refused(resolved) == {"s1": "broken_prefix", "s2": "broken_prefix"}
    assert marked(resolved) == [[("s0", 1, 3)]]


def test_a_step_with_too_few_logprobs_is_refused() -> None:
    resolved = resolve([a_step([1], [2, 3], step_id="a", response_logprobs=pack_logprobs([-1.0, -1.0, -1.0]))])
    assert refused(resolved) == {"a": "mismatch"}


@st.composite
def trees(draw: st.DrawFn) -> list[Step]:
    """Steps of one trajectory: chains, branches, retries, some untrainable, some with a broken prefix."""
    count = draw(st.integers(1, 8))
    parents = [draw(st.none() | st.integers(0, number - 1)) if number else None for number in range(count)]
    steps = a_tree(parents)
    for number in range(count):
        if draw(st.integers(0, 4)) == 0:
            steps[number] = msgspec.structs.replace(steps[number], trainable=False, untrainable_reason="empty: nothing")
        if steps[number].prompt_prefix and draw(st.integers(0, 5)) == 0:
            steps[number] = break_prefix(steps[number], sha256="0" * 64)
    if draw(st.booleans()):
        again = draw(st.integers(0, count - 1))
        steps.append(msgspec.structs.replace(steps[again], step_id="again"))
    return steps


@given(trees())
def test_every_step_is_refused_or_trained_once_with_the_tokens_that_were_sampled(steps: list[Step]) -> None:
    resolved = resolve(steps)
    ends = [*resolved.step_ids, *(refusal.step.step_id for refusal in resolved.refusals)]
    assert sorted(ends) == sorted(step.step_id for step in steps)
    spans = [(response, sequence) for sequence in resolved.sequences for response in sequence.responses]
    assert sorted(response.step_id for response, _ in spans) == sorted(resolved.step_ids)
    by_id = {step.step_id: step for step in steps}
    for response, sequence in spans:
        step = by_id[response.step_id]
        sampled = unpack_tokens(sequence.tokens)[response.start : response.end]
        assert sampled.tolist() == unpack_tokens(step.response_tokens).tolist()
        logprobs = unpack_logprobs(sequence.logprobs)[response.start : response.end]
        assert logprobs.tolist() == unpack_logprobs(step.response_logprobs).tolist()
    for sequence in resolved.sequences:
        inside = {position for response in sequence.responses for position in range(response.start, response.end)}
        logprobs = unpack_logprobs(sequence.logprobs)
        assert len(logprobs) == len(unpack_tokens(sequence.tokens))
        assert all(logprobs[position] == 0 for position in range(len(logprobs)) if position not in inside)
        assert sequence.policy_spans[0].start == sequence.responses[0].start


@given(st.permutations(range(5)))
def test_a_step_that_came_late_is_no_gap(order: list[int]) -> None:
    steps = a_tree([None, 0, 1, 1, 3])
    resolved = resolve([steps[number] for number in order])
    assert resolved.refusals == []
    assert sorted(resolved.step_ids) == ["s0", "s1", "s2", "s3", "s4"]


def test_steps_that_go_on_from_each_other_in_a_circle_are_refused() -> None:
    first, second = a_tree([None, 0])
    prefix = msgspec.structs.replace(second.prompt_prefix, step_id="s1")
    circle = msgspec.structs.replace(first, prompt_prefix=prefix)
    assert {refusal.reason for refusal in resolve([circle, second]).refusals} == {"broken_prefix"}
