"""Why a TLS handshake failed, in words that name the remedy: the clients of Kafka and of the database only say that it did."""

from __future__ import annotations

from typing import Final

#: What OpenSSL says, and what that means here
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
    """Return what an error's text means, if it tells of TLS; its own words follow in brackets."""
    for said, meaning in _CAUSES:
        if said in text:
            return f"{meaning} ({_own_words(text, said)})"
    return None


def _own_words(text: str, said: str) -> str:
    """Return the part of the text around `said`: from OpenSSL's tag on, up to the place in its source."""
    start = max(0, text.rfind("[SSL", 0, text.index(said) + 1))
    return text[start:].split(" (_ssl.c", maxsplit=1)[0][:200]
