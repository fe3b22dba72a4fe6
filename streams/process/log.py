"""One line per event on stderr: time, level, app, message."""

import logging
import sys


def configure_logging(app: str, level: str = "INFO") -> None:
    """Send every logger's records of at least ``level`` to stderr, naming ``app``."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter(f"%(asctime)s %(levelname)-7s {app} %(message)s", "%H:%M:%S"))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    for chatty in ("httpx", "httpx2", "httpcore", "openai"):  # they log every request
        logging.getLogger(chatty).setLevel("WARNING")
