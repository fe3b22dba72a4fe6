"""Admin clients that are never freed."""

from clawstream.streams.cluster.clients import admin_client


def test_a_cluster_has_one_client() -> None:
    here, there = ({"bootstrap.servers": f"127.0.0.1:{port}", "log_level": 0} for port in (1, 2))
    assert admin_client(here) is admin_client(dict(here)) is not admin_client(there)
