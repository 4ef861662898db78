"""The folder in which an audit works."""

import os
import signal
import subprocess
import sys
import time

import pytest
from quartet.audit.workspace import require_space, work_folder
from quartet.runtime.errors import ExitCode, QuartetError

HOLD = """
import sys, time
from pathlib import Path
from quartet.audit.workspace import work_folder
with work_folder(Path(sys.argv[1])) as folder:
    (folder / "evidence").write_text("x")
    print(folder, flush=True)
    time.sleep(60)
"""


@pytest.fixture
def holder(tmp_path):
    """A process that works in a folder of its own in tmp_path, and that folder."""
    process = subprocess.Popen([sys.executable, "-c", HOLD, str(tmp_path)], stdout=subprocess.PIPE, text=True, env=environment())
    yield process, tmp_path / process.stdout.readline().strip()
    process.kill()
    process.wait()


def environment():
    return {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}


def test_it_is_private_and_gone_afterwards(tmp_path):
    with work_folder(tmp_path) as folder:
        assert folder.parent == tmp_path
        assert folder.stat().st_mode & 0o777 == 0o700
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_it_is_gone_after_a_signal(holder, number):
    process, folder = holder
    process.send_signal(number)
    assert process.wait(timeout=20) == 128 + number
    assert not folder.exists()


def test_what_a_killed_process_left_is_removed_and_a_living_one_is_left_alone(tmp_path, holder):
    process, folder = holder
    with work_folder(tmp_path):
        assert (folder / "evidence").exists()
    process.kill()
    process.wait()
    with work_folder(tmp_path) as own:
        assert list(tmp_path.iterdir()) == [own]


def test_a_folder_that_is_not_there_is_named(tmp_path):
    with pytest.raises(QuartetError, match=r"absent: No such file.*--work") as caught, work_folder(tmp_path / "absent"):
        pass
    assert caught.value.code is ExitCode.DISK


def test_too_small_a_disk_is_refused_before_anything_is_read(tmp_path):
    begin = time.monotonic()
    with pytest.raises(QuartetError, match=r"1,000,000,000,000 images needs .* MiB are free: free disk space") as caught:
        require_space(tmp_path, 10**12)
    assert caught.value.code is ExitCode.DISK
    assert time.monotonic() - begin < 5
    require_space(tmp_path, 1)
