"""Typed records out of topics: consumer groups, ranges, history, bookmarks, a live tail, dead letters."""
