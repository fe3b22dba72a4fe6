"""Typed records into topics, acknowledged by all replicas; dead letters for what could not be read."""
