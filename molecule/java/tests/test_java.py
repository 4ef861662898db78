"""The runtime runs, and the jars are the ones of the lock."""

from __future__ import annotations


def test_java_runs(host):
    assert 'version "17' in host.run("java -version").stderr


def test_the_jars_are_those_of_the_lock(host):
    assert host.check_output("ls /opt/quartet/sample-jars") == "slf4j-api-1.7.36.jar"
    host.check_output("java -cp /opt/quartet/sample-jars/slf4j-api-1.7.36.jar --version")
