"""What MongoDB asks of the kernel: the role sets it at once and for every boot, and the server no longer warns."""

from __future__ import annotations

from molecule_play import ROOT, ansible, scenario_inventory

MEMORY = {"/proc/sys/vm/max_map_count": "128000", "/proc/sys/vm/swappiness": "1"}
HUGE_PAGES = "/sys/kernel/mm/transparent_hugepage"
BEFORE_8_0 = {**MEMORY, f"{HUGE_PAGES}/enabled": "always madvise [never]"}
SINCE_8_0 = {
    **MEMORY,
    f"{HUGE_PAGES}/enabled": "[always] madvise never",
    f"{HUGE_PAGES}/defrag": "always defer [defer+madvise] madvise never",
    f"{HUGE_PAGES}/khugepaged/max_ptes_none": "0",
    "/proc/sys/vm/overcommit_memory": "1",
}
# What the server (6.0) says at its start about the system that it finds
WARNINGS = "journalctl --no-pager --boot --unit=mongod --output=cat | grep startupWarnings || true"
OF_THE_KERNEL = ("hugepage", "max_map_count", "rlimit")


def apply(entry, **options):
    """Run an entry of the role on the machine; return what Ansible printed."""
    secrets = scenario_inventory() / "secrets/secrets.yml"
    given = [word for name, value in options.items() for word in ("-e", f"{name}={value}")]
    call = ("-m", "include_role", "-a", f"name=mongodb tasks_from={entry}")
    where = (f"--playbook-dir={ROOT}/playbooks", "-e", f"@{secrets}", "-e", "ansible_become=true")
    status, output = ansible("ansible", "mongodb", *where, *given, *call, seconds=600)
    assert status == 0, output[-3000:]
    return output


def settings(machine, wanted):
    values = machine.run("".join(f"cat {file}\n" for file in wanted)).splitlines()
    return dict(zip(wanted, values, strict=True))


def test_the_kernel_is_as_debian_made_it_and_the_server_warns(machine):
    found = settings(machine, BEFORE_8_0)
    assert all(found[file] != value for file, value in BEFORE_8_0.items()), found
    assert "max_map_count" in machine.run(WARNINGS)


def test_the_kernel_takes_what_a_server_since_8_0_asks_for(machine):
    apply("kernel", mongodb_distribution="mongodb_org")
    assert settings(machine, SINCE_8_0) == SINCE_8_0


def test_the_configuration_of_the_server_that_is_there_sets_the_kernel(machine):
    apply("configure")
    assert settings(machine, BEFORE_8_0) == BEFORE_8_0


def test_a_second_run_changes_nothing(machine):
    assert "CHANGED" not in apply("kernel")


def test_a_reboot_keeps_it_and_the_server_no_longer_warns(machine):
    machine.reboot()
    assert settings(machine, BEFORE_8_0) == BEFORE_8_0
    assert [line for line in machine.run(WARNINGS).splitlines() if any(word in line for word in OF_THE_KERNEL)] == []
    limits = machine.run("grep 'Max open files' /proc/$(systemctl show -P MainPID mongod)/limits").split()
    assert limits[3:5] == ["64000", "64000"]
    assert machine.run("systemctl --failed --plain --no-legend") == ""
