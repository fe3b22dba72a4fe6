"""What can go wrong with a dataset, in a sentence that a user can act on."""


class DatasetError(Exception):
    """A dataset that cannot be built, read or verified; retrying does not help."""
