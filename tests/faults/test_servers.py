"""What is done to the servers, the network and whole machines; judged by the ledger's eight rules."""

from __future__ import annotations

import random
import time
from collections.abc import Callable

from faults import breaking
from faults.machines import DATABASE, IMAGES, KAFKA
from faults.row import Row

Begin = Callable[[str], Row]


def test_f3_the_broker_is_killed(row: Begin) -> None:
    this = row("Kafka killed (SIGKILL) 5 times while the producers sent")
    this.load(lasting=90)
    for n in range(5):
        begin = time.time()
        breaking.kill(KAFKA)
        this.sees(KAFKA, r"status=9/KILL", since=begin, note=n == 0)
        time.sleep(15)
    this.healed()
    this.holds()


def test_f5_the_database_is_killed(row: Begin) -> None:
    this = row("the database killed (SIGKILL) 5 times in mid-bulk")
    this.load(lasting=50)
    for _ in range(5):
        time.sleep(random.uniform(5, 9))
        breaking.kill(DATABASE)
    this.sees(DATABASE, r"status=9/KILL")
    this.sees(IMAGES, r"paused.*mongodb")
    this.healed()
    this.holds()
