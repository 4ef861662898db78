"""Common properties of all units: their start order at boot, their hardening, and no listening unit starts without the firewall."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest
import yaml
from computed import computed
from quartet.runtime.errors import ExitCode
from unit_template import rendered

ROOT = Path(__file__).resolve().parents[2]
TEMPLATES = sorted(ROOT.glob("roles/*/templates/*.service.j2"))
# Directives that need folders in /tmp or /run, or mounts, which are unavailable while the root is read-only
SANDBOX = re.compile(r"^(Private|Protect|ReadWritePaths|StateDirectory|RuntimeDirectory|DynamicUser|LoadCredential)", re.MULTILINE)
# The units that each template becomes; the apps' are in the roles' variables.
NAMES = {
    "kafka.service.j2": ["kafka.service"],
    "mongod.service.j2": ["mongod.service"],
    "spark-daemon.service.j2": ["spark-master.service", "spark-worker.service"],
    "job.service.j2": ["quartet-spark-stream.service", "quartet-spark-batch.service"],
    "app.service.j2": [
        f"{unit['name']}{'@' if unit.get('instantiated') else ''}.service"
        for path in ROOT.glob("roles/*/vars/main.yml")
        for name, unit in yaml.safe_load(path.read_text()).items()
        if name == f"_{path.parent.parent.name}_unit" and isinstance(unit, dict)
    ],
    "prometheus-node-exporter.service.j2": ["prometheus-node-exporter.service"],
    "backup.service.j2": ["quartet-backup.service", "quartet-restore-drill.service"],
    "prometheus.service.j2": ["prometheus.service", "prometheus-alertmanager.service"],
    "quartet-firewall.service.j2": [],
}
HARDENING = ROOT / "roles/base/templates/hardening.j2"
LOOKUP = re.compile(r"{{ lookup\('ansible\.builtin\.template', '(\S+hardening\.j2)'.*?\) }}", re.DOTALL)


def with_hardening(template: Path) -> str:
    """Return a unit's template with the common lines in place of the lookup, whose path Ansible follows from the role's folder of templates too."""
    text, found = LOOKUP.subn(lambda lookup: (template.parent / lookup[1]).read_text(), template.read_text())
    assert found == 1
    return text


def hardening(**variables: list[str]) -> list[str]:
    """Return the common lines for a unit."""
    return [line for line in rendered(HARDENING, **variables).splitlines() if line and not line.startswith("#")]


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda path: path.name)
def test_a_confined_unit_does_not_start_before_the_file_systems(template: Path) -> None:
    text = with_hardening(template)
    if "DefaultDependencies=no" in text and SANDBOX.search(text):
        (after,) = re.findall(r"^After=(.*)$", text, re.MULTILINE)
        # systemd makes the folders of a sandbox in /tmp, which is read-only before the first and emptied by the second
        assert {"local-fs.target", "systemd-tmpfiles-setup.service"} <= set(after.split())


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda path: path.name)
def test_a_refused_system_call_fails_and_does_not_kill(template: Path) -> None:
    """MongoDB's server makes a refused one (mincore) as soon as it starts, and goes on without it."""
    text = with_hardening(template)
    assert "SystemCallFilter=@system-service" in text
    assert "SystemCallErrorNumber=EPERM" in text


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda path: path.name)
def test_common_hardening_is_not_repeated(template: Path) -> None:
    assert not set(template.read_text().splitlines()).intersection(hardening())


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda path: path.name)
def test_a_filter_begins_with_what_it_allows(template: Path) -> None:
    """A first line with ~ would allow everything else."""
    assert re.findall(r"^SystemCallFilter=(.*)$", with_hardening(template), re.MULTILINE)[0] == "@system-service"


def test_a_unit_can_go_without_a_directive() -> None:
    everything = hardening()
    assert {"PrivateUsers=true", "PrivateTmp=true", "ProtectSystem=strict"} <= set(everything)
    some = hardening(without=["PrivateUsers", "RemoveIPC"])
    assert [line for line in everything if line not in some] == ["PrivateUsers=true", "RemoveIPC=true"]


def test_mongod_reads_a_key_that_its_group_cannot() -> None:
    """The server refuses another one, and systemd 255 and newer hand over credentials as 0440."""
    key = "/run/mongod/keyfile"
    assert yaml.safe_load((ROOT / "roles/mongodb/vars/main.yml").read_text())["_mongodb_keyfile"] == key
    unit = (ROOT / "roles/mongodb/templates/mongod.service.j2").read_text()
    assert "ExecStartPre=/usr/bin/install --mode=0400 ${CREDENTIALS_DIRECTORY}/mongodb-keyfile {{ _mongodb_keyfile }}" in unit
    assert "keyFile: {{ _mongodb_keyfile }}" in (ROOT / "roles/mongodb/templates/mongod.conf.j2").read_text()


