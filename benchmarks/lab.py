"""Access to the running four-VM lab for benchmarks: commands on its VMs and of the project, stopping units, metrics."""

from __future__ import annotations

import json
import re
import shlex
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final

from benchmarks.results import ROOT
from tests.phases import MACHINES, on_machine, run

#: Spark's two jobs on vm2
SPARK: Final = "quartet-spark-batch.timer quartet-spark-stream"
#: Units of vm2 that compute whenever inferences arrive
COUNTING: Final = f"{SPARK} quartet-db-consumer@images quartet-db-consumer@inferences"
#: Ids of the producers of benchmarks, distinct from those of an inventory
_FIRST_ID: Final = 9001
_FIRST_PORT: Final = 9391


def on(machine: str, script: str, *, seconds: float = 300) -> str:
    """Run a shell script as root on a VM, which ends at the first command that fails; return what it printed.

    Raises:
        AssertionError: it failed; its error output is the message.
    """
    return on_machine(machine, f"set -eu\n{script}", seconds=int(seconds))


def python(
    machine: str, environment: str, script: str, *arguments: object, given: Mapping[str, Any] | None = None, seconds: float = 300
) -> str:
    """Run a script of benchmarks/on_vm as root with the Python of an app's environment ('': the system Python); return what it printed.

    `given` is passed as JSON on standard input, so that passwords never appear on a command line.
    """
    source = (ROOT / "benchmarks/on_vm" / script).read_text()
    interpreter = f"/opt/quartet/{environment}/current/bin/python" if environment else "/usr/bin/python3"
    command = f"timeout {seconds:.0f} {interpreter} /dev/fd/3 {' '.join(shlex.quote(str(word)) for word in arguments)}"
    return on(machine, f"{command} << 'GIVEN' 3<< 'SCRIPT'\n{json.dumps(given)}\nGIVEN\n{source}\nSCRIPT\n", seconds=seconds + 10)


def project(*command: str, seconds: float = 900, **environment: str) -> tuple[float, str]:
    """Run a command of the project; return its seconds and its output.

    Raises:
        SystemExit: it failed; the end of its output is the message.
    """
    begin = time.monotonic()
    result = run(*command, seconds=int(seconds), **environment)
    took = time.monotonic() - begin
    if result.returncode:
        raise SystemExit(f"{' '.join(command)}: status {result.returncode} after {took:.0f} s\n{result.stdout[-2000:]}")
    return took, result.stdout


@contextmanager
def units_stopped(**units: str) -> Iterator[None]:
    """Stop units that would compete for the cores, as `vm2="a b", vm4="c"`, and start them again whatever happens."""
    try:
        for machine, names in units.items():
            on(machine, f"systemctl stop {names}")
        yield
    finally:
        for machine, names in units.items():
            on(machine, f"systemctl start --no-block {names}")


def settings_of(machine: str, path: str) -> dict[str, Any]:
    """Return the settings that a role wrote."""
    found: dict[str, Any] = json.loads(on(machine, f"cat {path}"))
    return found


def new_run() -> str:
    """Return a new, unique name for a run."""
    return f"bench{time.time_ns() // 10**6}"


def wait_until(done: Callable[[], bool], seconds: float, every: float = 0.5) -> None:
    """Poll until `done` returns True.

    Raises:
        SystemExit: the time has passed.
    """
    end = time.monotonic() + seconds
    while not done():
        if time.monotonic() > end:
            raise SystemExit(f"still not done after {seconds:.0f} s; look at `make status`")
        time.sleep(every)


def metric(machine: str, port: int, name: str) -> list[tuple[dict[str, str], float]]:
    """Return the samples of one of a unit's metrics, each with its labels; none while the unit serves none."""
    try:
        text = python(machine, "", "metrics.py", MACHINES[machine], port, seconds=20)
    except AssertionError:
        text = ""
    lines = [re.fullmatch(re.escape(name) + r"(?:\{(.*)\})? (\S+)", line) for line in text.splitlines()]
    return [(dict(re.findall(r'(\w+)="([^"]*)"', line[1] or "")), float(line[2])) for line in lines if line]


def total(machine: str, port: int, name: str, **labels: str) -> float:
    """Return the sum of a metric's samples with these labels."""
    return sum(value for found, value in metric(machine, port, name) if labels.items() <= found.items())


