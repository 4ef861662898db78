"""Phase 4: the four-VM lab, end to end, as a user brings it up; judged by what is in the database and on the wire."""

from __future__ import annotations

import json
import re
import ssl
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable
from pathlib import Path
from subprocess import check_output

import pytest
import yaml
from phases import MACHINES, ROOT, SHARED, Command, run
from port_table import reachable

Ssh = Callable[..., str]
PLAY = ("ansible-playbook", "-i", "inventory/lab")
CONSOLE = f"https://{MACHINES['vm2']}:8443"

# Reads the database as the auditor, past the product's own commands.
SUMMARY = """
import collections, hashlib, json, pathlib, pymongo
settings = json.load(open("/etc/quartet/spark_jobs/auditor.json"))
password = pathlib.Path("/etc/quartet/secrets/auditor/mongodb-password").read_text().strip()
client = pymongo.MongoClient(settings["mongodb"]["hosts"], username="auditor", password=password, tls=True, tlsCAFile=settings["mongodb"]["ca_file"])
image, results = client["kafka_db"]["image"], client["team5_vm3_db"]
state = hashlib.sha256()
images = inferences = damaged = 0
for row in image.find().sort("_id", 1):
    images += 1
    damaged += hashlib.sha256(row["image"]).hexdigest() != row["payload_sha256"] or len(row["image"]) != 3072
    state.update(repr(sorted(row.items())).encode())
right = collections.defaultdict(lambda: [0, 0])
for row in results["images"].find().sort("_id", 1):
    inferences += 1
    state.update(repr(sorted(row.items())).encode())
    score = right[row["id"].rsplit("-", 1)[0]]
    score[0] += row["image_prediction"] == row.get("actual_value")
    score[1] += 1
wrong = lambda name: {str(row["producer_id"]): [row["incorrect_count"], row["total_count"]] for row in results[name].find()}
print(json.dumps({"images": images, "inferences": inferences, "damaged": damaged, "state": state.hexdigest(), "right": right,
                  "batch": wrong("incorrect_inference_results"), "stream": wrong("incorrect_inference_stream_results")}))
"""

# Plaintext gets nothing or a TLS alert from Kafka and from the database; TLS gets a certificate of the lab's authority.
REFUSES = """
import socket, ssl
for address, port in (("10.77.0.13", 9093), ("10.77.0.11", 27017)):
    with socket.create_connection((address, port), 5) as plain:
        plain.settimeout(5)
        plain.sendall(b"\\0\\0\\0\\x10\\0\\x12\\0\\0\\0\\0\\0\\1\\0\\4test")
        try:
            answer = plain.recv(64)
        except OSError:
            answer = b""
        assert not answer or answer.startswith(b"\\x15\\3"), answer
    context = ssl.create_default_context(cafile="/etc/quartet/pki/ca.crt")
    with socket.create_connection((address, port), 5) as wrapped, context.wrap_socket(wrapped, server_hostname=address) as secure:
        assert secure.version() in ("TLSv1.2", "TLSv1.3")
"""

# Which ports of machines let a packet through: those that accept and those that refuse. What is dropped is silent.
SCAN = """
import asyncio, json
async def passes(address, port):
    try:
        _, writer = await asyncio.wait_for(asyncio.open_connection(address, port), 4)
        writer.close()
    except asyncio.TimeoutError:
        return False
    except ConnectionRefusedError:
        pass
    return True
async def scan(machines):
    ports = [22, 80, 111, 443, 4040, 6066, 8080, 8081, 8443, 8888, *range(7070, 7105), *range(9090, 9096), 27016, 27017, 27018, 50000]
    ports += [9100, 9211, 9212, 9221, 9230, 9240, 9301, 9302]
    found = {}
    for machine, address in machines.items():
        answers = await asyncio.gather(*(passes(address, port) for port in ports))
        found[machine] = [port for port, answer in zip(ports, answers) if answer]
    return found
"""


@pytest.fixture(scope="session")
def database(ssh: Ssh) -> Callable[[], dict[str, object]]:
    """Return a function that sums up what the database holds."""

    def summary() -> dict[str, object]:
        found: dict[str, object] = json.loads(ssh("vm2", f"/opt/quartet/db_consumer/current/bin/python - << 'END'\n{SUMMARY}\nEND"))
        return found

    return summary


def drained_and_verified(command: Command) -> str:
    command(*PLAY, "playbooks/wait.yml")
    return command(*PLAY, "playbooks/verify.yml")


def test_make_lab_ends_with_the_verified_table(lab: str) -> None:
    assert "verified: stream = batch = recount" in lab
    report = ROOT / "reports/lab/report.html"
    page = report.read_text()
    assert not re.search(r"""(src|href)=["']?(https?:)?//""", page), "the page must be self-contained"
    assert "<img" in page
    assert (ROOT / "reports/lab/report.png").read_bytes().startswith(b"\x89PNG")


