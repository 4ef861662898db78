"""The filter that hashes the console's password, so that the VM never has the password itself."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any, Final

#: 16 MB and some 50 ms for each comparison; quartet.console.login reads them back
_COST: Final = {"n": 2**14, "r": 8, "p": 1}


def scrypt_hash(password: str, salt: str) -> str:
    """Return `scrypt$n$r$p$salt$hash` (hex). The same password and salt give the same text, so that a second run changes nothing."""
    salted = hashlib.sha256(f"quartet console {salt}".encode()).digest()[:16]
    found = hashlib.scrypt(password.encode(), salt=salted, dklen=32, maxmem=256 * _COST["n"] * _COST["r"], **_COST)
    return f"scrypt${_COST['n']}${_COST['r']}${_COST['p']}${salted.hex()}${found.hex()}"


class FilterModule:
    """What Ansible looks for in a filter plugin."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"scrypt_hash": scrypt_hash}
