"""The daemons run, hardened, authenticated and out of reach where they should be.

`make test` runs them on the VM of the scenario spark_jobs, which has the role in use; `molecule test -s spark` on a VM with the role alone.
"""

import json
import time

import pytest

DAEMONS = ("spark-master", "spark-worker")
JOB = """
import os
from pyspark.sql import SparkSession
builder = SparkSession.builder.master("spark://ADDRESS:7077").config("spark.driver.host", "ADDRESS").config("spark.cores.max", "1")
for key, value in {"spark.executor.memory": "512m", "spark.driver.port": "7098", "spark.driver.blockManager.port": "7099"}.items():
    builder = builder.config(key, value)
spark = builder.getOrCreate()
import time
print("SUM", spark.sparkContext.parallelize(range(100), 4).map(lambda n: (time.sleep(0.3), n)[1]).sum())
"""


def unit(host, name, *properties):
    return host.check_output(f"systemctl show --value --property={','.join(properties)} {name}")


@pytest.fixture(scope="module")
def address(host):
    return host.check_output("ss -Hltn 'sport = :7077'").split()[3].replace("[::ffff:", "").replace("]", "").rsplit(":", 1)[0]


@pytest.fixture(autouse=True)
def journal(host, request):
    failed = request.session.testsfailed
    yield
    if request.session.testsfailed > failed:
        for name in DAEMONS:
            print(host.run(f"journalctl --no-pager --lines=50 --unit={name}").stdout)


@pytest.mark.parametrize("name", DAEMONS)
def test_runs(host, name):
    assert host.service(name).is_running
    assert host.service(name).is_enabled


@pytest.mark.parametrize("name", DAEMONS)
def test_is_hardened(host, name):
    assert host.run(f"systemd-analyze security --offline=true --threshold=15 --no-pager /etc/systemd/system/{name}.service").rc == 0


def page(host, port):
    read = f"import urllib.request as u; print(u.urlopen('http://127.0.0.1:{port}/json/').read().decode())"
    answer = host.run(f'python3 -c "{read}"')
    return json.loads(answer.stdout) if answer.rc == 0 else {}


def alive_workers(host):
    return [worker["id"] for worker in page(host, 8080).get("workers", []) if worker["state"] == "ALIVE"]


def test_the_worker_is_registered(host):
    assert page(host, 8080)["status"] == "ALIVE"
    assert alive_workers(host) == [page(host, 8081)["id"]]


def test_a_worker_that_starts_with_its_master_is_known(host, address):
    before = page(host, 8081)["id"]
    host.check_output("systemctl kill --signal=KILL spark-master spark-worker")
    end = time.monotonic() + 180
    # The master recovers for a minute, because the worker that it remembers is gone.
    while (found := page(host, 8081).get("id", before)) == before or page(host, 8080).get("status") != "ALIVE":
        assert time.monotonic() < end, (found, page(host, 8080), host.run("journalctl --no-pager -n 30 -u spark-worker").stdout)
        time.sleep(1)
    assert alive_workers(host) == [found]
    assert f"waiting for Spark's master at {address}:7077" in host.check_output("journalctl --no-pager -u spark-worker")


def test_the_daemons_listen_where_they_should_and_nowhere_else(host, address):
    processes = {f"pid={unit(host, name, 'MainPID')}," for name in DAEMONS}
    lines = host.check_output("ss -Hltnp").splitlines()
    listening = {
        line.split()[3].replace("[::ffff:", "").replace("]", "") for line in lines if any(process in line for process in processes)
    }
    assert listening == {f"{address}:7077", f"{address}:7078", "127.0.0.1:8080", "127.0.0.1:8081"}


def run_job(host, address, secret_file):
    host.check_output(f"install -m 0644 /dev/stdin /run/job.py <<'EOF'\n{JOB.replace('ADDRESS', address)}\nEOF")
    return host.run(
        "systemd-run --quiet --wait --pipe --collect --unit=try-spark --property=User=quartet-spark "
        f"--property=LoadCredential=java-options:{secret_file} --property=RuntimeMaxSec=120 "
        "--property=PrivateTmp=true --setenv=SPARK_HOME=/opt/quartet/spark-home --setenv=SPARK_CONF_DIR=/etc/quartet/spark "
        "--setenv=JAVA_HOME=/opt/quartet/spark-java --setenv=PYSPARK_PYTHON=/opt/quartet/spark/current/bin/python "
        "--working-directory=/ /opt/quartet/spark/current/bin/python /run/job.py"
    )


def test_a_job_runs_and_its_secret_shows_nowhere(host, address):
    secret = host.check_output("sed 's/.*=//' /etc/quartet/secrets/spark-java-options")
    assert len(secret) == 64
    # A process that shows it on purpose proves that the search finds what is there.
    host.check_output("sh -c 'sed s/.*=// /etc/quartet/secrets/spark-java-options > /run/pattern'")
    host.check_output("systemd-run --quiet --unit=show-secret sh -c 'CANARY=$(cat /run/pattern) exec sleep 600'")
    host.check_output(
        "systemd-run --quiet --unit=watch-secrets sh -c "
        "'while sleep 0.5; do grep -lFs -f /run/pattern /proc/[0-9]*/environ /proc/[0-9]*/cmdline; done > /run/seen'"
    )
    job = run_job(host, address, "/etc/quartet/secrets/spark-java-options")
    control = host.check_output("systemctl show --value --property=MainPID show-secret")
    host.check_output("systemctl stop watch-secrets show-secret")
    assert "SUM 4950" in job.stdout, job.stderr
    assert set(host.check_output("cat /run/seen").splitlines()) == {f"/proc/{control}/environ"}


def test_a_job_without_the_secret_is_refused(host, address):
    host.check_output("install -m 0600 /dev/stdin /run/wrong <<'EOF'\n-Dspark.authenticate.secret=wrong\nEOF")
    job = run_job(host, address, "/run/wrong")
    assert job.rc != 0
    assert "SUM" not in job.stdout


def test_nothing_secret_can_be_read_by_others(host):
    assert host.file("/etc/quartet/secrets/spark-java-options").mode == 0o600
    assert "secret=" not in host.check_output("cat /etc/quartet/spark/spark-defaults.conf")