def test_two_thousand_images_are_stored_classified_and_counted(database: Callable[[], dict[str, object]]) -> None:
    found = database()
    assert (found["images"], found["inferences"], found["damaged"]) == (2000, 2000, 0)
    assert found["batch"] == found["stream"]
    wrong = found["batch"]
    assert isinstance(wrong, dict)
    assert wrong["101"][1] == wrong["102"][1] == 1000
    assert wrong["102"][0] > wrong["101"][0] + 200


def test_a_second_run_of_site_changes_nothing(lab: str, command: Command) -> None:
    begin = time.monotonic()
    recap = command(*PLAY, "site.yml").split("PLAY RECAP")[1]
    print(f"second site.yml run: {time.monotonic() - begin:.0f} s", file=sys.__stderr__)
    assert re.findall(r"changed=(\d+)", recap) == ["0"] * 4, recap


def test_sending_and_reading_everything_again_changes_nothing(
    command: Command, ssh: Ssh, database: Callable[[], dict[str, object]]
) -> None:
    before = database()
    command(*PLAY, "playbooks/run.yml", "-e", "images=2000", "-e", "run=first")
    units = {"vm2": "quartet-db-consumer@images quartet-db-consumer@inferences", "vm4": "quartet-inference"}
    for machine, names in units.items():
        ssh(machine, f"systemctl stop {names}")
    ssh(
        "vm3",
        "printf 'security.protocol=SSL\\nssl.keystore.type=PEM\\nssl.keystore.location=/etc/quartet/pki/kafka-admin.pem\\n"
        "ssl.truststore.type=PEM\\nssl.truststore.location=/etc/quartet/pki/ca.crt\\n' > /run/admin.properties\n"
        "tool=$(echo /opt/quartet/kafka*/bin/kafka-consumer-groups.sh)\n"
        "connect='--bootstrap-server 10.77.0.13:9092 --command-config /run/admin.properties'\n"
        "for group in $($tool $connect --list | grep -E '^(db-consumer|inference)-'); do\n"
        "  for try in $(seq 30); do\n"
        "    $tool $connect --group $group --reset-offsets --all-topics --to-earliest --execute | grep -q ' 0 *$' && break\n"
        "    sleep 3\n"
        "  done || exit 1\n"
        "done",
    )
    for machine, names in units.items():
        ssh(machine, f"systemctl start {names}")
    drained_and_verified(command)
    assert database() == before


def test_plaintext_and_strangers_are_refused(lab: str, ssh: Ssh) -> None:
    """Tried from vm2, which the firewall lets through to both servers."""
    ssh("vm2", f"python3 - << 'END'\n{REFUSES}\nEND")


def test_the_firewall_opens_what_the_page_says_and_nothing_else(lab: str, ssh: Ssh) -> None:
    """From this host and from every VM to every other. A port without a listener refuses where the firewall lets a packet through."""
    for source in ("elsewhere", *MACHINES):
        targets = {machine: address for machine, address in MACHINES.items() if machine != source}
        script = f"{SCAN}\nprint(json.dumps(asyncio.run(scan({targets}))))"
        found = (
            ssh(source, f"python3 - << 'END'\n{script}\nEND")
            if source in MACHINES
            else check_output([sys.executable, "-c", script], text=True)
        )
        ports = {machine: set(rows) for machine, rows in json.loads(found).items()}
        assert ports == {machine: reachable(source, machine) for machine in targets}, source


def test_only_the_documented_ports_answer_from_outside(lab: str, ssh: Ssh) -> None:
    metrics = {"vm1": {9100}, "vm2": {9100, 9211, 9212, 9230, 9240}, "vm3": {9100, 9301, 9302}, "vm4": {9100, 9221}}
    servers = {"vm1": {22, 27017}, "vm2": {22, 8443, *range(7077, 7100)}, "vm3": {22, 9092, 9093, 9094}, "vm4": {22}}
    allowed = {machine: ports | metrics[machine] for machine, ports in servers.items()}
    for machine, ports in allowed.items():
        sockets = [line.split()[3] for line in ssh(machine, "ss -Hltn").splitlines()]
        outside = {int(name.rsplit(":", 1)[1]) for name in sockets if not name.startswith(("127.", "[::1]", "[::ffff:127."))}
        assert outside <= ports, (machine, outside)


