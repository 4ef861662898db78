"""`quartet health`: wait until units of this VM are healthy, or say which one is not and why.

A unit is healthy when systemd reports it as active and its metrics show that its servers answer. One that ends by itself (a producer whose
run is complete) is healthy when it exited successfully.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Final

from prometheus_client.parser import text_string_to_metric_families

from quartet.runtime.errors import CALL_SECONDS, ExitCode
from quartet.runtime.scrape import scrape
from quartet.runtime.settings import MetricsTls

_PAUSE_SECONDS: Final = 1.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of the subcommand."""
    parser.add_argument("units", nargs="+", metavar="UNIT", help="a unit's name, as systemctl takes it")
    parser.add_argument("--port", type=int, action="append", default=[], metavar="PORT", help="port on which a unit serves its metrics")
    parser.add_argument(
        "--metrics-address", metavar="ADDRESS", help="address where they are served with TLS (default: plaintext on loopback)"
    )
    parser.add_argument("--metrics-ca", metavar="FILE", default="/etc/quartet/pki/ca.crt", help="CA of that certificate")
    parser.add_argument("--may-finish", action="store_true", help="treat units that exited successfully as healthy, and check no port")
    parser.add_argument("--wait", type=float, default=0, metavar="SECONDS", help="seconds to wait for healthy units (default: do not wait)")


def run(arguments: argparse.Namespace) -> ExitCode:
    """Run the subcommand."""
    address = arguments.metrics_address
    tls = MetricsTls(address=address, ca_file=arguments.metrics_ca) if address else None

    def problems() -> list[str]:
        found = [problem for unit in arguments.units for problem in unit_problems(unit, unit_properties(unit), arguments.may_finish)]
        if not arguments.may_finish:
            found += [problem for port in arguments.port for problem in port_problems(port, tls)]
        return found

    left = wait_until_none(problems, arguments.wait)
    for line in left:
        print(line, file=sys.stderr)
    return ExitCode.FAILED if left else ExitCode.OK


def wait_until_none(problems: Callable[[], Sequence[str]], seconds: float) -> Sequence[str]:
    """Call `problems` until it returns none or the seconds have passed; return its last answer."""
    end = time.monotonic() + seconds
    while (found := problems()) and time.monotonic() < end:
        time.sleep(_PAUSE_SECONDS)
    return found


def unit_properties(unit: str) -> dict[str, str]:
    """Return the state of a unit as systemd reports it."""
    shown = subprocess.run(  # noqa: S603 (an argument list; a unit name from the role)
        ["systemctl", "show", "--property=ActiveState,Result,StatusText", unit],  # noqa: S607 (the VM's own)
        capture_output=True,
        text=True,
        check=True,
        timeout=CALL_SECONDS,
    )
    return dict(line.split("=", 1) for line in shown.stdout.splitlines())


def unit_problems(unit: str, shown: dict[str, str], may_finish: bool) -> Iterator[str]:
    """Yield why a unit with these properties is not healthy; nothing if it is."""
    state, result = shown["ActiveState"], shown["Result"]
    if state != "active" and not (may_finish and state == "inactive" and result == "success"):
        yield f"{unit} is {state} ({result}): {shown.get('StatusText') or 'it reported no status'}"


def port_problems(port: int, tls: MetricsTls | None = None) -> Iterator[str]:
    """Yield which servers the app that serves its metrics on a port does not reach."""
    try:
        text = scrape(port, tls, seconds=CALL_SECONDS)
    except OSError as error:
        yield f"port {port} serves no metrics: {error}"
        return
    yield from connection_problems(port, text)


def connection_problems(port: int, metrics: str) -> Iterator[str]:
    """Yield which servers are unreachable according to an app's metrics text."""
    connected = [
        sample for family in text_string_to_metric_families(metrics) for sample in family.samples if sample.name == "quartet_connected"
    ]
    if not connected:
        yield f"port {port}: not connected yet"
    for sample in connected:
        if sample.value != 1:
            yield f"port {port}: {sample.labels['server']} does not answer"
