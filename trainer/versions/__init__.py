"""Versions on disk and their announcements."""
