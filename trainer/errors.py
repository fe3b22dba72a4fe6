"""Why a trainer stops."""


class TrainerError(Exception):
    """The trainer cannot start or go on; the message says what to change."""

    retriable = False  # started again it would only end so again


class InTheWayError(TrainerError):
    """Another process, or a full disk, is in the way, and may be gone when the trainer is started again."""

    retriable = True


class RetiredError(TrainerError):
    """The model that it trains was taken from service: nothing is to be trained until somebody restores it."""


class DivergedError(TrainerError):
    """An update that must not be published: it is neither checkpointed nor announced."""

    def __init__(self, message: str, metrics: dict[str, float] | None = None) -> None:
        """``metrics``: of the update, as far as it came."""
        super().__init__(message)
        self.metrics = metrics or {}
