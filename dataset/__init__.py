"""Datasets from topics: exact, versioned, with provenance."""
