"""Makes the certificate authority of an inventory in a folder of the controller, unless it is there: make_authority.py FOLDER DAYS.

Prints `made` if it made one. It is valid from an hour ago, because a VM's clock may be behind (openssl before 3.4 cannot say so).
"""

from __future__ import annotations

import datetime
import fcntl
import os
import sys
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

_NAME = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "Quartet internal CA")])
_USAGE = x509.KeyUsage(
    key_cert_sign=True,
    crl_sign=True,
    digital_signature=False,
    content_commitment=False,
    key_encipherment=False,
    data_encipherment=False,
    key_agreement=False,
    encipher_only=False,
    decipher_only=False,
)


def certificate(key: ec.EllipticCurvePrivateKey, days: int) -> x509.Certificate:
    """Return a CA's own certificate, which may sign certificates of hosts and no further CA."""
    now = datetime.datetime.now(datetime.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(_NAME)
        .issuer_name(_NAME)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(days=days))
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_USAGE, critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )


def make(folder: Path, days: int) -> bool:
    """Make ca.key and ca.crt in the folder; return False if they are there. Of several callers one makes them while the others wait."""
    os.umask(0o077)
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / ".pki.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if (folder / "ca.crt").exists():
            return False
        key = ec.generate_private_key(ec.SECP256R1())
        encoding = serialization.Encoding.PEM
        (folder / "ca.key").write_bytes(key.private_bytes(encoding, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()))
        # Last, and at once: it says that both are there.
        (folder / "ca.crt.new").write_bytes(certificate(key, days).public_bytes(encoding))
        (folder / "ca.crt.new").replace(folder / "ca.crt")
    return True


if __name__ == "__main__":
    if make(Path(sys.argv[1]), int(sys.argv[2])):
        print("made")