def test_the_console_asks_for_a_login(lab: str) -> None:
    """From this host, which the lab lets in: nothing without a login, and with it an image that the database holds."""
    secrets = yaml.safe_load((ROOT / "inventory/lab/secrets/secrets.yml").read_text())["secrets_values"]
    trust = urllib.request.HTTPSHandler(context=ssl.create_default_context(cafile=str(ROOT / "inventory/lab/secrets/ca.crt")))
    browser = urllib.request.build_opener(trust, urllib.request.HTTPCookieProcessor())
    image = f"{CONSOLE}/image/101-first-000000000007.png"
    with pytest.raises(urllib.error.HTTPError, match="401"):
        browser.open(image, timeout=20)
    browser.open(
        f"{CONSOLE}/login", urllib.parse.urlencode({"user": "viewer", "password": secrets["console_viewer_password"]}).encode(), timeout=20
    )
    assert browser.open(image, timeout=20).read().startswith(b"\x89PNG")


def test_no_secret_shows(lab: str, ssh: Ssh) -> None:
    secrets = yaml.safe_load((ROOT / "inventory/lab/secrets/secrets.yml").read_text())["secrets_values"]
    canaries = {name: value for name, value in secrets.items() if name not in ("inventory_id", "kafka_cluster_id")}
    output = run(*PLAY, "site.yml", "-vvv", "--check", "--diff", seconds=900).stdout
    assert "PLAY RECAP" in output
    places = {"the output of -vvv --check --diff": output}
    for machine in ("vm1", "vm2", "vm3", "vm4"):
        places[f"the processes of {machine}"] = ssh(
            machine, "cat /proc/[0-9]*/cmdline /proc/[0-9]*/environ 2> /dev/null | tr '\\0' '\\n' | iconv -c -t ascii"
        )
        places[f"the journal of {machine}"] = ssh(machine, "journalctl --no-pager -o cat --all | iconv -c -t ascii")
    shown = [(name, place) for name, value in canaries.items() for place, text in places.items() if value in text]
    assert not shown


def test_the_units_that_run_are_hardened(ssh: Ssh) -> None:
    for machine in ("vm1", "vm2", "vm3", "vm4"):
        ssh(
            machine,
            "for file in /etc/systemd/system/quartet-*.service /etc/systemd/system/kafka.service /etc/systemd/system/spark-*.service "
            "/etc/systemd/system/mongod.service; do [ ! -f $file ] || systemd-analyze security --offline=true --threshold=15 $file "
            "> /tmp/score || { echo $file; tail -3 /tmp/score; exit 1; }; done",
        )


def test_the_documented_clients_work(lab: str, command: Command, tmp_path: Path, database: Callable[[], dict[str, object]]) -> None:
    """docs/contracts.md: its Python clients and its kcat calls are run as they stand there."""
    text = (ROOT / "docs/contracts.md").read_text()
    producer, reader = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    send, consume, tunnel, *_ = re.findall(r"```sh\n(.*?)```", text, re.DOTALL)
    (tmp_path / "producer.py").write_text(producer)
    (tmp_path / "reader.py").write_text(reader)
    (tmp_path / "kcat.sh").write_text(send + consume)
    assert re.search(r"partition \d+, offset \d+", command(sys.executable, str(tmp_path / "producer.py")))
    command("bash", "-c", tunnel)
    try:
        assert re.search(r"\d+ cats", command(sys.executable, str(tmp_path / "reader.py")))
    finally:
        run("pkill", "--full", "27017:10.77.0.11:27017")
    library = re.search(r"librdkafka (\d+)\.(\d+)\.(\d+)", command("kcat", "-V"))
    assert library
    # older ones cannot log in to Kafka 4 by SCRAM-SHA-512: https://github.com/edenhill/kcat/issues/462
    new_enough = tuple(map(int, library.groups())) >= (2, 6, 1)
    if new_enough:
        command("bash", str(tmp_path / "kcat.sh"))
    drained_and_verified(command)
    right = database()["right"]
    assert isinstance(right, dict)
    assert right["7001-mine"][1] == 1
    assert not new_enough or right["7002-mine"][1] == 1


@pytest.mark.shared
@pytest.mark.skipif(not SHARED.is_dir(), reason="../shared (real CIFAR-10 images) is not there")
def test_real_cifar10_images_are_classified_well(
    command: Command, database: Callable[[], dict[str, object]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = Path(tmp_path_factory.mktemp("cifar10"))
    command(sys.executable, str(SHARED / "data/make_cifar10.py"), str(folder))
    dataset = f"quartet_dataset=cifar10 quartet_dataset_source={folder} quartet_run=cifar"
    command(*PLAY, "site.yml", "--limit=vm3", "-e", dataset, seconds=900)
    drained_and_verified(command)
    right = database()["right"]
    assert isinstance(right, dict)
    good, total = right["101-cifar"]
    print(f"accuracy on {total} real CIFAR-10 test images: {good / total:.3f}", file=sys.__stderr__)
    assert total == 1000
    assert good / total >= 0.90
