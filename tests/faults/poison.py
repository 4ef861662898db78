"""Runs on a machine with an app's rights: sends records that violate the contracts. Called as `python - APP COUNT SECONDS`.

APP is producer (topic images) or inference (topic inferences). Prints {place of the record: the cause that it must be refused for}.
"""

import json
import pathlib
import sys
import time
from typing import Any

from kafka import KafkaProducer

ID = "9009-poison-{:012d}"
HEADERS = {"schema": "image/1", "producer_id": "9009", "run": "poison", "captured_at": "1"}
BODY = {"schema": "inference/1", "run": "poison", "image_prediction": "cat", "actual_value": "cat", "producer_id": 9009, "confidence": 0.5}
#: cause -> value and the headers that differ (None: left out)
IMAGES: list[tuple[str, bytes | None, dict[str, str | None]]] = [
    ("wrong-length", bytes(3071), {}),
    ("wrong-length", bytes(200_000), {}),
    ("missing-header", bytes(3072), {"run": None}),
    ("unknown-schema", bytes(3072), {"schema": "image/99"}),
    ("null-value", None, {}),
    ("bad-header", bytes(3072), {"captured_at": "noon"}),
]
INFERENCES: list[tuple[str, bytes | None]] = [
    ("bad-json", b'{"schema": "inference/1", '),
    ("null-value", None),
    ("missing-field", json.dumps(BODY).encode()),
    ("unknown-schema", json.dumps({**BODY, "schema": "inference/99"}).encode()),
]


def main(app: str, count: int, seconds: float) -> dict[str, str]:
    file = "101" if app == "producer" else "inference"
    settings: dict[str, Any] = json.loads(pathlib.Path(f"/etc/quartet/{app}/{file}.json").read_text())
    client = KafkaProducer(
        bootstrap_servers=settings["kafka"]["bootstrap_servers"],
        security_protocol="SASL_SSL",
        ssl_cafile=settings["kafka"]["ca_file"],
        sasl_mechanism="SCRAM-SHA-512",
        sasl_plain_username=app,
        sasl_plain_password=pathlib.Path(f"/etc/quartet/secrets/{app}-kafka-password").read_text().strip(),
    )
    sent = []
    for n in range(count):
        if app == "producer":
            cause, value, changed = IMAGES[n % len(IMAGES)]
            headers = {**HEADERS, "sequence": str(n), **changed}
            packed = [(name, text.encode()) for name, text in headers.items() if text is not None]
            future = client.send(settings["topics"]["images"], key=ID.format(n).encode(), value=value, headers=packed)
        else:
            cause, value = INFERENCES[n % len(INFERENCES)]
            future = client.send(settings["topics"]["inferences"], key=ID.format(n).encode(), value=value)
        sent.append((future, cause))
        time.sleep(seconds / count)
    places = [(future.get(30), cause) for future, cause in sent]
    return {f"{record.topic}/{record.partition}/{record.offset}": cause for record, cause in places}


if __name__ == "__main__":
    print(json.dumps(main(sys.argv[1], int(sys.argv[2]), float(sys.argv[3]))))