@contextmanager
def producers(number: int, run: str = "", **settings: Any) -> Iterator[list[str]]:
    """Run producers beside the lab's: units of the same template, with the settings of the first one changed by `settings`.

    Their settings files are removed at the end. Their ledgers stay, because `make verify` counts their images like any other's, unless
    they sent to a scratch topic.
    """
    run = run or new_run()
    ids = range(_FIRST_ID, _FIRST_ID + number)
    units = [f"quartet-producer@{producer_id}" for producer_id in ids]
    example = settings_of("vm3", "$(ls /etc/quartet/producer/*.json | head -n 1)")
    files = {
        f"/etc/quartet/producer/{producer_id}.json": {
            **example,
            "producer_id": producer_id,
            "slice": {"index": at, "of": number},
            "distortion": {"kind": "none", "severity": 0},
            "run": run,
            "metrics_port": _FIRST_PORT + at,
            **settings,
        }
        for at, producer_id in enumerate(ids)
    }
    try:
        for path, content in files.items():
            on("vm3", f"cat > {path} << 'END'\n{json.dumps(content)}\nEND\n")
        on("vm3", f"systemctl start {' '.join(units)}")
        yield units
    finally:
        ledgers = f"/var/lib/quartet-producer/ledger-*-{run}.*" if "topics" in settings else ""
        on("vm3", f"systemctl stop {' '.join(units)} || true; rm -f {' '.join(files)} {ledgers}")


def wait_until_finished(machine: str, unit: str, seconds: float = 540) -> None:
    """Wait until a unit that ends by itself has ended."""
    wait_until(lambda: on(machine, f"systemctl show -P ActiveState {unit}").strip() in {"inactive", "failed"}, seconds)


def journal(machine: str, unit: str, run: str) -> list[tuple[float, str]]:
    """Return (seconds since the epoch, message) of what a unit logged since it was started for a run."""
    lines = on(machine, f"journalctl --unit={unit} --output=json --since=-20min").splitlines()
    entries = [json.loads(line) for line in lines]
    said = [(int(entry["__REALTIME_TIMESTAMP"]) / 1e6, str(entry.get("MESSAGE", ""))) for entry in entries]
    ends = [at for at, (_, text) in enumerate(said) if f"run {run} is finished" in text]
    starts = [at for at, (_, text) in enumerate(said[: ends[-1]]) if text.startswith("Starting ")] if ends else []
    return said[starts[-1] : ends[-1] + 1] if starts else []


def send(images: int, **settings: Any) -> str:
    """Send images of a new run by one producer at full speed, wait until Kafka has them, and return the run's name."""
    run = new_run()
    # a small slice is generated once and then sent repeatedly, under new ids
    with producers(1, run, **{"count": images, "rate": 0.0, "slice": {"index": 0, "of": 100}, **settings}) as units:
        wait_until_finished("vm3", units[0])
    return run


def watch(machine: str, port: int, counter: str, goal: float, *, label: str = "", seconds: float = 540) -> list[tuple[float, float]]:
    """Sample a counter, or its samples with a label, five times per second until it reaches the goal; return (seconds, value)."""
    printed = python(machine, "", "metrics.py", MACHINES[machine], port, counter, label, goal, seconds, seconds=seconds + 30)
    samples = [(float(moment), float(value)) for moment, value in (line.split() for line in printed.splitlines())]
    if not samples or samples[-1][1] < goal * 0.9:
        raise SystemExit(f"{counter} of port {port} on {machine} came to {samples[-1][1] if samples else 'nothing'} of {goal:.0f}")
    return samples


def rate_in_the_middle(samples: list[tuple[float, float]], goal: float) -> float:
    """Return the rate of a counter between 10 % and 90 % of the goal, to exclude the first connection and the last batch."""
    inner = [(moment, value) for moment, value in samples if 0.1 * goal <= value <= 0.9 * goal]
    if len(inner) < 5:
        raise SystemExit(f"only {len(inner)} samples: use more images")
    return (inner[-1][1] - inner[0][1]) / (inner[-1][0] - inner[0][0])


def wait_until_drained(seconds: float = 1800) -> None:
    """Wait until everything that was sent is stored, classified and counted, so that a measurement counts its own images alone.

    Raises:
        SystemExit: producers still send, or the backlog is not done in time.
    """
    sending = on("vm3", "systemctl list-units --plain --no-legend --state=activating,active 'quartet-producer@*' | cut -d' ' -f1").split()
    if sending:
        raise SystemExit(f"a measurement needs the lab for itself, and {', '.join(sending)} on vm3 still sends: wait, or stop it")
    drained = "quartet status --config=/etc/quartet/spark_jobs/auditor.json --drained > /dev/null && echo yes || true"
    wait_until(lambda: "yes" in on("vm2", drained), seconds, every=2)


def database_server() -> str:
    """Return the name and version that the database reports."""
    status = on("vm2", "quartet status --config=/etc/quartet/spark_jobs/auditor.json || true")
    said = re.search(r"^database +(\S+) \(([^;)]*)", status, re.MULTILINE)
    return f"{said[1]} {said[2]}" if said else "unknown database"
