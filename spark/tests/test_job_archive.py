"""A Python worker has nothing of Quartet but the archive: what is in it must be enough."""

from __future__ import annotations

import subprocess
import sys

import pytest

pytest.importorskip("pandas")
job_archive = pytest.importorskip("job_archive")
records = pytest.importorskip("records")

TRY = """
import sys
sys.path.insert(0, sys.argv[1])
import quartet.counting.totals, records
package = {name: module.__file__ for name, module in sys.modules.items() if name.partition(".")[0] == "quartet"}
assert "quartet.contracts.inference" in package
assert all("quartet_jobs.zip" in file for file in package.values()), package
print(records.decode(b"x", b"[" * 1000))
"""


def test_the_check_runs_out_of_the_archive_alone() -> None:
    archive = job_archive.make((records,))
    result = subprocess.run([sys.executable, "-I", "-c", TRY, archive], capture_output=True, text=True, check=False)
    assert (result.returncode, result.stdout) == (0, "None\n"), result.stderr
