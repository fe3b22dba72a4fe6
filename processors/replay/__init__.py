"""History again: through reward processors, or as it is, to the terminal or into topics of its own."""
