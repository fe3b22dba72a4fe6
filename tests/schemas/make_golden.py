"""Writes golden bytes for committed schemas that have none yet: ``python -m tests.schemas.make_golden``."""

from pathlib import Path

import msgspec

from clawstream.schemas import (
    Discard,
    NextState,
    NodeStatus,
    PromptPrefix,
    Record,
    Rejection,
    UpdateReport,
    Validation,
    Vote,
    WeightVersion,
    encode,
    pack_logprobs,
)
from clawstream.schemas.registry import newest
from tests.builders import NOON, a_feedback, a_reward, a_sample, a_sequence, a_step, a_trajectory

GOLDEN = Path(__file__).parent / "golden"


def examples() -> list[Record]:
    """One record of each kind, with every kind of field filled."""
    fixed = "0190163d-8694-739b-aea5-966c26f8ad91"
    return [
        a_step(
            step_id=fixed,
            request_key=fixed,
            prompt_prefix=PromptPrefix(step_id="s0", token_count=7, sha256="ab" * 32),
            tools_json="[]",
            reasoning="because",
            untrainable_reason="length",
            trainable=False,
            branch_reason="edited: message 3 is an answer that no known step gave",
        ),
        a_feedback(feedback_id=fixed, channel="val", step_id="s1", reward=-0.5, group_size=8, detail_json='{"a": "ü"}'),
        NextState(
            next_state_id="n1",
            trajectory_id="t1",
            step_id="s1",
            tenant="default",
            messages_json="[1]",
            at=NOON,
            kind="observed",
        ),
        a_reward(
            None,
            reward_id=fixed,
            step_id="s1",
            kind="process",
            votes=[Vote(value=1.0, raw="+1")],
            hint="look",
            teacher_logprobs=pack_logprobs([-0.25]),
            unscored="1 of 3 votes could be read, 2 are needed",
        ),
        a_trajectory(
            sequences=[a_sequence([1, 2], [3, 4], model="policy-acme")],
            rewards=[a_reward(reward_id=fixed)],
            group_size=8,
            metadata_json="{}",
            amends=True,
            excluded_step_ids=["s0"],
        ),
        a_sample(
            sample_id=fixed,
            sequences=[a_sequence([1, 2], [3, 4], model="policy-acme")],
            rewards=[a_reward(reward_id=fixed)],
        ),
        Rejection(
            rejection_id="r1",
            trajectory_id="t1",
            step_id="s1",
            group_id="g1",
            tenant="default",
            channel="train",
            reason="late",
            detail="arrived 3 s after its trajectory closed",
            at=NOON,
        ),
        WeightVersion(
            model="policy",
            version=3,
            uri="file:///m/3",
            sha256="cd" * 32,
            parent=2,
            update_id="u3",
            created_at=NOON,
            base="whole",
            tenant="acme",
            retired=True,
            transfer="gloo://10.0.0.1:29500",
        ),
        NodeStatus(
            node="n1",
            url="http://127.0.0.1:8000",
            model="policy",
            version=3,
            health="ready",
            logprobs_mode="processed_logprobs",
            max_model_len=512,
            at=NOON,
            base="whole",
        ),
        UpdateReport(
            update_id="u3",
            model="policy",
            version=3,
            parent=2,
            algorithm="grpo",
            at=NOON,
            sample_ids=["a", "b"],
            discarded=[Discard(sample_id="c", reason="stale: 9 versions behind, 4 allowed")],
            response_token_count=12,
            reward_mean=0.5,
            policy_lag_mean=1.5,
            policy_lag_max=2,
            consumer_lag_records=40,
            seconds=1.25,
            metrics={"policy_loss": 0.125},
            objective="grpo: advantage group-normalised",
            publish_lag_versions=1,
            validations=[Validation(version=2, sample_ids=["v"], reward_mean=0.25, reward_std=0.0)],
        ),
    ]


def main() -> None:
    """Write what is missing; what exists is history and stays."""
    for record in examples():
        committed = newest()[type(record).__name__]
        stem = GOLDEN / f"{committed.name}.{committed.version}"
        if not stem.with_suffix(stem.suffix + ".hex").exists():
            Path(f"{stem}.hex").write_text(encode(record).hex() + "\n")
            Path(f"{stem}.json").write_bytes(msgspec.json.format(msgspec.json.encode(record)) + b"\n")


if __name__ == "__main__":
    main()
