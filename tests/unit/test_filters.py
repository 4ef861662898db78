"""The filters of the playbooks and roles, called as Python."""

from __future__ import annotations

import re
from pathlib import Path

from quartet.console.login import Password
from role_modules import load_file

ROOT = Path(__file__).resolve().parents[2]
FILTERS = {
    name: function
    for path in sorted([*ROOT.glob("playbooks/filter_plugins/*.py"), *ROOT.glob("roles/*/filter_plugins/*.py")])
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


def test_files_of_what_has_a_name() -> None:
    assert FILTERS["secret_files"]({"a": "x", "b/c": "y"}) == [
        {"path": "/etc/quartet/secrets/a", "content": "x", "mode": "0600"},
        {"path": "/etc/quartet/secrets/b/c", "content": "y", "mode": "0600"},
    ]
    (row,) = FILTERS["json_files"]({"1": {"z": 1, "a": None}}, "/etc/x")
    assert row == {"path": "/etc/x/1.json", "content": '{\n    "z": 1,\n    "a": null\n}\n'}
    assert FILTERS["link_files"](["/a", "/b"], "c") == [{"path": path, "state": "link", "src": "c"} for path in ("/a", "/b")]


def test_what_a_failed_task_said() -> None:
    result = {"failed": True, "msg": "non-zero return code", "stderr": " no space\n", "stdout": ""}
    assert FILTERS["failure_words"](result) == ["non-zero return code", "no space"]
    loop = {
        "msg": "One or more items failed",
        "results": [{"item": "a"}, {"item": "b", "failed": True, "msg": "away"}, {"failed": True, "msg": "away"}],
    }
    assert FILTERS["failure_words"](loop) == ["b", "away"]


def test_a_text_without_the_secrets() -> None:
    hidden = FILTERS["without_secrets"]("user:a.b and a.bc, axb", ["a.b", "a.bc", "", None])
    assert hidden == "user:******** and ********, axb"
    assert FILTERS["without_secrets"]("text", []) == "text"


def test_units_of_an_app() -> None:
    unit = {"name": "quartet-producer", "instantiated": True, "credentials": {"kafka-password": "producer-kafka-password"}}
    first, second = FILTERS["app_units"]([{"name": "1"}, {"name": "2"}], "producer", unit)
    assert (first["name"], second["name"]) == ("quartet-producer@1.service", "quartet-producer@2.service")
    assert first["inputs"] == [
        "/opt/quartet/producer/current",
        "/etc/systemd/system/quartet-producer@.service",
        "/etc/quartet/producer/1.json",
        "/etc/quartet/pki/ca.crt",
        "/etc/quartet/secrets/producer-kafka-password",
    ]
    (only,) = FILTERS["app_units"]([{"name": "settings"}], "inference", {"name": "quartet-inference"})
    assert only["name"] == "quartet-inference.service"
    assert only["inputs"][1:3] == ["/etc/systemd/system/quartet-inference.service", "/etc/quartet/inference/settings.json"]


def test_the_settings_of_producers() -> None:
    rows = [{"id": 7}, {"id": 9, "dataset": "glyphs", "rate": 20, "slice": {"index": 0, "of": 1}, "metrics_port": 9400}]
    first, second = FILTERS["producer_instances"](rows, {"kafka": {}}, "cifar10", "/var/lib/x", "first")
    assert first["name"] == "7"
    assert first["settings"] == {
        "kafka": {},
        "producer_id": 7,
        "dataset": {"kind": "cifar10", "path": "/var/lib/x"},
        "split": "test",
        "slice": {"index": 0, "of": 2},
        "rate": 0,
        "count": 0,
        "seed": 1,
        "run": "first",
        "distortion": {"kind": "none", "severity": 0},
        "metrics_port": 9301,
    }
    assert second["settings"]["dataset"] == {"kind": "glyphs", "path": None}
    assert (second["settings"]["rate"], second["settings"]["slice"], second["settings"]["metrics_port"]) == (
        20,
        {"index": 0, "of": 1},
        9400,
    )


def test_what_a_certificate_is_asked_for() -> None:
    assert FILTERS["certificate_request"]({"common_name": "x", "subject_alt_names": ["IP:192.0.2.2", "DNS:a"]}) == "CN=x DNS:a,IP:192.0.2.2"
    assert FILTERS["certificate_request"]({"common_name": "x"}) == "CN=x "


def test_collections_with_their_validators(tmp_path: Path) -> None:
    (tmp_path / "image.json").write_text('{"bsonType": "object"}')
    rows = FILTERS["with_validators"]([{"name": "a", "schema": "image"}, {"name": "b"}], str(tmp_path))
    assert [row["validator"] for row in rows] == [{"bsonType": "object"}, {}]


def test_the_first_voters_of_a_cluster() -> None:
    """Every node is formatted with the same list; https://kafka.apache.org/documentation/#kraft_config has its form."""
    nodes = [{"id": 12, "address": "192.0.2.1"}, {"id": 7, "address": "192.0.2.2"}]
    initial_controllers = FILTERS["initial_controllers"]
    text = initial_controllers(nodes, "a-cluster-of-22-letters", 9094)
    rows = [re.fullmatch(r"(\d+)@([\d.]+):9094:([\w][\w-]{21})", row) for row in text.split(",")]
    assert all(rows)
    assert [(row[1], row[2]) for row in rows if row] == [("12", "192.0.2.1"), ("7", "192.0.2.2")]
    assert len({row[3] for row in rows if row}) == 2
    assert initial_controllers(nodes, "a-cluster-of-22-letters", 9094) == text
    assert initial_controllers(nodes, "another", 9094) != text
    many = initial_controllers([{"id": number, "address": "a"} for number in range(300)], "c", 1)
    assert ":-" not in many


def test_the_console_knows_the_password_by_the_hash_that_the_role_writes() -> None:
    hashed = FILTERS["scrypt_hash"]("a password", "an inventory")
    assert Password(hashed).fits("viewer", "a password")
    assert not Password(hashed).fits("viewer", "another")
    assert hashed == FILTERS["scrypt_hash"]("a password", "an inventory") != FILTERS["scrypt_hash"]("a password", "another inventory")
