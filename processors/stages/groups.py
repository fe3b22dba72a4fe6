"""Trajectories become groups, and groups samples: the stage over its table."""

from functools import partial

from msgspec.structs import replace

from clawstream.processors.metrics import TOO_LATE
from clawstream.processors.readiness import grouping
from clawstream.processors.readiness.grouping import GroupState, member_name
from clawstream.processors.readiness.output import Output
from clawstream.processors.stages.stage import Due, Stage
from clawstream.processors.tables.kept import key_of
from clawstream.schemas import Trajectory, encode
from clawstream.schemas.reading.sequences import sampled_by


class Groups(Stage[GroupState, Trajectory]):
    """Trajectories become groups, and groups samples."""

    def on_trajectory(self, trajectory: Trajectory, raw: bytes, now_ms: int) -> Due:
        """Take a closed trajectory."""
        if self._settings.ready == "step":
            return Due()  # its steps were ready one by one
        alone = [trajectory.trajectory_id] if self._settings.ready == "trajectory" else []
        key = key_of(trajectory.group_id, trajectory.tenant, trajectory.channel, *alone)
        before = self.kept.get(key)
        if trajectory.amends:
            return self._amended(key, before, trajectory)
        after, outputs = grouping.on_trajectory(before, trajectory, now_ms, self._settings)
        return self._taken(key, before, after, outputs, member_name(trajectory), raw, trajectory)

    def _amended(self, key: bytes, state: GroupState | None, amendment: Trajectory) -> Due:
        """Rewards and exclusions join the member while its group is open; the same again changes nothing."""
        name = member_name(amendment)
        if state is None or state.closed_ms is not None or name not in state.member_names:
            TOO_LATE.inc()
            return Due()
        (member,) = self.kept.payloads(key, (name,))
        merged = encode(grouping.amended(member, amendment))
        return Due(keep=[partial(self.kept.put_payload, key, name, merged)])

    def closing_reason(self, state: GroupState, now_ms: int, settled_ms: int) -> str | None:
        """As in ``grouping``."""
        return grouping.closing_reason(state, now_ms, settled_ms, self._settings)

    def look_again_ms(self, state: GroupState, now_ms: int, _settled_ms: int) -> int:
        """Its deadline."""
        return max(now_ms, state.first_arrival_ms + round(1000 * self._settings.group_deadline_seconds))

    def _decided(self, key: bytes, state: GroupState) -> GroupState:
        """With the newest version of each model that sampled something of it."""
        if not self.newest:
            return state
        members = self.kept.payloads(key, state.names)
        models = {model for member in members for sequence in member.sequences for _, model, _ in sampled_by(sequence)}
        return replace(state, newest={model: self.newest[model] for model in sorted(models & self.newest.keys())})

    def close(self, key: bytes, state: GroupState, records: list[Trajectory]) -> tuple[GroupState, list[Output]]:  # noqa: ARG002
        """As in ``grouping``."""
        return grouping.close(state, records, self._settings)
