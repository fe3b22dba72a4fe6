"""The reference pages: file name, and what writes it."""

from collections.abc import Callable

from clawstream.cli.reference.commands import commands
from clawstream.cli.reference.configuration import configuration
from clawstream.cli.reference.metrics import metrics
from clawstream.cli.reference.topics import topics

PAGES: dict[str, Callable[[], str]] = {
    "configuration.md": configuration,
    "commands.md": commands,
    "topics.md": topics,
    "metrics.md": metrics,
}
