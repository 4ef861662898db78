"""The playbooks' filters, called as Python."""

from __future__ import annotations

from pathlib import Path

from role_modules import load_file

ROOT = Path(__file__).resolve().parents[2]
FILTERS = {
    name: function
    for path in sorted(ROOT.glob("playbooks/filter_plugins/*.py"))
    for name, function in load_file(path, path.stem).FilterModule().filters().items()
}


def test_a_vm_gets_the_rows_of_its_groups() -> None:
    connections = [
        {"what": "broker", "ports": [9093], "to": ["kafka"], "from": ["producer", "spark"]},
        {"what": "database", "ports": [27017], "to": ["mongodb"], "from": ["spark"]},
        {"what": "page", "ports": [8080], "to": ["kafka"], "from": ["unknown"], "clients": ["198.51.100.0/24"]},
    ]
    groups = {"producer": ["vm3", "vm2"], "spark": ["vm2"]}
    addresses = {"vm2": "192.0.2.2", "vm3": "192.0.2.3"}
    assert FILTERS["firewall_rows"](connections, ["kafka"], groups, addresses) == [
        {"what": "broker", "ports": [9093], "from": ["192.0.2.2", "192.0.2.3"]},
        {"what": "page", "ports": [8080], "from": ["198.51.100.0/24"]},
    ]


def test_known_are_group_variables_and_options_of_every_entry_point(tmp_path: Path) -> None:
    for path, text in {
        "playbooks/group_vars/all.yml": "quartet_a: 1\n",
        "playbooks/group_vars/quartet/empty.yml": "---\n",
        "playbooks/group_vars/quartet/parts.yml": "quartet_b: 2\n",
        "roles/one/meta/argument_specs.yml": (
            "argument_specs:\n  main:\n    options: {one_x: &x {type: str}}\n  load:\n    options: {one_x: *x, one_y: {type: str}}\n  bare: {}\n"
        ),
    }.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text)
    assert FILTERS["known_variables"](str(tmp_path)) == ["one_x", "one_y", "quartet_a", "quartet_b"]
    assert FILTERS["variable_prefixes"](str(tmp_path)) == ["quartet", "one"]
