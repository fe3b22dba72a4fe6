from pathlib import Path

import pytest

from clawstream.gateway.callers.keys import digest_of, new_key
from clawstream.streams.settings import KafkaSettings
from tests.gateway.harness import gateway

pytestmark = pytest.mark.kafka


async def test_a_key_says_whose_it_is(kafka: KafkaSettings, tmp_path: Path) -> None:
    key, file = new_key(), tmp_path / "keys.toml"
    file.write_text(f'[acme]\nkeys = ["{digest_of(key)}"]\n')
    async with gateway(kafka, keys_file=file) as client:
        assert await client.get("/v1/tenant", {"Authorization": f"Bearer {key}"}) == (200, {"tenant": "acme"})
        assert (await client.get("/v1/tenant"))[0] == 401
