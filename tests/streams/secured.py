"""A real Kafka that asks who is there: TLS with certificates made here, SASL in two ways, and access control."""

import datetime
import ipaddress
from dataclasses import dataclass
from pathlib import Path

from confluent_kafka.admin import ScramCredentialInfo, ScramMechanism, UserScramCredentialUpsertion
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from clawstream.streams.broker import Node
from clawstream.streams.cluster.clients import admin_client

PASSWORD = "open sesame"
_LOGIN = "org.apache.kafka.common.security"
_DAY = datetime.timedelta(days=1)


@dataclass(frozen=True)
class Authority:
    """Signs certificates; its own is at ``path``."""

    path: Path
    name: x509.Name
    key: ec.EllipticCurvePrivateKey

    def issue(self, name: str, folder: Path) -> tuple[Path, Path]:
        """A certificate for ``name`` at 127.0.0.1, and its key."""
        key, subject = ec.generate_private_key(ec.SECP256R1()), _named(name)
        certificate = _certificate(subject, key, self.name, self.key, authority=False)
        pem, private = folder / f"{name}.pem", folder / f"{name}.key"
        pem.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        private.write_bytes(_private(key))
        return pem, private


def authority(name: str, folder: Path) -> Authority:
    """A new one."""
    key, subject, path = ec.generate_private_key(ec.SECP256R1()), _named(name), folder / f"{name}.pem"
    certificate = _certificate(subject, key, subject, key, authority=True)
    path.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    return Authority(path, subject, key)


def secured_node(ca: Authority, folder: Path, *, sasl_port: int, tls_port: int) -> Node:
    """A node that also listens at ``sasl_port`` (TLS and a password) and at ``tls_port`` (TLS and a certificate).

    Who comes to its plain listener may do everything; all others what they are allowed to.
    """
    certificate, key = ca.issue("broker", folder)
    store = folder / "broker.store.pem"
    store.write_bytes(key.read_bytes() + certificate.read_bytes())
    plain = f'{_LOGIN}.plain.PlainLoginModule required user_plain="{PASSWORD}";'
    properties = {
        "sasl.enabled.mechanisms": "PLAIN,SCRAM-SHA-512",
        "listener.name.sasl_ssl.plain.sasl.jaas.config": plain,
        "listener.name.sasl_ssl.scram-sha-512.sasl.jaas.config": f"{_LOGIN}.scram.ScramLoginModule required;",
        "listener.name.ssl.ssl.client.auth": "required",
        "ssl.keystore.type": "PEM",
        "ssl.keystore.location": str(store),
        "ssl.truststore.type": "PEM",
        "ssl.truststore.location": str(ca.path),
        "ssl.principal.mapping.rules": "RULE:^CN=([^,]*).*$/$1/,DEFAULT",
        "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
        "super.users": "User:ANONYMOUS;User:plain;User:certified",
    }
    return Node(listeners={"SASL_SSL": sasl_port, "SSL": tls_port}, properties=properties)


def add_user(servers: str, name: str) -> None:
    """Let ``name`` in with ``PASSWORD``."""
    info = ScramCredentialInfo(ScramMechanism.SCRAM_SHA_512, 4096)
    change = UserScramCredentialUpsertion(name, info, PASSWORD.encode())
    for future in admin_client({"bootstrap.servers": servers}).alter_user_scram_credentials([change]).values():
        future.result(30)


def _named(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _private(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def _certificate(
    subject: x509.Name,
    key: ec.EllipticCurvePrivateKey,
    issuer: x509.Name,
    signer: ec.EllipticCurvePrivateKey,
    *,
    authority: bool,
) -> x509.Certificate:
    now = datetime.datetime.now(datetime.UTC)
    here = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1")), x509.DNSName("localhost")])
    builder = x509.CertificateBuilder().subject_name(subject).issuer_name(issuer).public_key(key.public_key())
    builder = (
        builder.serial_number(x509.random_serial_number()).not_valid_before(now - _DAY).not_valid_after(now + _DAY)
    )
    builder = builder.add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
    return (builder if authority else builder.add_extension(here, critical=False)).sign(signer, hashes.SHA256())
