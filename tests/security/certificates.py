"""Certificates that the product must judge: of a stranger, of a foreign authority, and one that has expired."""

from __future__ import annotations

import datetime
import ipaddress
from typing import NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from security.lab import secrets_folder

_DAY = datetime.timedelta(days=1)


class Authority(NamedTuple):
    """Who signs: a key and its own certificate."""

    key: ec.EllipticCurvePrivateKey
    certificate: x509.Certificate

    @property
    def pem(self) -> str:
        """The certificate as clients are given it."""
        return self.certificate.public_bytes(serialization.Encoding.PEM).decode()


def lab_authority() -> Authority:
    """Return the lab's own CA, whose key only the controller has."""
    key = serialization.load_pem_private_key((secrets_folder() / "ca.key").read_bytes(), None)
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    return Authority(key, x509.load_pem_x509_certificate((secrets_folder() / "ca.crt").read_bytes()))


def foreign_authority() -> Authority:
    """Return a CA of the same name that nobody trusts."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = lab_authority().certificate.subject
    builder = _builder(name, name, key, 0, 30).add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
    return Authority(key, builder.sign(key, hashes.SHA256()))


def signed(authority: Authority, common_name: str, *, first_day: int = 0, last_day: int = 30) -> str:
    """Return key and certificate in one PEM text, valid for 127.0.0.1 between these days from today on."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])
    names = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    builder = _builder(subject, authority.certificate.subject, key, first_day, last_day).add_extension(names, critical=False)
    certificate = builder.sign(authority.key, hashes.SHA256())
    private = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return (private + certificate.public_bytes(serialization.Encoding.PEM)).decode()


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey, first_day: int, last_day: int
) -> x509.CertificateBuilder:
    today = datetime.datetime.now(datetime.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(today + (first_day - 1) * _DAY)
        .not_valid_after(today + last_day * _DAY)
    )
