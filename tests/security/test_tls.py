"""TLS: versions, names, and what the product's own clients say of a certificate that they must not trust."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
from security.certificates import foreign_authority, lab_authority, signed
from security.evidence import refused
from security.lab import CA, DATABASE_USERS, KAFKA, KAFKA_USERS, MACHINES, MONGODB, python_on

# Where each port is tried from, a machine that may reach it, and the certificate that it asks for
_ADMINISTRATOR = "/etc/quartet/pki/kafka-admin.pem"
PORTS = [
    ("vm2", "db_consumer", "vm1", 27017, None),
    ("vm2", "db_consumer", "vm3", 9093, None),
    ("vm3", "producer", "vm3", 9092, _ADMINISTRATOR),
    ("vm3", "producer", "vm3", 9094, _ADMINISTRATOR),
]

_VERSIONS = """
import socket, ssl, tempfile, threading
from ssl import TLSVersion

def context(version):
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    made.set_ciphers("ALL:@SECLEVEL=0")  # OpenSSL itself refuses the old versions above this level
    made.minimum_version = made.maximum_version = version
    made.load_verify_locations(order["ca"])
    if order["certificate"]:
        made.load_cert_chain(order["certificate"])
    return made

def connect(address, port, version, name):
    try:
        with socket.create_connection((address, port), 5) as plain, context(version).wrap_socket(plain, server_hostname=name) as secure:
            return ["accepted", secure.version(), sorted(value for _, value in secure.getpeercert()["subjectAltName"])]
    except ssl.SSLError as error:
        return ["refused", str(error), []]

answer = {version: connect(order["address"], order["port"], TLSVersion[version], order["address"]) for version in order["versions"]}
answer["another name"] = connect(order["address"], order["port"], TLSVersion.TLSv1_3, "quartet.example")

# The same client does speak the old versions, with a server that allows them: what refuses them above is the server.
server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
server.set_ciphers("ALL:@SECLEVEL=0")
server.minimum_version = TLSVersion.TLSv1
server.maximum_version = TLSVersion.TLSv1_1
with tempfile.NamedTemporaryFile("w", dir="/run") as own:
    own.write(order["own"])
    own.flush()
    server.load_cert_chain(own.name)
with socket.create_server(("127.0.0.1", 0)) as listening:
    def serve():
        for _ in range(2):
            connection, _ = listening.accept()
            try:
                server.wrap_socket(connection, server_side=True).close()
            except OSError:
                pass
    threading.Thread(target=serve, daemon=True).start()
    answer["old"] = [connect("127.0.0.1", listening.getsockname()[1], TLSVersion[version], "127.0.0.1")[0] for version in ("TLSv1", "TLSv1_1")]
"""


@pytest.mark.parametrize(("source", "app", "target", "port", "certificate"), PORTS)
def test_old_versions_and_other_names_are_refused(source: str, app: str, target: str, port: int, certificate: str | None) -> None:
    found = python_on(
        source,
        app,
        _VERSIONS,
        address=MACHINES[target],
        port=port,
        certificate=certificate,
        ca=CA,
        own=signed(lab_authority(), "sec"),
        versions=["TLSv1", "TLSv1_1", "TLSv1_2", "TLSv1_3"],
    )
    assert found["old"] == ["accepted", "accepted"], "this client cannot speak the old versions, so it proves nothing"
    for version in ("TLSv1", "TLSv1_1"):
        outcome, line, _ = found[version]
        assert outcome == "refused", version
        assert "_ALERT_" in line, f"not the server's alert: {line}"
        refused(f"{target}, port {port}: {version}", "server: TLS", line)
    for version in ("TLSv1_2", "TLSv1_3"):
        assert found[version] == ["accepted", version.replace("_", "."), sorted([MACHINES[target], target, "localhost", "127.0.0.1"])]
    outcome, line, _ = found["another name"]
    assert outcome == "refused"
    assert "ostname mismatch" in line, line
    refused(f"{target}, port {port}: its certificate under another name", "client: TLS", line)


# The product's own clients, one against a server that shows `certificate`, trusting `ca`.
_CLIENTS = """
import os, pathlib, socket, ssl, tempfile, threading
from quartet.kafka import client as kafka_client
from quartet.mongodb import client as mongodb_client
from quartet.runtime.errors import QuartetError, Unavailable
from quartet.runtime.settings import Kafka, MongoDB

folder = tempfile.TemporaryDirectory(dir="/run")

def file(name, text):
    path = pathlib.Path(folder.name, name)
    path.touch(mode=0o600)
    path.write_text(text)
    return str(path)

def outcome(call):
    try:
        call()
        return ["connected", ""]
    except (QuartetError, Unavailable) as error:
        return [type(error).__name__, str(error)]

def serve(certificate):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    listening = socket.create_server(("127.0.0.1", 0))
    def one(connection):
        try:
            context.wrap_socket(connection, server_side=True).close()
        except OSError:
            connection.close()
    def accept():
        while True:
            threading.Thread(target=one, args=(listening.accept()[0],), daemon=True).start()
    threading.Thread(target=accept, daemon=True).start()
    return f"127.0.0.1:{listening.getsockname()[1]}"

def kafka(address, ca):
    settings = Kafka(bootstrap_servers=[address], user="db_consumer", ca_file=ca)
    return outcome(lambda: kafka_client.connect_reader(settings, pathlib.Path(order["kafka_password"]).read_text().strip()))

def mongodb(address, ca):
    settings = MongoDB(hosts=[address], user="db_consumer", ca_file=ca)
    def ping():
        with mongodb_client.translate_errors():
            mongodb_client.connect(settings, pathlib.Path(order["mongodb_password"]).read_text().strip(), app="sec").admin.command("ping")
    return outcome(ping)

foreign = file("foreign", order["foreign_ca"])
expired = serve(file("expired", order["expired"]))
tries = {
    "Kafka of a foreign authority": (kafka, order["kafka"], foreign),
    "Kafka whose certificate has expired": (kafka, expired, order["ca"]),
    "database of a foreign authority": (mongodb, order["mongodb"], foreign),
    "database whose certificate has expired": (mongodb, expired, order["ca"]),
    "Kafka": (kafka, order["kafka"], order["ca"]),
    "database": (mongodb, order["mongodb"], order["ca"]),
}
call, *arguments = tries[order["name"]]
answer = call(*arguments)
"""
_UNTRUSTED = (
    "Kafka of a foreign authority",
    "Kafka whose certificate has expired",
    "database of a foreign authority",
    "database whose certificate has expired",
)


def test_the_apps_name_a_certificate_that_they_do_not_trust() -> None:
    order = {
        "kafka": KAFKA,
        "mongodb": MONGODB,
        "ca": CA,
        "kafka_password": KAFKA_USERS["db_consumer"][2],
        "mongodb_password": DATABASE_USERS["db_consumer"],
        "foreign_ca": foreign_authority().pem,
        "expired": signed(lab_authority(), "quartet-kafka", first_day=-30, last_day=-1),
    }
    names = ("Kafka", "database", *_UNTRUSTED)
    with ThreadPoolExecutor() as threads:
        found = dict(
            zip(names, threads.map(lambda name: python_on("vm2", "db_consumer", _CLIENTS, name=name, **order), names), strict=True)
        )
    assert found.pop("Kafka") == found.pop("database") == ["connected", ""]
    for name, (kind, message) in found.items():
        assert kind != "connected", name
        assert "certificate" in message, (name, message)
        assert "expired" in message or "expired" not in name, (name, message)
        refused(name, "quartet", message)
