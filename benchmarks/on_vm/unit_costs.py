"""Print `unit seconds bytes` for each unit: CPU time and anonymous memory of its processes: UNIT...

It adds up processes instead of reading cgroup controllers, because in a container these do not account for each unit.
"""

import os
import sys
from collections import defaultdict
from pathlib import Path

wanted = {f"{unit}.service": unit for unit in sys.argv[1:]}
seconds: dict[str, float] = defaultdict(float)
memory: dict[str, int] = defaultdict(int)
for process in Path("/proc").glob("[0-9]*"):
    try:
        groups = (process / "cgroup").read_text().split()
        ticks = (process / "stat").read_text().rpartition(") ")[2].split()[11:13]
        status = (process / "status").read_text()
    except (FileNotFoundError, ProcessLookupError):
        continue  # it has ended meanwhile
    for unit in {wanted[name] for name in (group.rpartition("/")[2] for group in groups) if name in wanted}:
        seconds[unit] += sum(map(int, ticks)) / os.sysconf("SC_CLK_TCK")
        memory[unit] += sum(int(line.split()[1]) * 1024 for line in status.splitlines() if line.startswith("RssAnon:"))
for unit, used in seconds.items():
    print(unit, used, memory[unit])
