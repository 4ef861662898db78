"""The archive is all of Quartet that a Python worker of Spark has, so it must be sufficient."""

from __future__ import annotations

import subprocess
import sys
import zipfile

from quartet_spark import job_archive, records

TRY = """
import sys
sys.path.insert(0, sys.argv[1])
import quartet.counting.totals
from quartet_spark import records
package = {name: module.__file__ for name, module in sys.modules.items() if name.partition(".")[0] in ("quartet", "quartet_spark")}
assert {"quartet.contracts.inference", "quartet_spark.records"} <= package.keys()
assert all("quartet_jobs.zip" in file for file in package.values()), package
print(records.decode(b"x", b"[" * 1000))
"""


def test_the_check_runs_out_of_the_archive_alone() -> None:
    archive = job_archive.make((records,))
    result = subprocess.run([sys.executable, "-I", "-c", TRY, archive], capture_output=True, text=True, check=False)
    assert (result.returncode, result.stdout) == (0, "None\n"), result.stderr


def test_nothing_else_is_in_it() -> None:
    with zipfile.ZipFile(job_archive.make((records,))) as archive:
        names = set(archive.namelist())
    packages = ("quartet/contracts/", "quartet/counting/")
    assert {name for name in names if not name.startswith(packages)} == {
        "quartet/__init__.py",
        "quartet_spark/__init__.py",
        "quartet_spark/records.py",
    }
