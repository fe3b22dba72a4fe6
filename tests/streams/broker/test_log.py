"""Which line of a log says why a broker ended."""

from pathlib import Path

from clawstream.streams.broker.log import last_error, written_since


def test_the_last_exception_says_most() -> None:
    text = (
        "2026-11-21 06:26:06 INFO Starting broker (BrokerServer)\n"
        "2026-11-21 06:26:07 ERROR Exiting Kafka due to fatal exception (Kafka$)\n"
        "java.lang.RuntimeException: it broke\n"
        "\tat kafka.Kafka.main(Kafka.java:1)\n"
        "Caused by: java.net.BindException: Address already in use\n"
        "\tat java.base/sun.nio.ch.Net.bind0(Native Method)\n"
        "2026-11-21 06:26:08 INFO shut down (BrokerServer)\n"
    )
    assert last_error(text) == "Caused by: java.net.BindException: Address already in use"


def test_else_the_last_error_else_the_last_line() -> None:
    assert last_error("a ERROR b\nc INFO d\n") == "a ERROR b"
    assert last_error("Error occurred during initialization of VM\nToo small heap\n").startswith("Error occurred")
    assert last_error("first\nlast\n\n") == "last"
    assert last_error("") == "it wrote nothing"


def test_only_what_is_new_is_read(tmp_path: Path) -> None:
    log = tmp_path / "log"
    assert written_since(log, 0) == ""
    log.write_text("old\nnew\n")
    assert written_since(log, 4) == "new\n"
    assert written_since(log, 100) == "old\nnew\n", "the file was rolled over"
