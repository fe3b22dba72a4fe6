"""The index: an SQLite file of what the topics say, thrown away and built again at will."""
