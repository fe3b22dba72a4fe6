"""Weights that the trainer sends to nodes itself."""
