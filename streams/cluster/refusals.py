"""Why Kafka does not let us in, as a sentence that names the setting to look at.

Invariant: asked only when Kafka does not answer, of a client of its own: others tell no reason, and try again for ever.
"""

import time
from collections.abc import Callable

import confluent_kafka as kafka

from clawstream.streams.cluster.clients import UNUSED
from clawstream.streams.settings import KafkaSettings

_LISTEN_SECONDS = 5.0  # a broker that has much to do takes its time to refuse
_POLL_SECONDS = 0.1


def refusal(settings: KafkaSettings, stopped: Callable[[], bool] = lambda: False) -> str | None:
    """What Kafka, or our TLS, says against these settings; None where nothing is said within some seconds, nobody is
    there, or ``stopped``."""
    heard: list[kafka.KafkaError] = []
    options: dict[str, object] = {"group.id": UNUSED, "error_cb": heard.append}
    client = kafka.Consumer(settings.client() | options)
    deadline = time.monotonic() + _LISTEN_SECONDS
    try:
        while time.monotonic() < deadline and not stopped():
            client.poll(_POLL_SECONDS)
            for error in heard:
                if (sentence := sentence_of(settings, error.code(), error.str())) is not None:
                    return sentence
            if any("Connection refused" in error.str() for error in heard):
                return None
    finally:
        client.close()
    return None


def sentence_of(settings: KafkaSettings, code: int, said: str) -> str | None:
    """What an error of librdkafka means for who wrote ``settings``; None where they are not to blame. Pure."""
    at = f"Kafka at {settings.bootstrap_servers}"
    if code == kafka.KafkaError._AUTHENTICATION:
        return (
            f"{at} refuses [kafka] sasl_username {settings.sasl_username} with this sasl_password and sasl_mechanism "
            f"{settings.sasl_mechanism}: {said}"
        )
    if "certificate verify failed" in said:
        authority = settings.ssl_ca_location or "is not set: no authority that this system knows"
        return f"[kafka] ssl_ca_location {authority} has signed no certificate of {at} for that host: {said}"
    if "alert" in said and "certificate" in said:
        return f"{at} wants a certificate that it trusts: [kafka] ssl_certificate_location, ssl_key_location: {said}"
    if "PLAINTEXT broker listener" in said:
        return f"[kafka] security_protocol is {settings.security_protocol}, and {at} speaks no TLS: {said}"
    return None
