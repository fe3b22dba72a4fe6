"""What an agent, or who runs one, can be told. Each says whether trying again helps."""


class AgentError(Exception):
    """The message is a sentence for the user."""


class RefusedError(AgentError):
    """The gateway answered with an error; the same call would get the same answer."""

    def __init__(self, message: str, *, status: int, code: str | None = None) -> None:
        super().__init__(message)
        self.status, self.code = status, code


class UnavailableError(AgentError):
    """The gateway, or what is behind it, failed for as long as the client is patient. Trying again later may help."""


class EndedError(AgentError):
    """The trajectory was completed or aborted; another one has to be opened."""


class FlowError(AgentError):
    """There is no such flow, or it does not do what a flow has to. Trying again does not help."""


class TaskError(AgentError):
    """The task file cannot be used; the message names file and line. Trying again does not help."""
