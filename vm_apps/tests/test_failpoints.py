"""Failpoints, armed by the environment as in a unit, in real processes; and the rate of an order."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from quartet.producer.order import Order
from quartet.runtime.errors import QuartetError
from quartet.runtime.failpoints import Failpoint
from quartet.runtime.settings import Dataset, Kafka, ProducerSettings, Topics

PASSES = "from quartet.runtime import failpoints\nfor n in range(3):\n    print(n, flush=True)\n    failpoints.reach('after-write')"


def passes(state: Path, failpoint: str) -> tuple[int, str]:
    environment = {**os.environ, "QUARTET_FAILPOINT": failpoint, "STATE_DIRECTORY": str(state), "PYTHONPATH": ":".join(sys.path)}
    process = subprocess.Popen([sys.executable, "-c", PASSES], env=environment, stdout=subprocess.PIPE, text=True)
    if ":stop:" in failpoint:
        _, status = os.waitpid(process.pid, os.WUNTRACED)
        assert os.WIFSTOPPED(status)
        process.send_signal(signal.SIGCONT)
    output, _ = process.communicate(timeout=30)
    return process.returncode, output


def test_each_process_dies_at_its_second_pass_until_the_times_are_over(tmp_path: Path) -> None:
    seen = [passes(tmp_path, "after-write:kill:2") for _ in range(3)]
    assert seen == [(-signal.SIGKILL, "0\n1\n"), (-signal.SIGKILL, "0\n1\n"), (0, "0\n1\n2\n")]


def test_a_stopped_process_continues_after_sigcont(tmp_path: Path) -> None:
    assert passes(tmp_path, "after-write:stop:1") == (0, "0\n1\n2\n")


def test_another_point_and_an_empty_environment_do_nothing(tmp_path: Path) -> None:
    assert passes(tmp_path, "after-poll:kill:1")[0] == 0
    assert passes(tmp_path, "")[0] == 0
    assert not (tmp_path / "failpoint").exists()


@pytest.mark.parametrize("wrong", ["after-lunch:kill:1", "after-poll:explode:1", "after-poll:kill", "after-poll:kill:-1"])
def test_what_is_not_a_failpoint_is_refused(tmp_path: Path, wrong: str) -> None:
    with pytest.raises(QuartetError, match="QUARTET_FAILPOINT is"):
        Failpoint(wrong, tmp_path / "failpoint")


def order(state: Path, **more: object) -> Order:
    (state / "order-101.json").write_text(json.dumps({"run": "slow", "count": 10, **more}))
    settings = ProducerSettings(
        kafka=Kafka(bootstrap_servers=["kafka:9093"], user="producer", ca_file="ca.crt"),
        topics=Topics(images="images", inferences="inferences", dead_letters="dead-letters"),
        producer_id=101,
        dataset=Dataset(kind="glyphs"),
        rate=7.0,
        metrics_port=9301,
    )
    return Order.read(state, settings)


def test_an_order_may_carry_a_rate(tmp_path: Path) -> None:
    assert order(tmp_path).rate == 7
    assert order(tmp_path, rate=120).rate == 120


@pytest.mark.parametrize("rate", [-1, "fast", True, float("inf")])
def test_an_order_with_another_rate_is_refused(tmp_path: Path, rate: object) -> None:
    with pytest.raises(QuartetError, match="rate must be images per second"):
        order(tmp_path, rate=rate)
