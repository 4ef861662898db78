"""The VM after role base: it trusts, it has an environment, it is marked."""

from __future__ import annotations

import json

import pytest


@pytest.mark.parametrize("name", ["sample", "unfilled", "filled"])
def test_the_environment_has_the_locked_package(host, name):
    """Whether its packages came from the index or from a wheel directory."""
    python = f"/opt/quartet/{name}/current/bin/python"
    assert host.check_output(f"{python} -c 'import crc32c; print(crc32c.crc32c(b\"quartet\"))'").isdigit()


def test_the_environment_sees_debians_systemd_module(host):
    host.check_output("/opt/quartet/sample/current/bin/python -c 'import systemd.daemon'")


def test_the_operators_authorities_are_trusted(host):
    for file in host.check_output("find /usr/local/share/ca-certificates -name 'quartet-*.crt'").split():
        host.check_output("openssl verify -CAfile /etc/ssl/certs/ca-certificates.crt %s", file)


def test_the_secrets_folder_is_roots_alone(host):
    folder = host.file("/etc/quartet/secrets")
    assert (folder.user, folder.mode) == ("root", 0o700)


def test_the_manifest_names_what_was_added(host):
    manifest = json.loads(host.file("/etc/quartet/manifest.d/base.json").content_string)
    assert "/opt/quartet" in manifest["paths"]
    for package in manifest["packages"]:
        assert host.package(package).is_installed
