"""The stages together: any order, records read again, other tenants and channels."""

from collections import Counter
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from clawstream.processors.settings import ProcessorsSettings
from clawstream.processors.tables.kept import key_of
from clawstream.schemas import NextState, PolicySpan, Rejection, Sample, Sequence, Step, Trajectory
from clawstream.topics import TRAJECTORIES
from tests.builders import a_feedback, a_sequence, a_step, a_trajectory
from tests.processors.conversations import a_tree
from tests.processors.simulated import LONG_MS, Worker, rejections


def test_steps_and_feedback_become_samples() -> None:
    worker = Worker()
    for name in ("a", "b"):
        worker.taken(*a_tree([None, 0], trajectory_id=name), a_feedback(trajectory_id=name, reward=1.0))
    worker.tick(1)
    worker.taken(*[o.record for o in worker.sent if o.topic is TRAJECTORIES], now_ms=2)
    worker.tick(3)
    assert {o.record.trajectory_id for o in worker.sent if isinstance(o.record, Sample)} == {"a", "b"}


def test_another_tenant_cannot_reward_or_end_a_trajectory() -> None:
    worker, step = Worker(), a_step(step_id="s1")
    worker.taken(step, a_feedback(tenant="other", reward=1.0))
    worker.tick(1)
    assert [o.record.tenant for o in worker.sent if isinstance(o.record, Trajectory)] == ["other"]
    worker.finish()
    assert rejections(worker) == {"s1": "reward_missing"}


def test_groups_mix_neither_tenants_nor_channels() -> None:
    worker = Worker()
    for name, tenant, channel in (("a", "x", "train"), ("b", "y", "train"), ("c", "x", "val")):
        step = a_step(trajectory_id=name, tenant=tenant, channel=channel, step_id=name)
        worker.taken(step, a_feedback(trajectory_id=name, tenant=tenant, reward=1.0))
    worker.finish()
    assert rejections(worker) == dict.fromkeys("abc", "group_too_small")


def test_what_lies_in_the_partition_of_another_worker_does_not_close() -> None:
    worker = Worker()
    worker.taken(a_step(), a_feedback(reward=1.0))
    worker.trajectories.decide(LONG_MS, lambda _: None)
    assert worker.trajectories.due(lambda _: None).outputs == []


def test_what_was_closed_long_ago_is_forgotten() -> None:
    worker = Worker()
    worker.taken(a_step(), a_feedback("aborted"))
    worker.tick(1)
    worker.trajectories.forget_old(1_000, lambda _: 999)  # events of that time may still come: the worker was down
    assert worker.trajectories.kept.get(key_of("t1", "default")) is not None
    worker.trajectories.forget_old(1_000, lambda _: 1_000)
    assert worker.trajectories.kept.get(key_of("t1", "default")) is None


def _told(worker: Worker) -> list[Any]:
    return [output.record for output in worker.sent if output.topic is TRAJECTORIES]


def test_what_comes_after_closing_amends_what_is_not_sent_yet() -> None:
    worker = Worker()
    worker.taken(*a_tree([None, 0]), a_feedback(reward=1.0), a_step(trajectory_id="t2"))
    worker.tick(1)
    worker.taken(a_feedback("rewarded", reward=2.0, source="late judge"))
    worker.taken(a_feedback("curated", step_id="s0", detail_json='{"trainable": false}'))
    worker.taken(a_feedback(trajectory_id="t2", reward=5.0))
    worker.tick(2)
    worker.taken(*_told(worker), now_ms=3)
    worker.tick(4)
    rewards = {o.record.trajectory_id: o.record.reward for o in worker.sent if isinstance(o.record, Sample)}
    assert rewards == {"t1": 3.0, "t2": 5.0}
    assert rejections(worker) == {"s0": "curated"}
    sent = len(worker.sent)
    worker.taken(a_feedback("rewarded", reward=9.0, source="later still"))
    worker.taken(*_told(worker), now_ms=5)
    worker.tick(6)
    assert [output.topic.name for output in worker.sent[sent:]] == ["rewards", "trajectories"]


def test_what_is_old_is_old_beside_the_newest_version_of_the_model_that_sampled_it() -> None:
    """A whole model at version 9 and an adapter at 3; in each group one of them has sampled with its version 2."""
    worker = Worker(settings=ProcessorsSettings(ready="trajectory", max_policy_lag=1))
    worker.groups.newest = {"policy": 9, "policy-acme": 3}
    for name, model in (("a", "policy"), ("b", "policy-acme"), ("c", "never-announced")):
        worker.taken(a_trajectory(trajectory_id=name, step_ids=[name], sequences=[_sampled(model, 2)]))
    worker.taken(a_trajectory(trajectory_id="d", step_ids=["d"], sequences=[_sampled("policy-acme", 2)]))
    due = worker.decided(worker.groups, 1)
    worker.groups.newest = {"policy": 99, "policy-acme": 99}  # what was decided stays so
    again = worker.groups.kept.open_items()
    assert {key: state.newest for key, state in again}[key_of("g1", "default", "train", "a")] == {"policy": 9}
    worker.send(due.outputs)
    assert rejections(worker) == {"a": "stale"}
    assert worker.ends() == Counter("abcd")
    details = [o.record.detail for o in worker.sent if isinstance(o.record, Rejection)]
    assert details == ["it is 7 versions behind version 9 of policy, processors.max_policy_lag is 1"]


