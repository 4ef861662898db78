"""Phase 5: the database killed under load, judged by the ledger's eight rules. `make test-faults` runs all rows."""

from __future__ import annotations

import re
import sys

from phases import Command

ROWS = "f5_"


def test_nothing_is_lost_whatever_breaks(lab: str, command: Command) -> None:
    output = command("pytest", "-s", "tests/faults", "-k", ROWS, seconds=1200, FAULT_IMAGES="1500", FAULT_RATE="60")
    print(*(line[:240] for line in output.splitlines() if re.match(r"F\d+ ", line)), sep="\n", file=sys.__stderr__)
