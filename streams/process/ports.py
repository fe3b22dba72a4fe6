"""Ports on the loopback interface: is one free, and which one is."""

import errno
import random
import socket

from clawstream.streams.errors import StreamError

HOST = "127.0.0.1"

# Below the range that systems take outgoing ports from. A client that keeps calling a stopped server's port inside that
# range at last gets it as its own outgoing port, connects to itself, and the server cannot come back.
_FREE_PORTS = range(20_000, 32_000)
_TRIES = 200


class PortError(StreamError):
    """A port cannot be listened on."""


def require_free(port: int) -> None:
    """Raise ``PortError`` when ``port`` cannot be listened on."""
    try:
        _bind(port)
    except OSError as error:
        why = "is taken" if error.errno == errno.EADDRINUSE else f"cannot be used ({error.strerror})"
        raise PortError(f"port {port} on {HOST} {why}; choose another with --port (0 picks a free one)") from error


def free_port(preferred: int | None = None) -> int:
    """``preferred`` when nobody listens on it right now, else another that is free."""
    candidates = random.sample(_FREE_PORTS, _TRIES)
    for port in candidates if preferred is None else [preferred, *candidates]:
        try:
            _bind(port)
        except OSError:
            continue
        return port
    raise PortError(f"none of {_TRIES} ports tried between {_FREE_PORTS.start} and {_FREE_PORTS.stop} is free")


def listening(port: int) -> bool:
    """Does a connection to ``port`` get through?"""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.settimeout(1.0)
        return probe.connect_ex((HOST, port)) == 0


def _bind(port: int) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        # as Java does: connections of an earlier broker that linger in TIME_WAIT do not count
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind((HOST, port))
        probe.listen()
