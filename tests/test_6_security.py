"""Phase 6: `make test-security` on the lab, as a user runs it. What it tried, and what refused it, is printed at the end."""

from __future__ import annotations

import sys

from phases import Command


def test_what_must_be_refused_is_refused(lab: str, command: Command) -> None:
    output = command("make", "test-security", seconds=1500)
    print(output[output.rindex("refused, and how it looks") :], file=sys.__stderr__)
