"""`quartet health`: wait until units of this VM do their work, or say which does not and why.

A unit does its work when systemd calls it active and its metrics say that its servers answer. One that ends by itself (a producer whose
run is complete) is healthy when it ended well.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from typing import Final

from prometheus_client.parser import text_string_to_metric_families

from quartet.runtime.errors import CALL_SECONDS, ExitCode

_PAUSE_SECONDS: Final = 1.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of the subcommand."""
    parser.add_argument("units", nargs="+", metavar="UNIT", help="a unit's name, as systemctl takes it")
    parser.add_argument(
        "--port", type=int, action="append", default=[], metavar="PORT", help="where a unit serves its metrics, on loopback"
    )
    parser.add_argument("--may-finish", action="store_true", help="units that ended well are healthy, and no port is asked")
    parser.add_argument("--wait", type=float, default=0, metavar="SECONDS", help="how long to wait for it (default: not at all)")


def run(arguments: argparse.Namespace) -> ExitCode:
    """Run the subcommand."""

    def problems() -> list[str]:
        found = [problem for unit in arguments.units for problem in unit_problems(unit, properties(unit), arguments.may_finish)]
        if not arguments.may_finish:
            found += [problem for port in arguments.port for problem in port_problems(port)]
        return found

    left = wait_until_none(problems, arguments.wait)
    for line in left:
        print(line, file=sys.stderr)
    return ExitCode.FAILED if left else ExitCode.OK


def wait_until_none(problems: Callable[[], Sequence[str]], seconds: float) -> Sequence[str]:
    """Ask for the problems until there is none or the seconds are over, and return the last answer."""
    end = time.monotonic() + seconds
    while (found := problems()) and time.monotonic() < end:
        time.sleep(_PAUSE_SECONDS)
    return found


def properties(unit: str) -> dict[str, str]:
    """Return what systemd knows of a unit."""
    shown = subprocess.run(  # noqa: S603 (an argument list; a unit name from the role)
        ["systemctl", "show", "--property=ActiveState,Result,StatusText", unit],  # noqa: S607 (the VM's own)
        capture_output=True,
        text=True,
        check=True,
        timeout=CALL_SECONDS,
    )
    return dict(line.split("=", 1) for line in shown.stdout.splitlines())


def unit_problems(unit: str, shown: dict[str, str], may_finish: bool) -> Iterator[str]:
    """Say why a unit with these properties does not do its work; nothing if it does."""
    state, result = shown["ActiveState"], shown["Result"]
    if state != "active" and not (may_finish and state == "inactive" and result == "success"):
        yield f"{unit} is {state} ({result}): {shown.get('StatusText') or 'it reported no status'}"


def port_problems(port: int) -> Iterator[str]:
    """Say which servers the app that serves its metrics on a port does not reach."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=CALL_SECONDS) as answer:
            text = answer.read().decode()
    except OSError as error:
        yield f"port {port} serves no metrics: {error}"
        return
    yield from connection_problems(port, text)


def connection_problems(port: int, metrics: str) -> Iterator[str]:
    """Say which servers are away by the text of an app's metrics."""
    connected = [
        sample for family in text_string_to_metric_families(metrics) for sample in family.samples if sample.name == "quartet_connected"
    ]
    if not connected:
        yield f"port {port}: not connected yet"
    for sample in connected:
        if sample.value != 1:
            yield f"port {port}: {sample.labels['server']} does not answer"
