"""Faults to inject into the lab; each context manager repairs the fault at its end, whatever happens."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager

from faults.machines import IMAGES, INFERENCE, INFERENCES, machine_of
from phases import MACHINES
from phases import on_machine as on


def kill(*units: str) -> None:
    """SIGKILL to every process of the units; systemd starts them again."""
    for unit in units:
        on(machine_of(unit), f"systemctl kill --signal=KILL {unit}", check=False)


@contextmanager
def stopped(unit: str) -> Iterator[None]:
    """SIGSTOP, and SIGCONT at the end."""
    on(machine_of(unit), f"systemctl kill --signal=STOP {unit}")
    try:
        yield
    finally:
        on(machine_of(unit), f"systemctl kill --signal=CONT {unit}", check=False)


@contextmanager
def slow_to_start(unit: str, seconds: int) -> Iterator[None]:
    """Let each later start of a unit wait before its server opens its port, as a long recovery does. The running server is left alone."""
    machine, folder = machine_of(unit), f"/run/systemd/system/{unit}.service.d"
    text = f"TimeoutStartSec=infinity\\nExecStartPre=/bin/sleep {seconds}"
    on(machine, f"mkdir -p {folder}; printf '[Service]\\n{text}\\n' > {folder}/fault.conf; systemctl daemon-reload")
    try:
        yield
    finally:
        on(machine, f"rm -rf {folder}; systemctl daemon-reload")


@contextmanager
def drop_in(unit: str, text: str) -> Iterator[None]:
    """Restart a unit with further settings. They are in /run, so a reboot removes them."""
    machine, folder = machine_of(unit), f"/run/systemd/system/{unit}.service.d"
    on(
        machine,
        f"mkdir -p {folder}; printf '[Service]\\n%s\\n' '{text}' > {folder}/fault.conf; systemctl daemon-reload; systemctl restart {unit}",
    )
    try:
        yield
    finally:
        on(machine, f"rm -rf {folder}; systemctl daemon-reload; systemctl restart --no-block {unit}")


@contextmanager
def failpoint(unit: str, point: str, kind: str) -> Iterator[None]:
    """Arm a failpoint of a consumer (quartet.runtime.failpoints), for one time."""
    machine, marker = machine_of(unit), f"/var/lib/{unit.partition('@')[0]}/failpoint"
    on(machine, f"rm -f {marker}")
    try:
        with drop_in(unit, f"Environment=QUARTET_FAILPOINT={point}:{kind}:1"):
            yield
    finally:
        on(machine, f"rm -f {marker}", check=False)


@contextmanager
def partition(machine: str, *others: str, seconds: float, only: str = "") -> Iterator[None]:
    """Drop the packets between a machine and others. `only`: input or output of `machine`, else both.

    If this process dies meanwhile, a timer on the machine removes the rules after these seconds and 60 more.
    """
    names = ", ".join(MACHINES[other] for other in others)
    rules = {"input": f"ip saddr {{ {names} }} drop", "output": f"ip daddr {{ {names} }} drop"}
    chains = "".join(
        f"chain {hook} {{ type filter hook {hook} priority -300; policy accept; {rule}; }}\n"
        for hook, rule in rules.items()
        if only in ("", hook)
    )
    tool = "command -v nft > /dev/null || apt-get install -qq -y --no-install-recommends nftables > /dev/null"
    timer = (
        f"systemd-run --quiet --collect --unit=quartet-fault --on-active={seconds + 60:.0f} /usr/sbin/nft delete table inet quartet_fault"
    )
    on(machine, f"{tool}\n{timer}\nnft -f - << 'END'\ntable inet quartet_fault {{\n{chains}}}\nEND")
    try:
        yield
    finally:
        on(machine, "nft delete table inet quartet_fault; systemctl stop quartet-fault.timer")


@contextmanager
def small_disk(unit: str, folder: str) -> Iterator[None]:
    """Keep a server's data on a file system of its own with 400 MB to spare (a tmpfs), so that it can be filled; copy it back at the end.

    What is written meanwhile is in the VM's memory, which must have room for all of it; a VM that is switched off now loses it.
    """
    machine, kept = machine_of(unit), "/run/quartet-fault-kept"
    on(
        machine,
        f"set -e; used=$(du -sm {folder} | cut -f1)\n"
        f"[ $used -lt 400 ] || {{ echo $used MB of data are too many for the memory of a VM: run this row on a new lab >&2; exit 1; }}\n"
        f"systemctl stop {unit}; mkdir -p {kept}; mount --bind --make-private {folder} {kept}\n"
        f"mount -t tmpfs -o size=$((used + 400))M,$(stat -c mode=%a,uid=%u,gid=%g {folder}) tmpfs {folder}\n"
        f"cp -a --sparse=always {kept}/. {folder}/; systemctl start {unit}",
    )
    try:
        yield
    finally:
        on(
            machine,
            f"set -e; systemctl stop {unit}; find {kept} -mindepth 1 -delete; cp -a --sparse=always {folder}/. {kept}/\n"
            f"umount {folder} {kept}; rmdir {kept}; systemctl start {unit}",
        )


@contextmanager
def full_disk(unit: str, folder: str) -> Iterator[None]:
    """Fill the file system of a folder except for 1 MB, and free the space at the end."""
    machine = machine_of(unit)
    on(machine, f"fallocate -l $(($(df --output=avail -k {folder} | tail -1) - 1024))K {folder}/filler")
    try:
        yield
    finally:
        on(machine, f"rm {folder}/filler")


@contextmanager
def second_consumer(stream: str) -> Iterator[str]:
    """Start a second DB consumer of a stream, as another member of its group; at the end it is stopped and its settings are removed."""
    unit, folder = "quartet-db-consumer@second", "/etc/quartet/db_consumer"
    changed = 'settings.update(group_instance_id="second", metrics_port=9219)'
    make = f'import json; settings = json.load(open("{folder}/{stream}.json")); {changed}; print(json.dumps(settings))'
    on("vm2", f"python3 -c '{make}' > {folder}/second.json; systemctl start {unit}")
    try:
        yield unit
    finally:
        on("vm2", f"systemctl stop {unit}; systemctl reset-failed {unit}; rm {folder}/second.json", check=False)


SET_BACK = """
import json, ssl, sys, time
from kafka import KafkaAdminClient, TopicPartition
from kafka.structs import OffsetAndMetadata
context = ssl.create_default_context(cafile="/etc/quartet/pki/ca.crt")
context.load_cert_chain("/etc/quartet/pki/kafka-admin.pem")
admin = KafkaAdminClient(bootstrap_servers="%s:9092", security_protocol="SSL", ssl_context=context)
for group, topic, offsets in json.loads(sys.argv[1]):
    wanted = {TopicPartition(topic, int(number)): OffsetAndMetadata(offset, "", -1) for number, offset in offsets.items()}
    for attempt in range(60):  # a static member is one until its session ends
        wrong = {error.__name__ for error in admin.alter_group_offsets(group, wanted).values()} - {"NoError"}
        if not wrong:
            break
        time.sleep(1)
    else:
        sys.exit(f"{group}: {wrong}")
