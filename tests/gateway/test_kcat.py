"""kcat reads our topics as they are, and what it needs to decode them is at the gateway.

Debian's kcat is built without Avro. One that has it asks the registry for the schema of the id in a record's first five
bytes, as is done here with what kcat has read.
"""

import io
import json
import struct
import subprocess

import fastavro
import pytest

from clawstream.schemas import Feedback, Step, encode
from clawstream.streams.settings import KafkaSettings
from clawstream.streams.writing.producer import Producer
from clawstream.topics import FEEDBACK, STEPS, Topic
from tests.builders import a_feedback, a_step
from tests.gateway.harness import gateway

pytestmark = pytest.mark.kafka


def kcat(kafka: KafkaSettings, topic: Topic[Step] | Topic[Feedback], *arguments: str) -> bytes:
    """What kcat prints of a topic, from its beginning to its end."""
    reading = ("kcat", "-C", "-q", "-e", "-o", "beginning", "-b", kafka.bootstrap_servers, "-t", kafka.name(topic.name))
    return subprocess.run((*reading, *arguments), capture_output=True, check=True, timeout=60).stdout


async def test_kcat_reads_topics_and_the_registry_has_their_schemas(kafka: KafkaSettings) -> None:
    step, feedback = a_step(trajectory_id="t1", text="žluť"), a_feedback(trajectory_id="t1", reward=0.5)
    producer = Producer(kafka, "test")
    producer.send(STEPS, step).result(30)
    producer.send(FEEDBACK, feedback).result(30)
    producer.close()
    async with gateway(kafka) as client:
        for topic, record in ((STEPS, step), (FEEDBACK, feedback)):
            key, _, value = kcat(kafka, topic, "-f", "%k\\n%s").partition(b"\n")
            assert (key, value) == (b"t1", encode(record))
            magic, schema_id = struct.unpack(">bI", value[:5])
            assert magic == 0
            status, found = await client.get(f"/registry/schemas/ids/{schema_id}")
            assert (status, list(found)) == (200, ["schema"])
            schema = fastavro.parse_schema(json.loads(found["schema"]))
            decoded = fastavro.schemaless_reader(io.BytesIO(value[5:]), schema, None)
            assert decoded["trajectory_id"] == "t1"
            assert decoded.get("text") == getattr(record, "text", None)
            assert decoded.get("reward") == getattr(record, "reward", None)
