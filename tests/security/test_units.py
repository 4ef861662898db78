"""The units that run: confined as their files say, without rights of root, and with secrets that nobody else can read."""

from __future__ import annotations

import json

import pytest
import yaml
from phases import MACHINES, UNITS, on_machine
from security.evidence import refused
from security.lab import secrets_folder

THRESHOLD = 1.5  # docs/refusals.md
# Where secrets may lie; mongod's folder in /run holds its keyFile as it wants it, and only mongod enters it.
HOLDING = ("/etc/quartet/secrets/", "/etc/quartet/pki/", "/run/mongod/keyfile")
# What a unit runs as; no two apps share a user, except Spark and its jobs. The three of Prometheus have that of Debian's packages.
USERS = {
    "mongod": "mongodb",
    "quartet-db-consumer@images": "quartet-db-consumer",
    "quartet-db-consumer@inferences": "quartet-db-consumer",
    "spark-master": "quartet-spark",
    "spark-worker": "quartet-spark",
    "quartet-spark-stream": "quartet-spark",
    "kafka": "kafka",
    "quartet-inference": "quartet-inference",
    "quartet-exporter": "quartet-exporter",
    "quartet-console": "quartet-console",
    "prometheus": "prometheus",
    "prometheus-alertmanager": "prometheus",
    "prometheus-node-exporter": "prometheus",
}
_PROCESSES = """
import json, pathlib, pwd
answer = {unit: [] for unit in %(units)r}
for folder in pathlib.Path("/proc").glob("[0-9]*"):
    try:
        groups, status = (folder / "cgroup").read_text(), (folder / "status").read_text()
    except OSError:
        continue
    fields = dict(line.split(":", 1) for line in status.splitlines())
    process = {"user": pwd.getpwuid(int(fields["Uid"].split()[1])).pw_name, "uids": len(set(fields["Uid"].split())),
               **{name: fields[name].strip() for name in ("CapEff", "CapPrm", "CapBnd", "CapAmb", "NoNewPrivs", "Seccomp")}}
    for unit in answer:
        if f"/{unit}.service" in groups:
            answer[unit].append(process)
print(json.dumps(answer))
"""


def on_python(machine: str, code: str) -> object:
    """Run Python as root on a machine and return the JSON that it prints."""
    return json.loads(on_machine(machine, f"python3 - << 'END'\n{code}\nEND"))


@pytest.mark.parametrize("machine", MACHINES)
def test_each_running_unit_is_confined(machine: str) -> None:
    names = on_machine(
        machine,
        "systemctl list-units --all --plain --no-legend --type=service 'quartet-*' kafka.service 'spark-*' mongod.service 'prometheus*'"
        " | awk '{print $1}'",
    ).split()
    assert {f"{unit}.service" for unit in UNITS[machine]} <= set(names)
    for name in names:
        score = on_machine(machine, f"systemd-analyze security --no-pager {name} | tail -n 1")
        assert float(score.rsplit(":", 1)[1].split()[0]) <= THRESHOLD, score


@pytest.mark.parametrize("machine", MACHINES)
def test_its_processes_have_no_rights(machine: str) -> None:
    found = on_python(machine, _PROCESSES % {"units": UNITS[machine]})
    assert isinstance(found, dict)
    for unit, processes in found.items():
        assert processes, unit
        for process in processes:
            assert process["user"] == USERS[unit], (unit, process)
            assert process["uids"] == 1, (unit, process)
            assert {process[name] for name in ("CapEff", "CapPrm", "CapBnd", "CapAmb")} == {"0" * 16}, (unit, process)
            assert (process["NoNewPrivs"], process["Seccomp"]) == ("1", "2"), (unit, process)


@pytest.mark.parametrize("machine", MACHINES)
def test_it_starts_only_with_the_firewall(machine: str) -> None:
    for unit in UNITS[machine]:
        assert "/quartet-firewall.conf" in on_machine(machine, f"systemctl show -P DropInPaths {unit}"), unit


_FILES = """
import json, os, pathlib, stat
secrets = [text.encode() for text in %(secrets)r]
readable, holding, loose = [], [], []
for top in ("/etc", "/opt/quartet", "/var/lib", "/var/log", "/run", "/tmp", "/var/tmp", "/home", "/root", "/usr/local"):
    for folder, folders, files in os.walk(top):
        folders[:] = [name for name in folders if not os.path.ismount(os.path.join(folder, name)) and name not in ("site-packages", "libs", "jars")]
        for name in files:
            path = os.path.join(folder, name)
            mode = os.lstat(path).st_mode
            if not stat.S_ISREG(mode) or os.path.getsize(path) > 1 << 22:
                continue
            if mode & 0o002:
                loose.append(path)
            with open(path, "rb") as file:
                content = file.read()
            if any(secret in content for secret in secrets) or b"PRIVATE KEY-----" in content and path.startswith("/etc/quartet"):
                holding.append(path)
                if mode & 0o077:
                    readable.append(path)
print(json.dumps({"readable": readable, "holding": holding, "loose": loose}))
"""


@pytest.mark.parametrize("machine", MACHINES)
def test_secrets_are_roots_alone(machine: str) -> None:
    values = yaml.safe_load((secrets_folder() / "secrets.yml").read_text())["secrets_values"]
    secrets = [value for name, value in values.items() if name not in ("inventory_id", "kafka_cluster_id")]
    found = on_python(machine, _FILES % {"secrets": secrets})
    assert isinstance(found, dict)
    assert found["readable"] == []
    assert [
        path for path in found["loose"] if path.startswith(("/etc/quartet", "/opt/quartet", "/var/lib/quartet", "/var/lib/kafka"))
    ] == []
    assert all(path.startswith(HOLDING) for path in found["holding"]), found["holding"]
    assert found["holding"], "the search finds what is there"
    modes = on_machine(machine, "stat --format='%a %U %n' /etc/quartet/secrets").split()
    assert modes[:2] == ["700", "root"]
    user = USERS[UNITS[machine][0]]
    answer = on_machine(machine, f"runuser --user={user} -- cat {found['holding'][0]} 2>&1", check=False)
    assert "denied" in answer
    refused(f"{machine}: {user} reads {found['holding'][0]}", "file mode", answer)
