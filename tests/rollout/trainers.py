"""Trainers that answer a node that asks for weights, each in its way."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from clawstream.schemas.transfer import address
from clawstream.streams.process.ports import HOST


@contextmanager
def a_trainer_that_says(line: bytes | None) -> Iterator[str]:
    """Its address; ``None``: it says nothing. It answers once."""
    with socket.create_server((HOST, 0)) as listening:

        def answer() -> None:
            connection, _ = listening.accept()
            with connection:
                connection.recv(4096)
                if line is None:
                    connection.recv(1)
                else:
                    connection.sendall(line)

        thread = threading.Thread(target=answer)
        thread.start()
        yield address("gloo", HOST, listening.getsockname()[1])
        thread.join()
