"""How far everybody is behind: consumer groups in records and seconds, rollout nodes in policy versions.

Invariant: read from the cluster alone, in no group, so that it is true also where processes are dead; and a group is
shown for the topics that it has ever committed in or is reading now, so neither one that stopped long ago nor one that
never got going is forgotten.
"""

from collections.abc import Mapping
from datetime import UTC, datetime

import confluent_kafka as kafka
import msgspec

from clawstream.schemas import NodeStatus
from clawstream.streams.cluster.clients import admin_client
from clawstream.streams.errors import KafkaUnreachableError
from clawstream.streams.lag.groups import LagReader
from clawstream.streams.reading.consumer import FOLLOWING, read_all
from clawstream.streams.settings import KafkaSettings
from clawstream.topics import CATALOGUE, NODES, WEIGHTS

_TIMEOUT_SECONDS = 10.0

Place = tuple[str, int]  # topic by its bare name, partition


class Behind(msgspec.Struct, frozen=True, kw_only=True):
    """A consumer group on one partition."""

    group: str
    topic: str
    partition: int
    committed: int  # next offset that it will take
    end: int  # next offset that will be written
    records: int  # between them
    seconds: float  # age of the oldest record between them; 0.0: there is none
    oldest: datetime | None  # when that was written


class NodeBehind(msgspec.Struct, frozen=True, kw_only=True):
    """A rollout node that serves an older policy than the newest one, or the newest."""

    node: str
    model: str
    health: str
    version: int
    newest: int
    versions: int  # between them
    silent_seconds: float  # since it last said something


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """Everybody."""

    groups: list[Behind]
    nodes: list[NodeBehind]


class Onlooker:
    """Asks one cluster; keep it, since connections cost some milliseconds."""

    def __init__(self, settings: KafkaSettings) -> None:
        self._settings = settings
        self._reader, self._admin = LagReader(settings), admin_client(settings.client())

    def report(self) -> Report:
        """How it is now. Raises ``KafkaUnreachableError``."""
        now = datetime.now(UTC)
        return Report(groups=self._groups(now), nodes=nodes_behind(*self._newest(), now))

    def _groups(self, now: datetime) -> list[Behind]:
        found = list[tuple[str, Place, int, int]]()
        ends = self._reader.ends(CATALOGUE)
        for group in self._group_names():
            names = {name for name, offsets in self._reader.committed(group, CATALOGUE).items() if offsets}
            names |= self._assigned(group)
            topics = [topic for topic in CATALOGUE if topic.name in names]
            for name, starts in self._reader.starts(group, topics).items():
                found += [(group, (name, number), start, ends[name][number]) for number, start in starts.items()]
        written = {
            (place, start): self._written_at(place, start)
            for place, start in {(place, start) for _, place, start, end in found if start < end}
        }
        return [
            _behind(group, place, start, end, written.get((place, start)), now) for group, place, start, end in found
        ]

    def _group_names(self) -> list[str]:
        try:
            listed = self._admin.list_consumer_groups(request_timeout=_TIMEOUT_SECONDS).result().valid
        except kafka.KafkaException as error:
            raise KafkaUnreachableError(f"consumer groups are not known: {error.args[0]}") from error
        prefix = self._settings.topic_prefix
        return sorted(each.group_id.removeprefix(prefix) for each in listed if each.group_id.startswith(prefix))

    def _assigned(self, group: str) -> set[str]:
        """Topics that the members of ``group`` read, which may never have committed yet."""
        name, prefix = self._settings.name(group), self._settings.topic_prefix
        try:
            described = self._admin.describe_consumer_groups([name], request_timeout=_TIMEOUT_SECONDS)[name].result()
        except kafka.KafkaException as error:
            raise KafkaUnreachableError(f"the members of {name} are not known: {error.args[0]}") from error
        places = [place for member in described.members for place in member.assignment.topic_partitions]
        return {place.topic.removeprefix(prefix) for place in places}

    def _written_at(self, place: Place, offset: int) -> datetime | None:
        """When the first record from ``offset`` on was written."""
        client = kafka.Consumer(self._settings.client() | FOLLOWING)
        try:
            client.assign([kafka.TopicPartition(self._settings.name(place[0]), place[1], offset)])
            message = client.poll(_TIMEOUT_SECONDS)
        finally:
            client.close()
        if message is None or message.error() is not None:
            return None
        return datetime.fromtimestamp(message.timestamp()[1] / 1000, UTC)

    def _newest(self) -> tuple[Mapping[str, int], list[NodeStatus]]:
        versions = dict[str, int]()
        for weights in read_all(self._settings, WEIGHTS):
            versions[weights.model] = weights.version  # the newest announcement counts, also of a rollback
        statuses = {status.node: status for status in read_all(self._settings, NODES)}
        return versions, [statuses[node] for node in sorted(statuses)]


def nodes_behind(newest: Mapping[str, int], statuses: list[NodeStatus], now: datetime) -> list[NodeBehind]:
    """Of each node that has not stopped: how far it is behind ``newest``, by model. Pure."""
    return [
        NodeBehind(
            node=status.node,
            model=status.model,
            health=status.health,
            version=status.version,
            newest=newest.get(status.model, status.version),
            versions=max(0, newest.get(status.model, status.version) - status.version),
            silent_seconds=max(0.0, (now - status.at).total_seconds()),
        )
        for status in statuses
        if status.health != "stopped"
    ]


def _behind(group: str, place: Place, start: int, end: int, oldest: datetime | None, now: datetime) -> Behind:
    return Behind(
        group=group,
        topic=place[0],
        partition=place[1],
        committed=start,
        end=end,
        records=max(0, end - start),
        seconds=0.0 if oldest is None else max(0.0, (now - oldest).total_seconds()),
        oldest=oldest,
    )
