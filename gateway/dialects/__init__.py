"""Dialects: how agents ask and how they are answered, each translated to and from what a node speaks."""
