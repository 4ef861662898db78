"""Node exporter's unit, what it reports of the units, and until when the certificates are valid."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from computed import computed
from role_modules import load_file
from tls_server import Authority
from unit_template import rendered

ROLE = Path(__file__).resolve().parents[2] / "roles/node_exporter"
SCRIPT = ROLE / "files/certificate_times.py"
OPTIONS = {
    "node_exporter_address": "192.0.2.1",
    "node_exporter_port": 9100,
    "node_exporter_units": ["quartet-.+", "kafka"],
    "node_exporter_metrics_directory": "/var/lib/quartet-metrics",
    "node_exporter_mount_points_exclude": "^/(run|var/tmp)(/|$)",
    "node_exporter_certificate_file": "/etc/quartet/pki/metrics.pem",
    "node_exporter_memory_max": "128M",
}


def unit() -> str:
    return rendered(ROLE / "templates/prometheus-node-exporter.service.j2", **OPTIONS)


def arguments() -> dict[str, str]:
    """Return the options of the unit's command, as systemd gives them to it."""
    (command,) = re.findall(r"^ExecStart=(.*?)(?<!\\)\n", unit(), re.MULTILINE | re.DOTALL)
    words = shlex.split(command.replace("\\\n", " ").replace("$$", "$"))
    return dict(word.partition("=")[::2] for word in words[1:])


def test_it_is_confined(tmp_path: Path) -> None:
    file = tmp_path / "prometheus-node-exporter.service"
    file.write_text(unit())
    judged = ["systemd-analyze", "security", "--offline=true", "--threshold=15", "--no-pager", str(file)]
    result = subprocess.run(judged, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout[-2000:] + result.stderr


def test_instances_of_templates_and_timers_are_reported() -> None:
    include = arguments()["--collector.systemd.unit-include"]
    reported = ["quartet-producer@101.service", "quartet-db-consumer@images.service", "quartet-backup.timer", "kafka.service"]
    # node exporter anchors the expression
    assert [name for name in reported if not re.fullmatch(include, name)] == []
    assert not re.fullmatch(include, "ssh.service")
    assert not re.fullmatch(include, "quartet-producer@101.slice")


def test_every_guarded_unit_of_the_lab_is_reported() -> None:
    found = computed("lab", "{'units': node_exporter_units, 'guarded': firewall_guarded_units}")
    for machine in found.values():
        include = rf"({'|'.join(machine['units'])})[.](service|timer)"
        assert [name for name in machine["guarded"] if not re.fullmatch(include, name.replace("@.", "@x."))] == []


@pytest.mark.parametrize(("place", "is_disk"), [("/", True), ("/var/lib/kafka", True), ("/var/tmp", False), ("/run/credentials/x", False)])
def test_what_confines_the_unit_is_no_disk(place: str, is_disk: bool) -> None:
    assert (re.search(arguments()["--collector.filesystem.mount-points-exclude"], place) is None) == is_disk


def test_the_default_excludes_what_is_mounted_from_elsewhere() -> None:
    exclude = computed("lab", "lookup('ansible.builtin.file', 'roles/node_exporter/defaults/main.yml') | from_yaml")["vm1"]
    places = ["/tmp", "/var/tmp", "/home", "/var/cache/quartet", "/vagrant", "/dev/shm", "/run/user/0"]
    assert [place for place in places if not re.search(exclude["node_exporter_mount_points_exclude"], place)] == []


def write(folder: Path, file: Path, *words: str) -> str:
    command = [sys.executable, str(SCRIPT), str(folder), str(file), *words]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def test_until_when_certificates_are_valid(tmp_path: Path) -> None:
    folder, file = tmp_path / "ca", tmp_path / "quartet_certificates.prom"
    Authority(folder).issue(days=3).rename(folder / "kafka.crt")
    assert write(folder, file, "--check") == str(file)
    assert not file.exists()
    assert write(folder, file) == str(file)
    assert write(folder, file) == ""
    shown = {name: int(value) for name, value in re.findall(r'^\w+{name="(\w+)"} (\d+)$', file.read_text(), re.MULTILINE)}
    assert shown.keys() == {"ca", "kafka"}
    assert shown["ca"] - shown["kafka"] == 7 * 86400
    assert file.stat().st_mode & 0o777 == 0o644


@pytest.mark.parametrize(("shown", "expected"), [("Nov  3 22:13:00 2028 GMT", 1856902380), ("Dec 31 23:59:59 2036 GMT", 2114380799)])
def test_the_dates_of_openssl(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, shown: str, expected: int) -> None:
    (tmp_path / "openssl").write_text(f"#!/bin/sh\necho 'notAfter={shown}'\n")
    (tmp_path / "openssl").chmod(0o755)
    (tmp_path / "x.crt").touch()
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    monkeypatch.setattr(sys, "argv", [str(SCRIPT), str(tmp_path), str(tmp_path / "out.prom")])
    load_file(SCRIPT, "certificate_times")
    assert f'{{name="x"}} {expected}\n' in (tmp_path / "out.prom").read_text()
