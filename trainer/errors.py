"""Why a trainer stops. None of these is mended by trying the same again."""


class TrainerError(Exception):
    """The trainer cannot start or go on; the message says what to change."""

    retriable = False


class DivergedError(TrainerError):
    """A loss or a gradient is not finite: the update is neither checkpointed nor announced."""
