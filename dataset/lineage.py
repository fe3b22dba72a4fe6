"""What came of a step: the datasets that hold it, the samples it is in, the updates that trained those.

Invariant: everything is looked up where it is recorded: in the datasets' own files and in the topics.
"""

from collections.abc import Iterator
from pathlib import Path

from clawstream.dataset.manifest import read_manifest
from clawstream.dataset.parquet import read_columns
from clawstream.dataset.planning import all_versions
from clawstream.streams.reading.consumer import Follower
from clawstream.streams.settings import KafkaSettings
from clawstream.topics import SAMPLES, UPDATES


def in_datasets(step_id: str, root: Path) -> Iterator[str]:
    """A line for each row below ``root`` that holds the step."""
    for folder in all_versions(root):
        for file in read_manifest(folder).built.files:
            columns = ("row_id", "trajectory_id", "sources", "responses")
            for number, row in enumerate(read_columns(folder / file.path, columns)):
                if all(source["step_id"] != step_id for source in row["sources"]):
                    continue
                trains = any(span["step_id"] == step_id for span in row["responses"])
                what = "sampled there" if trains else "context of what was sampled there"
                name = f"{folder.parent.name}/{folder.name}"
                yield f"dataset  {name}  {file.path}, row {number}: trajectory {row['trajectory_id']}, {what}"


def in_updates(step_id: str, kafka: KafkaSettings) -> Iterator[str]:
    """A line for each sample with the step, and for each update that trained or discarded one."""
    sample_ids = dict[str, None]()
    samples, updates = Follower(kafka, SAMPLES), Follower(kafka, UPDATES)
    try:
        for sample in samples.to_end():
            if step_id in sample.record.step_ids and sample.record.sample_id not in sample_ids:
                sample_ids[sample.record.sample_id] = None
                yield f"sample   {sample.record.sample_id}  reward {sample.record.reward:g}"
        for update in updates.to_end():
            report = update.record
            for trained in sample_ids.keys() & set(report.sample_ids):
                yield f"update   {report.update_id}  version {report.version} of {report.model} trained {trained}"
            for discard in report.discarded:
                if discard.sample_id in sample_ids:
                    yield f"update   {report.update_id}  discarded {discard.sample_id}: {discard.reason}"
    finally:
        samples.close()
        updates.close()