"""


def set_back(offsets: dict[str, dict[str, int]]) -> None:
    """Stop the consumers, set their groups back to these offsets (by topic and partition), and start them."""
    groups = json.loads(on("vm2", "cat /etc/quartet/spark_jobs/auditor.json"))["groups"]
    rows = [[group, "inferences" if name == "inferences" else "images"] for name, group in groups.items()]
    words = json.dumps([[*row, offsets[row[1]]] for row in rows])
    units = (IMAGES, INFERENCES, INFERENCE)
    for unit in units:
        on(machine_of(unit), f"systemctl stop {unit}")
    try:
        script = SET_BACK % MACHINES["vm3"]
        on("vm3", f"/opt/quartet/producer/current/bin/python - '{words}' << 'END'\n{script}\nEND")
    finally:
        for unit in units:
            on(machine_of(unit), f"systemctl start {unit}")


def reboot(*machines: str) -> None:
    """Reboot machines in order, and wait until they answer again."""
    booted = "systemctl show --value -p UserspaceTimestampMonotonic"
    boots = {machine: on(machine, f"{booted}; systemd-run --quiet --on-active=1 systemctl reboot").strip() for machine in machines}
    end = time.monotonic() + 180
    while again := [m for m, boot in boots.items() if on(m, booted, check=False).strip() in ("", boot)]:
        assert time.monotonic() < end, f"{again} did not come back"
        time.sleep(1)
