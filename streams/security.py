"""How a client proves who it is to Kafka, and Kafka to it: TLS and SASL, in the words of Kafka's own clients.

Invariant: a setting without which another means nothing, or that would be ignored, is an error that names both; a
password is in no message and in no log.
"""

import os
import ssl
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BaseModel, BeforeValidator, Field, SecretStr, model_validator

Protocol = Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"]
Mechanism = Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"]
_UPPER = BeforeValidator(lambda value: value.upper() if isinstance(value, str) else value)


class Security(BaseModel):
    """Part of ``[kafka]``."""

    security_protocol: Annotated[Protocol, _UPPER] = Field(
        default="PLAINTEXT", description="how to reach the brokers: PLAINTEXT, SSL, SASL_PLAINTEXT or SASL_SSL"
    )
    ssl_ca_location: Path | None = Field(
        default=None, description="PEM file of who signs the brokers' certificates; the system's authorities otherwise"
    )
    ssl_certificate_location: Path | None = Field(
        default=None, description="PEM file of this client's certificate, where brokers ask for one"
    )
    ssl_key_location: Path | None = Field(default=None, description="PEM file of its private key")
    ssl_key_password: SecretStr | None = Field(default=None, description="what that is encrypted with")
    sasl_mechanism: Annotated[Mechanism, _UPPER] = Field(
        default="SCRAM-SHA-512", description="PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512"
    )
    sasl_username: str | None = Field(default=None, description="who this client is")
    sasl_password: SecretStr | None = Field(default=None, description="its password; better in a file")
    sasl_password_file: Path | None = Field(default=None, description="file that holds nothing but the password")

    @model_validator(mode="after")
    def _is_whole(self) -> Self:
        given = {name for name in Security.model_fields if getattr(self, name) is not None} & self.model_fields_set
        for part, meaning in (("ssl_", "SSL"), ("sasl_", "SASL")):
            useless = sorted(name for name in given if name.startswith(part))
            if useless and meaning not in self.security_protocol:
                raise ValueError(f"{useless[0]} is set, and security_protocol is {self.security_protocol}")
        if (self.ssl_certificate_location is None) != (self.ssl_key_location is None):
            raise ValueError("ssl_certificate_location and ssl_key_location go together")
        if self._uses_sasl and (self.sasl_username is None or self._passwords != 1):
            raise ValueError(
                f"security_protocol {self.security_protocol} needs sasl_username, and sasl_password or "
                "sasl_password_file"
            )
        for name in given:
            if isinstance(path := getattr(self, name), Path) and not os.access(path, os.R_OK):
                raise ValueError(f"{name} names {path}, which is no file that can be read")
        return self

    @property
    def _uses_sasl(self) -> bool:
        return self.security_protocol.startswith("SASL")

    @property
    def _uses_ssl(self) -> bool:
        return self.security_protocol.endswith("SSL")

    @property
    def _passwords(self) -> int:
        return sum(each is not None for each in (self.sasl_password, self.sasl_password_file))

    @property
    def password(self) -> str:
        """Of ``sasl_username``, read anew each time from where it is kept."""
        if self.sasl_password_file is not None:
            return self.sasl_password_file.read_text().rstrip("\r\n")
        return self.sasl_password.get_secret_value() if self.sasl_password is not None else ""

    def secured(self) -> dict[str, str]:
        """What a client of librdkafka is told; nothing where nothing is secured."""
        if self.security_protocol == "PLAINTEXT":
            return {}
        found = {
            "security.protocol": self.security_protocol,
            "ssl.ca.location": self.ssl_ca_location,
            "ssl.certificate.location": self.ssl_certificate_location,
            "ssl.key.location": self.ssl_key_location,
            "ssl.key.password": self.ssl_key_password.get_secret_value() if self.ssl_key_password else None,
        }
        if self._uses_sasl:
            found |= {
                "sasl.mechanism": self.sasl_mechanism,
                "sasl.username": self.sasl_username,
                "sasl.password": self.password,
            }
        return {name: str(value) for name, value in found.items() if value is not None}

    def ssl_context(self) -> ssl.SSLContext | None:
        """The same for a client that speaks TLS through Python; None where it does not."""
        if not self._uses_ssl:
            return None
        context = ssl.create_default_context(cafile=self.ssl_ca_location)
        if self.ssl_certificate_location is not None and self.ssl_key_location is not None:
            password = self.ssl_key_password.get_secret_value() if self.ssl_key_password is not None else None
            context.load_cert_chain(self.ssl_certificate_location, self.ssl_key_location, password)
        return context
