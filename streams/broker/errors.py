"""Why a local broker cannot run."""

from clawstream.streams.errors import StreamError


class BrokerError(StreamError):
    """The local broker cannot start or go on; the message is one sentence for the user. Retrying does not help."""
