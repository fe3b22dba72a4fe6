"""What a worker keeps: states and records in tables, and the changelogs that these come back from."""
