"""What pages share."""

from dataclasses import dataclass, field

from clawstream.console.access.sessions import Session, Sessions
from clawstream.console.gateway import Gateway
from clawstream.console.index.filling import Progress
from clawstream.console.index.reading import Reading
from clawstream.console.index.store import Index
from clawstream.console.pulse import Pulse
from clawstream.console.settings import ConsoleSettings
from clawstream.console.stories.decoding import Decoder
from clawstream.streams.settings import KafkaSettings


@dataclass(kw_only=True)
class Console:
    """One running console."""

    settings: ConsoleSettings
    kafka: KafkaSettings
    index: Index
    gateway: Gateway
    sessions: Sessions
    decoder: Decoder
    pulse: Pulse
    progress: Progress = field(default_factory=lambda: Progress(0, 0))

    def reading(self, session: Session) -> Reading:
        """Questions to the index, in the name of the session's tenant."""
        return Reading(self.index, session.tenant)

    def is_operator(self, session: Session) -> bool:
        """May the session's tenant see what belongs to no tenant?"""
        return session.tenant in {name.strip() for name in self.settings.operators.split(",")}
