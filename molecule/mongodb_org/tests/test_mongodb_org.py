"""What the role installs: packages from a signed source, a confined unit, a configuration without holes."""

from __future__ import annotations

import yaml


def test_the_package_came_from_the_signed_source(host):
    source = host.file("/etc/apt/sources.list.d/mongodb-org.list").content_string
    assert "[signed-by=/etc/apt/keyrings/mongodb-org.asc]" in source
    assert host.package("mongodb-org-server").version == "6.0.5"


def test_a_source_that_another_key_signed_is_refused(host):
    host.check_output("cp /etc/apt/keyrings/mongodb-org.asc /run/kept.asc")
    host.check_output(
        "GNUPGHOME=$(mktemp -d); export GNUPGHOME; gpg --batch --quiet --passphrase '' --quick-generate-key stranger rsa2048 sign 1d"
        " && gpg --armor --export > /etc/apt/keyrings/mongodb-org.asc"
    )
    try:
        output = host.run(
            "apt-get update -o Dir::Etc::sourceparts=/dev/null -o Dir::Etc::sourcelist=/etc/apt/sources.list.d/mongodb-org.list"
        )
        assert "NO_PUBKEY" in output.stdout + output.stderr
    finally:
        host.check_output("cp /run/kept.asc /etc/apt/keyrings/mongodb-org.asc")


def test_the_configuration_has_no_hole(host):
    config = yaml.safe_load(host.file("/etc/mongod.conf").content_string)
    assert config["net"]["tls"]["mode"] == "requireTLS"
    assert config["net"]["bindIp"] == "10.77.0.122"
    assert "zlib" not in config["net"]["compression"]["compressors"]
    assert config["security"]["authorization"] == "enabled"
    assert config["security"]["keyFile"] == "/run/credentials/mongod.service/mongodb-keyfile"
    assert config["security"]["javascriptEnabled"] is False
    assert config["replication"]["replSetName"] == "quartet"
    assert config["setParameter"] == {"authenticationMechanisms": "SCRAM-SHA-256", "enableLocalhostAuthBypass": False}


def test_the_unit_is_hardened(host):
    result = host.run("systemd-analyze security --offline=true --threshold=15 /etc/systemd/system/mongod.service")
    assert result.rc == 0, result.stdout[-400:]


def test_the_members_key_is_roots_alone(host):
    key = host.file("/etc/quartet/secrets/mongodb-keyfile")
    assert (key.user, key.mode) == ("root", 0o600)
    assert len(key.content_string.strip()) == 756
