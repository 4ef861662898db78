"""Three brokers: any one of them may be lost, by process or by machine, and they are restarted one at a time."""

from __future__ import annotations

import itertools
import re
import subprocess
import time

TOOLS = "/opt/quartet/kafka-server/bin"
ASK = "--bootstrap-server 10.77.0.131:9092 --command-config /etc/quartet/kafka/admin.properties"
IDS = {"mol-broker1": "12", "mol-broker2": "7", "mol-broker3": "30"}


def started(host) -> float:
    """Return when the broker was started, in seconds since the VM's boot."""
    return int(host.check_output("systemctl show -P ActiveEnterTimestampMonotonic kafka.service")) / 1e6


def test_each_node_is_broker_and_voter_under_its_own_id(brokers):
    quorum = brokers["mol-broker1"].check_output(f"{TOOLS}/kafka-metadata-quorum.sh {ASK} describe --replication")
    assert {line.split()[0] for line in quorum.splitlines()[1:] if line.strip()} == set(IDS.values()), quorum
    for name, host in brokers.items():
        assert f"node.id={IDS[name]}" in host.file("/var/lib/kafka/data/meta.properties").content_string


def test_every_topic_has_three_copies_and_two_must_confirm(brokers):
    topics = brokers["mol-broker1"].check_output(f"{TOOLS}/kafka-topics.sh {ASK} --describe")
    rows = [line for line in topics.splitlines() if line.startswith("Topic:")]
    assert len(rows) >= 3
    for row in rows:
        assert "ReplicationFactor: 3" in row, row
        assert "min.insync.replicas=2" in row, row


def test_the_active_controller_may_be_killed(load, brokers, healthy):
    quorum = brokers["mol-broker1"].check_output(f"{TOOLS}/kafka-metadata-quorum.sh {ASK} describe --status")
    (leader,) = re.findall(r"LeaderId:\s+(\d+)", quorum)
    (name,) = (name for name, node in IDS.items() if node == leader)
    brokers[name].check_output("systemctl kill --signal=KILL kafka.service")
    time.sleep(3)
    healthy()


def test_any_machine_may_lose_its_power(load, brokers, healthy):
    for name in brokers:
        subprocess.run(["lxc-stop", "--kill", "-n", f"quartet-{name}"], check=True, timeout=60)
        time.sleep(10)
        subprocess.run(["lxc-start", "-n", f"quartet-{name}"], check=True, timeout=60)
        time.sleep(5)
        healthy()


def test_a_new_setting_restarts_one_broker_after_the_other(load, brokers, converge, healthy):
    before = {name: started(host) for name, host in brokers.items()}
    status, output = converge(kafka_config={"log.cleaner.backoff.ms": 14000})
    assert status == 0, output[-3000:]
    moments = sorted(started(host) for host in brokers.values())
    assert all(started(host) > before[name] for name, host in brokers.items())
    # the machines' clocks are one; a broker takes seconds to come back
    assert min(later - earlier for earlier, later in itertools.pairwise(moments)) > 3
    status, output = converge(kafka_config={"log.cleaner.backoff.ms": 14000})
    assert status == 0
    assert output.count("changed=0") == len(brokers), output[-1500:]


def test_a_setting_that_breaks_a_broker_stops_at_the_first(load, brokers, converge):
    before = {name: started(host) for name, host in brokers.items()}
    status, output = converge(kafka_config={"num.network.threads": "none"})
    assert status != 0
    assert "num.network.threads" in output
    assert sum(started(host) != before[name] for name, host in brokers.items()) <= 1
    assert sum(brokers[name].service("kafka").is_running for name in brokers) >= 2
    status, output = converge()
    assert status == 0, output[-3000:]
