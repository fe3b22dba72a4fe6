"""Kafka I/O for every app: typed producers and consumers, dead letters, settings, metrics, logging, shutdown."""
