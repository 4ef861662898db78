"""Print `seconds value` of a counter of a unit's metrics until it reaches a goal or the unit ends: PORT COUNTER GOAL SECONDS."""

import sys
import time
import urllib.error
import urllib.request

port, counter, goal, limit = sys.argv[1], sys.argv[2], float(sys.argv[3]), float(sys.argv[4])
end = time.monotonic() + limit
value = 0.0
while time.monotonic() < end and value < goal:
    try:
        text = urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5).read().decode()
    except (urllib.error.URLError, ConnectionError):
        # a unit that is not there yet, or a producer that has finished
        if value:
            break
    else:
        moment = time.monotonic()
        value = sum(float(line.rsplit(" ", 1)[1]) for line in text.splitlines() if line.startswith((counter + "{", counter + " ")))
        print(moment, value)
    time.sleep(0.2)
