"""The login: one user, `viewer`, whose password the VM knows only as a scrypt hash. Sessions are signed tokens, so they outlive a restart."""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
import threading
import time
from collections import OrderedDict, deque
from collections.abc import Callable
from typing import Final

from quartet.runtime.errors import ExitCode, QuartetError

USER: Final = "viewer"
COOKIE: Final = "__Host-quartet-console"
SESSION_SECONDS: Final = 7 * 86_400
#: Failures of one address within the window, before it must wait
_MOST_FAILURES: Final = 5
#: Failures of all addresses together: a password cannot be guessed from many at once either
_MOST_FAILURES_OF_ALL: Final = 60
_WINDOW_SECONDS: Final = 60.0
_MOST_ADDRESSES: Final = 1024
_HASH: Final = re.compile(r"scrypt\$(\d{4,7})\$(\d{1,2})\$(\d{1,2})\$([0-9a-f]{16,64})\$([0-9a-f]{64})")


class Password:
    """Compares with a hash `scrypt$n$r$p$salt$hash` (hex), one at a time: each comparison takes 16 MB.

    Raises:
        QuartetError: CONFIGURATION, the text is no such hash.
    """

    def __init__(self, hashed: str) -> None:
        match = _HASH.fullmatch(hashed)
        if match is None:
            raise QuartetError(ExitCode.CONFIGURATION, "the credential viewer-password-hash is not scrypt$n$r$p$salt$hash; run site.yml")
        self._cost = (int(match[1]), int(match[2]), int(match[3]))
        self._salt, self._hash = bytes.fromhex(match[4]), bytes.fromhex(match[5])
        self._lock = threading.Lock()

    def fits(self, user: str, password: str) -> bool:
        """Return whether user and password are right; takes the same time for any user."""
        n, r, p = self._cost
        with self._lock:
            found = hashlib.scrypt(password.encode(), salt=self._salt, n=n, r=r, p=p, dklen=32, maxmem=256 * n * r)
        return hmac.compare_digest(found, self._hash) & hmac.compare_digest(user.encode(), USER.encode())


class Sessions:
    """Signs and checks session tokens `expiry.nonce.signature`. Another password is another key, which ends all sessions."""

    def __init__(self, hashed: str, clock: Callable[[], float] = time.time) -> None:
        self._key = hmac.digest(hashed.encode(), b"quartet console session", "sha256")
        self._clock = clock

    def open(self) -> str:
        """Return a new token."""
        body = f"{int(self._clock()) + SESSION_SECONDS}.{secrets.token_hex(8)}"
        return f"{body}.{self._sign(body)}"

    def expiry(self, token: str | None) -> float | None:
        """Return when a session ends (seconds since the epoch); None if the token is not valid now."""
        body, _, signature = (token or "").rpartition(".")
        if not hmac.compare_digest(signature.encode(), self._sign(body).encode()):
            return None
        end = float(body.split(".")[0])
        return end if self._clock() < end else None

    def _sign(self, body: str) -> str:
        return hmac.new(self._key, body.encode(), "sha256").hexdigest()


class Throttle:
    """Counts wrong passwords in a sliding window, by address and in all. What it keeps is bounded."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._all: deque[float] = deque(maxlen=_MOST_FAILURES_OF_ALL)
        self._by_address: OrderedDict[str, deque[float]] = OrderedDict()

    def wait_seconds(self, address: str) -> int:
        """Return how long this address must wait before it may try again; 0: not at all."""
        waits = [self._wait(self._all), self._wait(self._by_address.get(address, deque(maxlen=_MOST_FAILURES)))]
        return max(waits)

    def failed(self, address: str) -> None:
        """Count a wrong password."""
        moment = self._clock()
        self._all.append(moment)
        self._by_address.setdefault(address, deque(maxlen=_MOST_FAILURES)).append(moment)
        self._by_address.move_to_end(address)
        while len(self._by_address) > _MOST_ADDRESSES:
            self._by_address.popitem(last=False)

    def succeeded(self, address: str) -> None:
        """Forget the wrong passwords of an address."""
        self._by_address.pop(address, None)

    def _wait(self, failures: deque[float]) -> int:
        if len(failures) < (failures.maxlen or 0):
            return 0
        left = failures[0] + _WINDOW_SECONDS - self._clock()
        return int(left) + 1 if left > 0 else 0
