"""The console on a VM: who gets in, what it shows of a real broker and a real database, and how its unit stops."""

from __future__ import annotations

import json
import os
import shlex
import time
from pathlib import Path

import pytest
import yaml

SECRETS = Path(os.environ["MOLECULE_EPHEMERAL_DIRECTORY"]) / "inventory" / "secrets" / "secrets.yml"
URL = "https://10.77.0.117:8443"
CURL = "curl --silent --show-error --max-time 20 --cacert /etc/quartet/pki/ca.crt"


@pytest.fixture(scope="module", autouse=True)
def curl(host):
    host.check_output("command -v curl > /dev/null || apt-get install --yes --no-install-recommends curl")


@pytest.fixture(scope="module")
def password() -> str:
    return str(yaml.safe_load(SECRETS.read_text())["secrets_values"]["console_viewer_password"])


@pytest.fixture(scope="module")
def session(host, password):
    form = shlex.quote(f"user=viewer&password={password}")
    assert (
        host.check_output(f"{CURL} --cookie-jar /root/cookie --data {form} --output /dev/null --write-out '%{{http_code}}' {URL}/login")
        == "303"
    )
    return f"{CURL} --cookie /root/cookie"


def tiles(host, session):
    """Return the last state of the tiles that a page hears of within some seconds."""
    text = host.run(f"timeout 6 {session} --no-buffer {URL}/events").stdout
    return json.loads(text.split("event: tiles\n")[-1].split("data: ")[1].split("\n")[0])


def test_without_a_login_there_is_no_answer(host):
    for path in ("/", "/events", "/image/101-first-000000000001.png", "/static/console.js"):
        assert host.check_output(f"{CURL} --output /dev/null --write-out '%{{http_code}}' {URL}{path}") == "401"
    assert host.run("curl --silent --max-time 5 http://10.77.0.117:8443/").rc != 0


def test_it_counts_what_is_stored_and_says_why_the_rest_is_unknown(host, session):
    end = time.monotonic() + 90
    while not (rows := (found := tiles(host, session))["producers"]["rows"]) or rows[0]["stored"] < 60:
        assert time.monotonic() < end, found["producers"]
    assert (rows[0]["id"], rows[0]["stored"], rows[0]["inferred"], rows[0]["sent"]) == (101, 60, 0, None)
    assert found["units"]["rows"] is None
    assert "quartet_monitoring is none" in found["units"]["why"]
    assert found["tail"]["why"] is None
    assert found["about"]["database"].startswith("MongoDB ")


def test_images_are_served_as_png(host, session):
    path = f"{URL}/image/101-first-000000000007.png"
    assert host.check_output(f"{session} --output /root/image --write-out '%{{http_code}} %{{content_type}}' {path}") == "200 image/png"
    assert host.file("/root/image").content[:8] == b"\x89PNG\r\n\x1a\n"
    assert host.check_output(f"{session} --output /dev/null --write-out '%{{http_code}}' {URL}/image/101-first-999999999999.png") == "404"


def test_the_vm_has_no_password(host, password):
    assert host.run(f"grep --recursive --fixed-strings --quiet {password} /etc/quartet /opt/quartet/console /etc/systemd").rc == 1
    stored = host.file("/etc/quartet/secrets/console-viewer-password-hash")
    assert stored.content_string.startswith("scrypt$16384$")
    assert (stored.user, stored.mode) == ("root", 0o600)


def test_it_stops_soon_with_a_page_open_and_comes_back(host, session):
    host.check_output(f"nohup timeout 60 {session} --no-buffer --output /dev/null {URL}/events > /dev/null 2>&1 & sleep 3")
    begin = time.monotonic()
    host.check_output("systemctl stop quartet-console")
    assert time.monotonic() - begin < 6
    assert "ExecMainStatus=0" in host.check_output("systemctl show --property=ExecMainStatus quartet-console")
    host.check_output("systemctl start quartet-console")
    # the session outlives the process
    assert host.check_output(f"{session} --retry 10 --retry-connrefused --output /dev/null --write-out '%{{http_code}}' {URL}/") == "200"


def test_its_unit_is_confined(host):
    assert host.run("systemd-analyze security --threshold=12 --no-pager quartet-console.service").rc == 0
    memory = int(host.check_output("systemctl show --property=MemoryCurrent --value quartet-console"))
    assert memory < 200 * 2**20
