"""Clients of a cluster's administration, topics as they are there, and patience while it elects leaders."""
