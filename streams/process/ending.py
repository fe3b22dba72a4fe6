"""What a process's exit status says to who keeps it alive."""

FOR_GOOD = 3  # started again it would end again, until somebody has changed something; any other: start it again
