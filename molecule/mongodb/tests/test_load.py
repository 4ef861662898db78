"""The confined server under load: inserts, its own status, an index build, a compact and a restart. MONGODB_LOAD_SECONDS makes it longer."""

from __future__ import annotations

import json
import os
from pathlib import Path

import yaml

SECRETS = Path(os.environ["MOLECULE_EPHEMERAL_DIRECTORY"]) / "inventory" / "secrets" / "secrets.yml"
SECONDS = float(os.environ.get("MONGODB_LOAD_SECONDS", "30"))
# As the administrator, in a database of its own. Every bulk that was acknowledged is counted, and must be there whole at the end. By bulks, as the
# client shares the VM's memory with the server, and minutes of load are millions of ids.
LOAD = """
import json, subprocess, threading, time, pymongo
from pymongo import WriteConcern, errors
order = json.load(open("/run/load.json"))
client = pymongo.MongoClient("10.77.0.106", tls=True, tlsCAFile="/etc/quartet/pki/ca.crt", username="admin", password=order["password"],
                             serverSelectionTimeoutMS=30000, retryWrites=False)
things = client["load"].get_collection("things", write_concern=WriteConcern("majority", j=True))
end, acknowledged, errors_seen = time.monotonic() + order["seconds"], {}, 0

def insert(worker):
    global errors_seen
    number = 0
    while time.monotonic() < end:
        number += 1
        rows = [{"_id": f"{worker}-{number}-{at}", "worker": worker, "bytes": bytes(3072)} for at in range(100)]
        try:
            acknowledged[worker, number] = len(things.insert_many(rows, ordered=False).inserted_ids)
        except errors.PyMongoError:  # the restart
            errors_seen += 1

threads = [threading.Thread(target=insert, args=(worker,)) for worker in range(3)]
for thread in threads:
    thread.start()
done, restarted = [], False
while time.monotonic() < end:
    try:
        status = client.admin.command("serverStatus")
        done.append("serverStatus")
        name = things.create_index([("worker", 1), ("_id", 1)], name=f"built-{len(done)}")
        things.drop_index(name)
        done.append("index")
        client["load"].command("compact", "things", force=True)
        done.append("compact")
    except errors.PyMongoError:
        errors_seen += 1
    if not restarted and time.monotonic() > end - order["seconds"] / 2:
        subprocess.run(["systemctl", "restart", "mongod.service"], check=True)
        restarted = True
    time.sleep(0.5)
for thread in threads:
    thread.join()
missing = dict(acknowledged)
for row in things.find({}, {"_id": 1}):
    bulk = tuple(map(int, row["_id"].split("-")[:2]))
    if bulk in missing:
        missing[bulk] -= 1
client.drop_database("load")
print(json.dumps({"acknowledged": sum(acknowledged.values()), "lost": sum(missing.values()), "done": sorted(set(done)), "restarted": restarted}))
"""


def test_nothing_that_the_server_does_under_load_is_cut_off(host):
    password = yaml.safe_load(SECRETS.read_text())["secrets_values"]["mongodb_admin_password"]
    order = json.dumps({"password": password, "seconds": SECONDS})
    host.check_output(f"umask 077; printf %s '{order}' > /run/load.json")
    begin = host.check_output("date +%s")
    try:
        found = json.loads(host.check_output(f"/opt/quartet/mongodb/current/bin/python -c '{LOAD}'"))
    finally:
        host.check_output("rm /run/load.json")
    assert found["done"] == ["compact", "index", "serverStatus"]
    assert found["restarted"]
    assert found["acknowledged"] > 100 * SECONDS
    assert found["lost"] == 0
    journal = host.check_output("journalctl --no-pager -o cat --since @%s -u mongod.service", begin)
    # An end that systemd did not order, and errors and aborts in the server's own log
    assert "code=killed" not in journal
    assert "code=dumped" not in journal
    assert not [line for line in journal.splitlines() if line.startswith("{") and json.loads(line)["s"] in ("E", "F")]
    assert host.check_output("systemctl show -P NRestarts mongod.service") == "0"