def test_a_step_ready_by_itself_is_measured_by_its_own_model_too() -> None:
    worker = Worker(settings=ProcessorsSettings(ready="step", max_policy_lag=1))
    worker.trajectories.newest = {"policy": 9, "policy-acme": 3}
    for name, model in (("a", "policy"), ("b", "policy-acme")):
        step = a_step(
            step_id=name, trajectory_id=name, model=model, policy_spans=[PolicySpan(version=2, start=0, end=2)]
        )
        worker.taken(step, a_feedback("rewarded", trajectory_id=name, step_id=name, reward=1.0))
    worker.tick(1)
    assert rejections(worker) == {"a": "stale"}
    (sample,) = (output.record for output in worker.sent if isinstance(output.record, Sample))
    assert [span.model for span in sample.sequences[0].responses] == ["policy-acme"]


def _sampled(model: str, version: int) -> Sequence:
    return a_sequence([1], [2, 3], version=version, model=model)


def test_an_observation_follows_the_last_answer_before_it_once_all_steps_before_it_are_known() -> None:
    worker = Worker()
    worker.taken(a_feedback("observed", detail_json='{"content": "the lamp is on"}'), now_ms=5)
    worker.trajectories.decide(6, lambda _: 4)
    assert worker.trajectories.due(lambda _: 4).outputs == []
    worker.taken(*a_tree([None, 0]), a_step(step_id="side", turn_type="side"), now_ms=6)
    worker.tick(7)
    (seen,) = [o.record for o in worker.sent if isinstance(o.record, NextState) and o.record.kind == "observed"]
    assert (seen.step_id, seen.messages_json) == ("s1", '[{"role":"observation","content":"the lamp is on"}]')
    worker.tick(8)
    assert len([o for o in worker.sent if isinstance(o.record, NextState) and o.record.kind == "observed"]) == 1


KINDS = ("opened", "rewarded", "completed", "aborted", "observed", "curated")


@st.composite
def histories(draw: st.DrawFn) -> tuple[list[Step], list[Any]]:
    """Steps of some trajectories, and those steps and feedback as they are read: interleaved, some again."""
    steps, topics = list[Step](), (list[Any](), list[Any]())
    for number in range(draw(st.integers(1, 3))):
        name = f"t{number}"
        count = draw(st.integers(1, 4))
        parents = [draw(st.none() | st.integers(0, entry - 1)) if entry else None for entry in range(count)]
        own = a_tree(parents, trajectory_id=name, group_id=f"g{number % 2}")
        tokens = {step.step_id: f"{name}-{step.step_id}" for step in own}
        steps += [_renamed(step, tokens) for step in own]
        kinds = draw(st.lists(st.sampled_from(KINDS), max_size=3))
        detail = '{"trainable": false}'
        said = [
            a_feedback(
                kind,
                trajectory_id=name,
                group_id=f"g{number % 2}",
                reward=draw(st.none() | st.floats(-1, 1)),
                step_id=draw(st.none() | st.sampled_from([step.step_id for step in steps])),
                detail_json=detail if kind == "curated" else None,
            )
            for kind in kinds
        ]
        topics[1].extend(said)
    topics[0].extend(steps)
    return steps, _read(draw, *topics)


def _renamed(step: Step, names: dict[str, str]) -> Step:
    prefix = step.prompt_prefix
    continued = replace(prefix, step_id=names[prefix.step_id]) if prefix else None
    return replace(step, step_id=names[step.step_id], prompt_prefix=continued)


def _read(draw: st.DrawFn, *topics: list[Any]) -> list[Any]:
    """Each topic in its own order, going back now and then, as after a rebalance; None: time passes."""
    offsets, events = [0] * len(topics), list[Any]()
    while any(offset < len(topic) for offset, topic in zip(offsets, topics, strict=True)):
        open_topics = [n for n, topic in enumerate(topics) if offsets[n] < len(topic)]
        chosen = draw(st.sampled_from(open_topics))
        events.append(topics[chosen][offsets[chosen]])
        offsets[chosen] += 1
        match draw(st.integers(0, 9)):
            case 0:
                again = draw(st.integers(0, offsets[chosen]))
                events += topics[chosen][again : offsets[chosen]]
            case 1:
                events.append(None)
    return events


@settings(max_examples=300)
@given(histories())
def test_every_step_ends_once_in_any_order_and_read_again(history: tuple[list[Step], list[Any]]) -> None:
    steps, events = history
    worker, now_ms = Worker(), 0
    for event in events:
        if event is None:
            now_ms += 30_000
            worker.tick(now_ms)
        else:
            worker.taken(event, now_ms=now_ms)
    worker.finish(now_ms + LONG_MS)
    assert worker.ends() == Counter(step.step_id for step in steps)
    spans = [r for o in worker.sent if isinstance(o.record, Sample) for s in o.record.sequences for r in s.responses]
    sampled = {s.sample_id: s for o in worker.sent if isinstance(s := o.record, Sample)}
    assert {r.step_id for r in spans} == {step_id for s in sampled.values() for step_id in s.step_ids}
