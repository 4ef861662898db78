"""Explains why a TLS handshake failed and what to do: the clients of Kafka and MongoDB only report that it failed."""

from __future__ import annotations

from typing import Final

#: OpenSSL's error text, and what it means here
_CAUSES: Final = (
    ("certificate has expired", "the server's certificate has expired; run site.yml, which renews it"),
    ("certificate is not yet valid", "the server's certificate is not valid yet; compare the clocks of the two VMs"),
    ("unable to get local issuer", "the server's certificate is not signed by the CA that the settings name (ca_file)"),
    ("self-signed certificate", "the server's certificate is not signed by the CA that the settings name (ca_file)"),
    ("self signed certificate", "the server's certificate is not signed by the CA that the settings name (ca_file)"),
    ("certificate signature failure", "the server's certificate is not signed by the CA that the settings name (ca_file)"),
    ("mismatch, certificate is not valid for", "the server's certificate does not name the address that it is reached at"),
    ("WRONG_VERSION_NUMBER", "the server does not speak TLS at this port"),
    ("certificate verify failed", "the server's certificate is not valid"),
)


def explain(text: str) -> str | None:
    """Return the meaning of a TLS error, followed by OpenSSL's own message in brackets; None if the text is not about TLS."""
    for openssl_text, meaning in _CAUSES:
        if openssl_text in text:
            return f"{meaning} ({_openssl_message(text, openssl_text)})"
    return None


def _openssl_message(text: str, openssl_text: str) -> str:
    """Return OpenSSL's message around `openssl_text`: from the tag `[SSL` up to the reference to its source file."""
    start = max(0, text.rfind("[SSL", 0, text.index(openssl_text) + 1))
    return text[start:].split(" (_ssl.c", maxsplit=1)[0][:200]
