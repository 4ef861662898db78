"""The golden corpus judges the database's validator too: good inferences fit, and a bad field is refused as the Python check refuses it."""

from __future__ import annotations

import base64
import json
import os
from pathlib import Path

import pytest
import yaml

PROJECT = Path(os.environ["MOLECULE_PROJECT_DIRECTORY"])
SECRETS = Path(os.environ["MOLECULE_EPHEMERAL_DIRECTORY"]) / "inventory" / "secrets" / "secrets.yml"
STORED = ("id", "image_prediction", "actual_value", "producer_id", "confidence", "model", "captured_at", "inferred_at")
# Inserts documents as the DB consumer and prints 0 or the server's error code for each.
INSERT = """
import json, sys, pymongo
from bson import Int64
from pymongo import errors
order = json.load(open("/run/corpus.json"))
client = pymongo.MongoClient("10.77.0.106", tls=True, tlsCAFile="/etc/quartet/pki/ca.crt", username="db_consumer", password=order["password"],
                             directConnection=True)
codes = []
for number, document in enumerate(order["documents"]):
    wide = {name: Int64(value) if name.endswith("_at") and type(value) is int else value for name, value in document.items()}
    try:
        client["team5_vm3_db"]["images"].insert_one(wide)
        codes.append(0)
    except errors.PyMongoError as error:
        codes.append(getattr(error, "code", None))
print(json.dumps(codes))
"""


def rows():
    """Return (name, document, valid) of the corpus' inferences whose fault, if any, is in a stored field by itself."""
    found = []
    for number, row in enumerate(json.loads((PROJECT / "vm_apps/tests/corpus/records.json").read_text())):
        if row["topic"] != "inferences" or not (row["valid"] or row["cause"] in ("bad-field", "missing-field")):
            continue
        body = json.loads(base64.b64decode(row["value"]))
        named = row["name"]
        if not row["valid"] and not any(field in named for field in (*STORED[1:], "prediction", "label", "confidence")):
            continue
        fields = {name: body[name] for name in STORED if name in body and not (name == "actual_value" and body[name] is None)}
        origin = {"topic": "inferences", "topic_id": "x", "partition": 0, "offset": number}
        # an _id of its own each, because the first document of an _id is the one that stays
        found.append((named, {"_id": f"101-first-{number:012d}/0123456789ab", **fields, "kafka": origin}, row["valid"]))
    return found


@pytest.fixture(scope="module")
def codes(host):
    password = yaml.safe_load(SECRETS.read_text())["secrets_values"]["mongodb_db_consumer_password"]
    order = base64.b64encode(json.dumps({"password": password, "documents": [document for _, document, _ in rows()]}).encode()).decode()
    host.check_output(f"echo {order} | base64 -d > /run/corpus.json")
    return json.loads(host.check_output(f"/opt/quartet/mongodb/current/bin/python -c '{INSERT}'; rm /run/corpus.json"))


@pytest.mark.parametrize(
    ("number", "name"), [(number, name) for number, (name, _, _) in enumerate(rows())], ids=[name for name, _, _ in rows()]
)
def test_the_validator_judges_like_the_python_check(codes, number, name):
    valid = rows()[number][2]
    assert codes[number] == (0 if valid else 121), name
