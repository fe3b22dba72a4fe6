"""What a small loop leaves in its topics: agents that learn to use a calculator, over six versions of a policy."""

import json
import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

from clawstream.schemas import (
    Discard,
    GroupStatistics,
    NextState,
    NodeStatus,
    PolicySpan,
    PromptPrefix,
    Record,
    Rejection,
    ResponseSpan,
    Reward,
    Sample,
    Sequence,
    Step,
    UpdateReport,
    Validation,
    Vote,
    pack_logprobs,
    unpack_logprobs,
)
from clawstream.topics import CATALOGUE
from tests.builders import a_feedback, a_reward, a_step, a_trajectory, a_version

VERSIONS, GROUPS, MEMBERS = 6, 2, 4
_ASKED = (
    "<|im_start|>system\nUse the calculator.<|im_end|>\n"
    "<|im_start|>user\nWhat is {task}?<|im_end|>\n<|im_start|>assistant\n"
)
_CALLED = '<tool_call>\n{{"name": "calc", "arguments": {{"expression": "{task}"}}}}\n</tool_call><|im_end|>'
_TOLD = "\n<|im_start|>tool\n{result}<|im_end|>\n<|im_start|>assistant\n"
_ANSWERED = "The answer is {result}.<|im_end|>"
_TOPICS = {topic.record: topic for topic in CATALOGUE}


