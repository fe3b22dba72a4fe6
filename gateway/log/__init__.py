"""Writing to the log, and to the blob store beside it."""
