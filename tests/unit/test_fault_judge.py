"""The judge of the fault tests: it passes a run in which all is well, and names each thing that is wrong."""

from __future__ import annotations

import base64
import copy
import hashlib
import zlib
from typing import Any

import pytest
from faults import judge

IDS = [f"101-r1-{n:012d}" for n in range(4)]
DIGESTS = [hashlib.sha256(name.encode()).hexdigest() for name in IDS]
MODEL = "abc"
# 0 and 1 are stored, 2 is in the dead letters, 3 was reserved and never acknowledged; image 1 came twice, and so did its inference
LEDGER = {
    "producer_id": 101,
    "run": "r1",
    "high_water": 4,
    "acknowledged": [[0, 3]],
    "payload_sha256": base64.b64encode(zlib.compress(b"".join(map(bytes.fromhex, DIGESTS)))).decode(),
}
EVIDENCE: dict[str, Any] = {
    "images": [[IDS[n], DIGESTS[n], 0, 10 + at] for at, n in enumerate((0, 1, 2, 1))],
    "inferences": [
        [IDS[0], MODEL, "cat", "cat", 101, 0, 5],
        [IDS[1], MODEL, "dog", "cat", 101, 0, 6],
        [IDS[1], MODEL, "cat", "cat", 101, 0, 7],
    ],
    "letters": [["images/0/12", "wrong-length"], ["images/0/13", "id-conflict"], ["inferences/0/1", "bad-json"]],
    "stored": [[IDS[n], DIGESTS[n], DIGESTS[n]] for n in (0, 1)],
    "inferred": [[IDS[0], MODEL, "cat", 0, 5], [IDS[1], MODEL, "dog", 0, 6]],
    "stream": {"101": [8, 102, {}]},
    "batch": {},
}
MARK = {"topics": {"images": "images"}, "model": MODEL, "stream": {"101": [7, 100, {}]}}


def verdict(change: Any = lambda evidence: None, outstanding: tuple[str, ...] = ()) -> list[str]:
    evidence = copy.deepcopy(EVIDENCE)
    change(evidence)
    return [text.split()[1] for text in judge.broken(judge.Case([LEDGER], evidence, MARK, list(outstanding)))]


def test_a_run_in_which_all_is_well_passes() -> None:
    assert verdict() == []
    case = judge.Case([LEDGER], EVIDENCE, MARK, [])
    assert (len(case.acknowledged), len(case.lost), case.sent_again) == (3, 0, 2)


@pytest.mark.parametrize(
    ("rules", "change"),
    [
        (["1"], lambda e: e["letters"].pop(0)),
        (["2", "4"], lambda e: (e["stored"].append(["101-r1-9", "x", "x"]), e["inferred"].append([*e["inferred"][0]]))),
        (["3", "7"], lambda e: e["inferred"].append(e["inferred"][0])),
        (["3"], lambda e: e["stored"].append(e["stored"][0])),
        (["3"], lambda e: e["images"].append([IDS[0], DIGESTS[1], 0, 20])),
        (["4"], lambda e: e["stored"][0].__setitem__(1, DIGESTS[1])),
        (["5"], lambda e: e["letters"].append(["images/0/10", "bad-header"])),
        (["7"], lambda e: e["inferred"].pop()),
        (["8"], lambda e: e["inferred"][1].__setitem__(2, "cat")),
        (["8"], lambda e: e["stream"].update({"101": [9, 102, {}]})),
        (["8"], lambda e: e["inferences"].pop(1)),
    ],
)
def test_what_is_wrong_is_named(rules: list[str], change: Any) -> None:
    found = verdict(change)
    assert set(rules) <= set(found), found


def test_what_is_not_read_or_not_active_is_named() -> None:
    assert verdict(outstanding=("5 of images not read",)) == ["6"]