def make_tokenizer(folder: Path) -> Tokenizer:
    """A byte-level BPE of these conversations, also as a model's folder has it."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=400,
        special_tokens=["<|im_start|>", "<|im_end|>"],
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    tokenizer.train_from_iterator([_ASKED, _CALLED, _TOLD, _ANSWERED], trainer)
    tokenizer.save(str(folder / "tokenizer.json"))
    return tokenizer


def a_loop(tokenizer: Tokenizer) -> Iterator[tuple[Any, Record]]:
    """The records, each with its topic. The last group has ended and is not closed."""
    for record in _records(tokenizer):
        yield _TOPICS[type(record)], record


def _records(tokenizer: Tokenizer) -> Iterator[Record]:
    chance, began = random.Random(1), datetime.now(UTC).replace(microsecond=0) - timedelta(minutes=6 * VERSIONS)
    for version in range(VERSIONS):
        at, samples = began + timedelta(minutes=6 * version), list[Sample]()
        for group in range(GROUPS):
            for member in range(MEMBERS):
                is_good = chance.random() < 0.2 + 0.13 * version
                task = (f"{7 * version + 3} + {11 * group}", 7 * version + 3 + 11 * group)
                name = (f"sum-{version}-{group}-{member}", f"sum-{version}-{group}")
                for record in _trajectory(tokenizer, chance, name, task, version, at, is_good=is_good):
                    if isinstance(record, Sample):
                        if version == VERSIONS - 1 and group == GROUPS - 1:
                            continue
                        samples.append(record)
                    yield record
        if version < VERSIONS - 1:
            yield _update(version, [sample.sample_id for sample in samples], at + timedelta(seconds=40))
            yield a_version(version + 1, created_at=at + timedelta(seconds=41))
    for node, served in (("node-0", VERSIONS - 1), ("node-1", VERSIONS - 2)):
        yield NodeStatus(
            node=node,
            url="http://127.0.0.1:1",
            model="policy",
            version=served,
            health="ready",
            logprobs_mode="processed_logprobs",
            max_model_len=1024,
            at=datetime.now(UTC),
        )


def _trajectory(
    tokenizer: Tokenizer,
    chance: random.Random,
    name: tuple[str, str],
    task: tuple[str, int],
    version: int,
    at: datetime,
    *,
    is_good: bool,
) -> Iterator[Record]:
    said: dict[str, Any] = {"trajectory_id": name[0], "group_id": name[1]}
    call, answer = _turns(tokenizer, chance, said, task, version, at, is_good=is_good)
    yield a_feedback("opened", **said, at=at, channel="train")
    yield from (call, answer)
    about: dict[str, Any] = {"trajectory_id": name[0], "tenant": "default", "at": at + timedelta(seconds=2)}
    yield NextState(
        next_state_id=f"next-{call.step_id}", step_id=call.step_id, messages_json=answer.new_messages_json, **about
    )
    votes = [Vote(value=1.0, raw="The tool was called well. \\boxed{1}"), Vote(value=1.0 if is_good else -1.0, raw="…")]
    rewards = [
        a_reward(float(is_good), trajectory_id=name[0], at=at + timedelta(seconds=4)),
        Reward(
            **about | {"at": at + timedelta(seconds=5)},
            reward_id=f"judged-{answer.step_id}",
            step_id=answer.step_id,
            value=1.0 if is_good else -1.0,
            source="judge",
            kind="process",
            votes=votes,
            hint=None if is_good else "Report what the tool returned.",
        ),
    ]
    yield from rewards
    yield a_feedback("completed", **said, at=at + timedelta(seconds=4), reward=float(is_good))
    sequence = _sequence(call, answer, version)
    steps = [call.step_id, answer.step_id]
    closed_at = at + timedelta(seconds=6)
    yield a_trajectory(**said, opened_at=at, closed_at=closed_at, step_ids=steps, sequences=[sequence], rewards=rewards)
    if name[0].endswith("-3") and version % 2:
        why = {"reason": "reward_missing", "detail": "its trajectory closed (completed) without a reward of rule"}
        for step_id in steps:
            yield Rejection(
                rejection_id=f"r-{step_id}",
                step_id=step_id,
                channel="train",
                tenant="default",
                at=closed_at,
                **said,
                **why,
            )
        return
    mean = 0.2 + 0.13 * version
    yield Sample(
        **said,
        sample_id=f"sample-{name[0]}",
        tenant="default",
        agent="calculator",
        channel="train",
        step_ids=steps,
        sequences=[sequence],
        reward=float(is_good),
        rewards=rewards,
        group=GroupStatistics(size=4, expected_size=4, reward_mean=mean, reward_std=0.48, closed_by="complete"),
        logprobs_mode="processed_logprobs",
        ready_at=at + timedelta(seconds=8),
    )


def _turns(
    tokenizer: Tokenizer,
    chance: random.Random,
    said: dict[str, Any],
    task: tuple[str, int],
    version: int,
    at: datetime,
    *,
    is_good: bool,
) -> tuple[Step, Step]:
    result = task[1] if is_good else task[1] + 1

    def step(asked: str, answered: str, seconds: int, **fields: Any) -> Step:
        response = tokenizer.encode(answered).ids
        logprobs = pack_logprobs([-abs(chance.gauss(0, 1.4 - 0.2 * version)) for _ in response])
        moment = at + timedelta(seconds=seconds)
        times = {"received_at": moment, "finished_at": moment + timedelta(seconds=1)}
        return a_step(
            tokenizer.encode(asked).ids,
            response,
            version,
            response_logprobs=logprobs,
            agent="calculator",
            **said,
            **times,
            **fields,
        )

    arguments = json.dumps({"expression": task[0]})
    tool = [{"id": "c1", "type": "function", "function": {"name": "calc", "arguments": arguments}}]
    asked = [{"role": "system", "content": "Use the calculator."}, {"role": "user", "content": f"What is {task[0]}?"}]
    call = step(
        _ASKED.format(task=task[0]),
        _CALLED.format(task=task[0]),
        0,
        new_messages_json=json.dumps(asked),
        text="",
        reasoning="The calculator can tell.",
        tool_calls_json=json.dumps(tool),
        finish_reason="tool_calls",
    )
    count = (len(call.prompt_tokens) + len(call.response_tokens)) // 4
    answer = step(
        _TOLD.format(result=task[1]),
        _ANSWERED.format(result=result),
        2,
        prompt_prefix=PromptPrefix(step_id=call.step_id, token_count=count, sha256="0" * 64),
        new_messages_json=json.dumps([{"role": "tool", "tool_call_id": "c1", "content": str(task[1])}]),
        text=f"The answer is {result}.",
    )
    return call, answer


def _sequence(call: Step, answer: Step, version: int) -> Sequence:
    spans, logprobs, tokens = list[ResponseSpan](), list[float](), b""
    for step in (call, answer):
        logprobs += [0.0] * (len(step.prompt_tokens) // 4)
        start = len(logprobs)
        logprobs += unpack_logprobs(step.response_logprobs).tolist()
        spans.append(ResponseSpan(step_id=step.step_id, start=start, end=len(logprobs), temperature=1.0))
        tokens += step.prompt_tokens + step.response_tokens
    versions = [PolicySpan(version=version, start=0, end=len(logprobs))]
    return Sequence(tokens=tokens, logprobs=pack_logprobs(logprobs), responses=spans, policy_spans=versions)


def _update(version: int, sample_ids: list[str], at: datetime) -> UpdateReport:
    return UpdateReport(
        update_id=f"update-{version + 1}",
        model="policy",
        version=version + 1,
        parent=version,
        algorithm="grpo",
        at=at,
        sample_ids=sample_ids[:-1],
        discarded=[Discard(sample_id=sample_ids[-1], reason="stale: 5 versions behind, at most 4 train")],
        response_token_count=40 * len(sample_ids),
        reward_mean=0.2 + 0.13 * version,
        policy_lag_mean=0.3,
        policy_lag_max=1,
        consumer_lag_records=3 - version % 3,
        seconds=1.9,
        metrics={
            "policy_loss": 0.01 * version,
            "entropy": 1.2 - 0.14 * version,
            "kl_prox_behaviour": 0.002 + 0.001 * version,
            "kl_update": 0.004 + 0.0005 * version,
            "clip_fraction": 0.03,
            "grad_norm": 0.8,
        },
        objective="group advantage, clipped, token-mean, tis",
        publish_lag_versions=version % 2,
        validations=[Validation(version=version, sample_ids=[], reward_mean=0.18 + 0.14 * version, reward_std=0.4)],
    )
