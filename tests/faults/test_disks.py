"""Full disks; judged by the ledger's eight rules. Before all other rows, while the data are small enough for a file system in memory."""

from __future__ import annotations

import time
from collections.abc import Callable

from faults import breaking
from faults.machines import DATABASE, IMAGES, KAFKA
from faults.row import Row

Begin = Callable[[str], Row]


def fill_the_disk(this: Row, unit: str, folder: str, sign: str) -> None:
    """Fill the file system of a server's data for 30 s; the server must tell it, and the DB consumer of images by this text."""
    with breaking.small_disk(unit, folder):
        this.load(lasting=90)
        begin = time.time()
        with breaking.full_disk(unit, folder):
            this.sees(unit, r"No space left on device", since=begin)
            this.sees(IMAGES, sign, since=begin)
            time.sleep(max(0, begin + 30 - time.time()))
        this.healed()
    this.holds()


def test_f11_the_brokers_disk_is_full(row: Begin) -> None:
    this = row("the file system of Kafka's data filled for 30 s while the producers sent")
    fill_the_disk(this, KAFKA, "/var/lib/kafka", r"(paused|waiting).*kafka")


def test_f12_the_databases_disk_is_full(row: Begin) -> None:
    this = row("the file system of the database's data filled for 30 s while images were stored")
    fill_the_disk(this, DATABASE, "/var/lib/mongodb", r"paused.*mongodb")
