"""A call from its admission to the step that it leaves in the log."""
