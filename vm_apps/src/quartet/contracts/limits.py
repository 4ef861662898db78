"""Upper limits of the numbers in a record."""

from __future__ import annotations

from typing import Final

INT32_MAX: Final = 2**31 - 1
INT64_MAX: Final = 2**63 - 1
SEQUENCE_MAX: Final = 10**12 - 1
