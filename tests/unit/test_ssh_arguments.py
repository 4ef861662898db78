"""ssh to the lab's machines works from a checkout whose path has a space, and offers the lab's key alone, however full an ssh-agent is."""

from __future__ import annotations

import importlib.util
import json
import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import phases
import pytest
import yaml
from vagrant_checkout import copy_checkout

ROOT = Path(__file__).resolve().parents[2]
# Stands in for ssh: writes down its arguments, and reaches nobody.
SSH = """#!/usr/bin/env python3
import json, os, sys
print(json.dumps(sys.argv[1:]), file=open(os.environ["CALLS"], "a"))
sys.exit(255)
"""
# Asks the real Vagrant what its Ansible provisioner would call, without a machine.
VAGRANT = """
require "vagrant"
require "ostruct"
env = Vagrant::Environment.new(cwd: ARGV[0], home_path: ARGV[1], ui_class: Vagrant::UI::Silent)
config = env.vagrantfile.machine_config(:vm4, nil, nil)[:config]
ansible = config.vm.provisioners.find { |row| row.type == :ansible }.config
ansible.finalize!
ssh = { keys_only: config.ssh.keys_only, private_key_path: config.ssh.private_key_path, locale: ENV["LC_ALL"] }
host = VagrantPlugins::Ansible::Provisioner::Host.new(OpenStruct.new(config: config, ssh_info: ssh, env: env), ansible)
host.instance_variable_set(:@ssh_info, ssh)
puts({ arguments: host.send(:ansible_ssh_args), check: ansible.host_key_checking, variables: ansible.extra_vars, ssh: ssh }.to_json)
"""


def judge(words: list[str], address: str, folder: str) -> None:
    """Compare what ssh makes of its arguments, in the words of ssh_config(5), with what they have to say."""
    given = list(words)
    if "-i" in given:  # of a file that is not there it would be left out
        place = given.index("-i")
        given[place : place + 2] = ["-o", f'IdentityFile="{given[place + 1]}"']
    output = subprocess.check_output(["ssh", "-F", "none", "-G", *given], text=True)
    found = dict(line.split(" ", 1) for line in output.splitlines() if " " in line)
    assert found["hostname"] == address
    assert os.path.normpath(found["userknownhostsfile"]) == f"{folder}/known_hosts"
    assert os.path.normpath(found["identityfile"]) == f"{folder}/id_ecdsa"
    assert (found["identitiesonly"], found["identityagent"]) == ("yes", "none")
    assert found["stricthostkeychecking"] in ("true", "yes", "ask")


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """What Vagrant and Ansible read of this checkout, in a folder with a space."""
    copy = tmp_path / "q w"
    copy_checkout(copy)
    return copy


def called(checkout: Path, *words: str, **environment: str) -> list[str]:
    """Return the arguments with which Ansible calls ssh for vm2 of the lab."""
    script, calls = checkout / "ssh", checkout / "calls"
    script.write_text(SSH)
    script.chmod(0o755)
    subprocess.run(
        [Path(sys.executable).parent / "ansible", "vm2", "-m", "raw", "-a", "true", *words],
        cwd=checkout,
        env={**os.environ, "CALLS": str(calls), "ANSIBLE_SSH_EXECUTABLE": str(script), **environment},
        capture_output=True,
        check=False,
    )
    arguments: list[str] = json.loads(calls.read_text().splitlines()[0])
    return arguments


def test_ansible(checkout: Path) -> None:
    judge(called(checkout), "10.77.0.12", f"{checkout}/.lab")


@pytest.mark.skipif(not shutil.which("vagrant"), reason="Vagrant is not installed")
def test_ansible_called_by_vagrant_up(checkout: Path) -> None:
    (checkout / "ask.rb").write_text(VAGRANT)
    home = checkout / "home"
    result = subprocess.run(
        ["ruby", "ask.rb", str(checkout), str(home)],
        cwd=checkout,
        env={**os.environ, "VAGRANT_HOME": str(home), "QUARTET_CACHE": str(checkout / "cache"), "LC_ALL": "xx_XX.UTF-8"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    said: dict[str, Any] = json.loads(result.stdout.splitlines()[-1])
    variables = ["-e", json.dumps(said["variables"])]
    checked = {"ANSIBLE_HOST_KEY_CHECKING": str(said["check"])}
    judge(called(checkout, *variables, ANSIBLE_SSH_ARGS=said["arguments"], **checked), "10.77.0.12", f"{checkout}/.lab")
    assert said["ssh"]["keys_only"] is True
    assert said["ssh"]["locale"] == "C.UTF-8"
    assert said["ssh"]["private_key_path"][0] == f"{checkout}/.lab/id_ecdsa"


def test_molecule() -> None:
    rows = yaml.safe_load((ROOT / ".config/molecule/config.yml").read_text())["driver"]["ssh_connection_options"]
    words = shlex.split(" ".join(rows).replace("${MOLECULE_PROJECT_DIRECTORY}", "/srv/q w"))
    judge([*words, "-i", "/srv/q w/.lab/id_ecdsa", "10.77.0.103"], "10.77.0.103", "/srv/q w/.lab")


def test_molecules_tests_of_torch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MOLECULE_PROJECT_DIRECTORY", "/srv/q w")
    spec = importlib.util.spec_from_file_location("test_torch", ROOT / "molecule/inference/tests/test_torch.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    judge(module.SSH[1:], "10.77.0.112", "/srv/q w/.lab")


def test_the_phases_and_the_measures(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[list[str]] = []
    done = subprocess.CompletedProcess("", 0, stdout="")
    monkeypatch.setattr(phases.subprocess, "run", lambda words, **_: calls.append(words) or done)
    phases.on_machine("vm1", "true")
    monkeypatch.undo()
    judge(calls[0][1:], "10.77.0.11", ".lab")
