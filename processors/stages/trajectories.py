"""Steps, feedback and what reward processors give become trajectories: the stage over its table."""

from collections.abc import Sequence
from functools import partial

from msgspec.structs import replace

from clawstream.processors.joins.next_states import reply
from clawstream.processors.readiness import amending, assembly, closing, ending, jobs, live
from clawstream.processors.readiness.assembly import TrajectoryState, next_state_name, score_name
from clawstream.processors.readiness.jobs import Job
from clawstream.processors.readiness.output import Output
from clawstream.processors.rewards.scorer import Scorer
from clawstream.processors.rewards.subjects import Episode, Reaction, Subject, turns_of
from clawstream.processors.settings import ProcessorsSettings
from clawstream.processors.stages.stage import Due, Settled, Stage
from clawstream.processors.tables.kept import Kept, key_of, owner_of
from clawstream.schemas import Feedback, NextState, Reward, Step, decode, encode
from clawstream.schemas.reading.fields import json_object
from clawstream.topics import REWARDS


class Trajectories(Stage[TrajectoryState, Step]):
    """Steps and feedback become trajectories."""

    def __init__(
        self, kept: Kept[TrajectoryState, Step], settings: ProcessorsSettings, scorers: Sequence[Scorer] = ()
    ) -> None:
        super().__init__(kept, settings)
        self._scorers = scorers
        self._jobs: list[tuple[bytes, Job]] = []
        self._keeps_next_states = any(scorer.over == "next_state" for scorer in scorers)

    def on_step(self, step: Step, raw: bytes, now_ms: int) -> Due:
        """Take a step."""
        key = key_of(step.trajectory_id, step.tenant)
        before = self.kept.get(key)
        after, outputs = assembly.on_step(
            before, step, now_ms, lambda: self.kept.payloads(key, before.step_ids) if before else []
        )
        due = self._taken(key, before, after, outputs, step.step_id, raw, step)
        self._keep_next_states(key, after, due)
        return due

    def on_feedback(self, feedback: Feedback, now_ms: int) -> Due:
        """Take a statement."""
        key = key_of(feedback.trajectory_id, feedback.tenant)
        before = self.kept.get(key)
        after, outputs = assembly.on_feedback(before, feedback, now_ms)
        if after is before:
            return Due()
        if after.closed_ms is not None and self._settings.late == "amend":
            after, amendments = amending.amended(after, feedback)
            outputs = [*outputs, *amendments]
        due = Due(outputs=outputs)
        self._keep_next_states(key, after, due)
        due.keep.append(partial(self.kept.put, key, after))
        return due

    def on_score(self, key: bytes, reward: Reward) -> Due:
        """Take what a reward processor gave. It may not be given twice alike, so it is kept before it is sent."""
        before = self.kept.get(key)
        if before is None:
            return Due()
        if before.closed_ms is not None:
            amends = self._settings.late == "amend"
            return Due(outputs=amending.scored_late(before, reward) if amends else [Output(REWARDS, reward)])
        after, outputs = assembly.on_score(before, reward)
        if after is not before:
            self.kept.put_payload(key, score_name(reward.reward_id), encode(reward))
            self.kept.put(key, after)
        return Due(outputs=outputs)

    def unsent(self) -> list[Output]:
        """Rewards of open trajectories that were kept, perhaps without being sent."""
        kept = (self._scores(key, state) for key, state in self.kept.open_items())
        return [Output(REWARDS, reward) for rewards in kept for reward in rewards.values()]

    def take_jobs(self) -> list[tuple[bytes, Job]]:
        """What reward processors have still to look at, of what ``decide`` has looked at."""
        jobs, self._jobs = self._jobs, []
        return jobs

    def subject(self, key: bytes, job: Job) -> Subject | None:
        """What ``job`` is about; None when it is not here any more."""
        state = self.kept.get(key)
        if state is None or state.closed_ms is not None:
            return None
        if job.step_id is None:
            return self._episode(key, state, job.ended_by or "")
        turn = turns_of(self._chain(key, job.step_id), state.metadata_json).get(job.step_id)
        if turn is None or job.next_state_id is None:
            return turn
        next_state = self._next_state(key, state, job.next_state_id)
        if next_state is None:
            return None
        return Reaction(
            trajectory_id=turn.trajectory_id,
            group_id=turn.group_id,
            tenant=turn.tenant,
            metadata=turn.metadata,
            turn=turn,
            next_state=next_state,
        )

    def closing_reason(self, state: TrajectoryState, now_ms: int, settled_ms: int) -> str | None:
        """As in ``ending``."""
        return ending.closing_reason(state, now_ms, settled_ms, self._settings, self._scorers)

    def look_again_ms(self, state: TrajectoryState, now_ms: int, settled_ms: int) -> int:
        """As in ``ending``."""
        return ending.look_again_ms(state, now_ms, settled_ms, self._settings)

    def _looked_at(self, key: bytes, state: TrajectoryState, now_ms: int, settled_ms: int) -> TrajectoryState:
        """Also what reward processors must look at, and which steps are ready by themselves."""
        if self._scorers:
            over = ending.ending(state, now_ms, settled_ms, self._settings)
            wanted = jobs.of_steps(state, self._scorers)
            if over is not None and over.reason != "aborted":
                wanted += jobs.of_whole(state, self._scorers, over.reason)
                if state.asked_ms < over.since_ms:
                    state = replace(state, asked_ms=now_ms)
                    self.kept.put(key, state)
            self._jobs += [(key, job) for job in wanted]
        if self._settings.ready == "step":
            decided = live.decided(state, partial(self._newest_for, key), self._settings, self._scorers)
            if decided is not state and self._is_whole(key, state):
                self.kept.put(key, decided)
                state = decided
        if state.observed or state.sampled < len(state.decided):
            self._ripe[key] = None
        return state

    def _newest_for(self, key: bytes, step_id: str) -> int | None:
        """The newest version of the model that sampled the step."""
        steps = self.kept.payloads(key, (step_id,)) if self.newest else []
        return self.newest.get(steps[0].model) if steps else None

    def _put_out_open(self, key: bytes, state: TrajectoryState, due: Due, settled: Settled) -> None:
        """Steps that are ready by themselves, and the next states of observations that named no step."""
        changed, taken = state, Due()
        if state.sampled < len(state.decided):
            taken.outputs += self._samples(key, state)
            changed = replace(changed, sampled=len(state.decided))
        if state.observed and (settled_ms := settled(owner_of(key))) is not None:
            changed, outputs = assembly.attribute(changed, settled_ms)
            taken.outputs += outputs
            self._keep_next_states(key, changed, taken)
        due.outputs += taken.outputs
        if changed is not state:
            due.keep += [*taken.keep, partial(self.kept.put, key, changed)]

    def close(self, key: bytes, state: TrajectoryState, records: list[Step]) -> tuple[TrajectoryState, list[Output]]:
        """As in ``closing``."""
        samples = self._samples(key, state)
        closed, outputs = closing.close(state, records, self._rewards(key, state), self._settings)
        return closed, [*samples, *outputs]

    def _samples(self, key: bytes, state: TrajectoryState) -> list[Output]:
        """Of the steps that were decided on and are not put out."""
        outputs, rewards = list[Output](), self._rewards(key, state) if state.sampled < len(state.decided) else []
        for decision in state.decided[state.sampled :]:
            own = [reward for reward in rewards if reward.reward_id in decision.reward_ids]
            chain = self._chain(key, decision.step_id)
            outputs += live.put_out(state, decision, chain, own, self._settings)
        return outputs

    def _rewards(self, key: bytes, state: TrajectoryState) -> list[Reward]:
        """All rewards, with the teacher's log-probabilities and without what judges wrote."""
        whole = self._scores(key, state) if state.scored_ids else {}
        return [
            replace(reward, teacher_logprobs=whole[reward.reward_id].teacher_logprobs)
            if reward.reward_id in whole
            else reward
            for reward in state.rewards
        ]

    def _scores(self, key: bytes, state: TrajectoryState) -> dict[str, Reward]:
        found = {reward_id: self.kept.payload(key, score_name(reward_id)) for reward_id in state.scored_ids}
        return {reward_id: decode(data, Reward) for reward_id, data in found.items() if data is not None}

    def _keep_next_states(self, key: bytes, state: TrajectoryState, due: Due) -> None:
        """What followed a step stays beside it for those who score it."""
        if not self._keeps_next_states or state.closed_ms is not None:
            return
        for output in due.outputs:
            if isinstance(output.record, NextState):
                name = next_state_name(output.record.next_state_id)
                due.keep.insert(0, partial(self.kept.put_payload, key, name, encode(output.record)))

    def _next_state(self, key: bytes, state: TrajectoryState, next_state_id: str) -> NextState | None:
        """As it was kept, or as it follows from the steps where a crash came between two tables."""
        data = self.kept.payload(key, next_state_name(next_state_id))
        if data is not None:
            return decode(data, NextState)
        steps = self.kept.payloads(key, state.step_ids)
        found = (reply(step, steps[:number]) for number, step in enumerate(steps))
        return next((one for one in found if one is not None and one.next_state_id == next_state_id), None)

    def _episode(self, key: bytes, state: TrajectoryState, ended_by: str) -> Episode:
        steps = self.kept.payloads(key, state.step_ids)
        return Episode(
            trajectory_id=state.trajectory_id,
            group_id=state.group_id,
            tenant=state.tenant,
            metadata=json_object(state.metadata_json),
            channel=state.channel or steps[0].channel,
            agent=state.agent,
            ended_by=ended_by,
            ended_at=state.last_event_at,
            turns=list(turns_of(steps, state.metadata_json).values()),
            rewards=state.rewards,
        )

    def _chain(self, key: bytes, step_id: str) -> list[Step]:
        """The steps that ``step_id`` goes on from, and itself; from where on they are known."""
        found, wanted = list[Step](), (step_id,)
        while records := self.kept.payloads(key, wanted):
            found.append(records[0])
            prefix = records[0].prompt_prefix
            if prefix is None:
                break
            wanted = (prefix.step_id,)
        return found[::-1]
