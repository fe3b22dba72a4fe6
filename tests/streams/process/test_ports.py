"""Which ports can be listened on."""

import socket

import pytest

from clawstream.streams.process.ports import PortError, free_port, listening, require_free


def test_a_free_port_is_free_and_no_clients_own() -> None:
    port = free_port()
    require_free(port)
    assert not listening(port)
    assert port < 32_768, "Linux takes outgoing ports from 32768 on"


@pytest.mark.parametrize("host", ["127.0.0.1", "0.0.0.0"])
def test_a_taken_port_is_refused(host: str) -> None:
    port = free_port()
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as other:
        other.bind((host, port))
        other.listen()
        assert listening(port)
        with pytest.raises(PortError, match=f"port {port} on 127.0.0.1 is taken; choose another with --port"):
            require_free(port)