def test_the_stream_is_not_restarted_where_only_the_operator_helps() -> None:
    template = ROOT / "roles/spark_jobs/templates/job.service.j2"
    lines = rendered(
        template,
        job="stream",
        spark_jobs_checkpoint_directory="/x/y",
        spark_jobs_driver_memory_max="1G",
        spark_jobs_metrics_tls={},
        _spark_jobs_state="/x",
    )
    assert "Restart=always" in lines
    assert f"RestartPreventExitStatus={ExitCode.INPUT:d} {ExitCode.CONFIGURATION:d}\n" in lines


def test_no_unit_is_forgotten() -> None:
    assert {path.name for path in TEMPLATES} == NAMES.keys()
    assert len(NAMES["app.service.j2"]) == 5


def test_every_server_and_app_waits_for_the_firewall() -> None:
    (units,) = computed("single", "firewall_guarded_units", "-e", "quartet_monitoring=full").values()
    # the drill's network is its own
    assert sorted(units) == sorted(name for names in NAMES.values() for name in names if name != "quartet-restore-drill.service")


def test_a_vm_has_the_units_of_its_groups() -> None:
    units = computed("lab", "firewall_guarded_units")
    assert units["vm3"] == ["kafka.service", "quartet-producer@.service", "prometheus-node-exporter.service"]
    assert units["vm4"] == ["quartet-inference.service", "prometheus-node-exporter.service"]


def test_the_guard_propagates_no_stop_and_no_restart() -> None:
    """Requires=, BindsTo= and PartOf= would restart the servers with the firewall."""
    text = (ROOT / "roles/firewall/templates/guard.conf.j2").read_text()
    settings = [line for line in text.splitlines() if not line.startswith("#")]
    assert "Wants=quartet-firewall.service" in settings
    assert "After=quartet-firewall.service" in settings
    assert not [line for line in settings if line.startswith(("Requires=", "BindsTo=", "PartOf=", "Requisite="))]


@pytest.mark.parametrize("job", ["backup", "restore-drill"])
def test_backup_and_drill_are_confined(tmp_path: Path, job: str) -> None:
    options = {"backup_directory": "/x", "backup_metrics_directory": "/y", "backup_memory_max": "1G", "backup_drill_memory_max": "1G"}
    unit = tmp_path / f"{job}.service"
    unit.write_text(rendered(ROOT / "roles/backup/templates/backup.service.j2", job=job, **options))
    judged = ["systemd-analyze", "security", "--offline=true", "--threshold=15", "--no-pager", str(unit)]
    result = subprocess.run(judged, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout[-2000:] + result.stderr


@pytest.mark.parametrize("daemon", ["prometheus", "alertmanager"])
def test_monitoring_is_confined_and_on_loopback_alone(tmp_path: Path, daemon: str) -> None:
    options = yaml.safe_load((ROOT / "roles/prometheus/defaults/main.yml").read_text())
    unit = tmp_path / f"{daemon}.service"
    unit.write_text(
        rendered(ROOT / "roles/prometheus/templates/prometheus.service.j2", daemon=daemon, _prometheus_receivers_file="/x", **options)
    )
    judged = ["systemd-analyze", "security", "--offline=true", "--threshold=15", "--no-pager", str(unit)]
    result = subprocess.run(judged, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout[-2000:] + result.stderr
    text = unit.read_text()
    assert re.findall(r"--web.listen-address=(\S+):", text) == ["127.0.0.1"]
    assert daemon == "prometheus" or "--cluster.listen-address= " in text


def test_both_of_monitoring_have_less_than_300_mib() -> None:
    options = yaml.safe_load((ROOT / "roles/prometheus/defaults/main.yml").read_text())
    assert options["prometheus_memory_max_mb"] + options["prometheus_alertmanager_memory_max_mb"] < 300


def test_the_console_is_confined(tmp_path: Path) -> None:
    """It listens to browsers, so it may have less than the others."""
    options = yaml.safe_load((ROOT / "roles/console/vars/main.yml").read_text())["_console_unit"] | {"memory_max": "256M"}
    unit = tmp_path / "quartet-console.service"
    unit.write_text(rendered(ROOT / "roles/app/templates/app.service.j2", app_name="console", app_user="quartet-console", app_unit=options))
    judged = ["systemd-analyze", "security", "--offline=true", "--threshold=12", "--no-pager", str(unit)]
    result = subprocess.run(judged, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout[-2000:] + result.stderr
    assert "LoadCredential=console.pem:/etc/quartet/pki/" in unit.read_text()
