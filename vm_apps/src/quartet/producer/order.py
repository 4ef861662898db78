"""What a producer sends: given by its settings, or by an order (`order-<id>.json` in the state directory) until the order is done."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from pathlib import Path

from quartet.contracts.ids import is_run
from quartet.runtime.errors import ExitCode, QuartetError
from quartet.runtime.settings import ProducerSettings


@dataclass(frozen=True, slots=True)
class Order:
    """What to send. `count`: 0 = endless; `rate`: images per second, 0 = unlimited; `replay`: also send what was acknowledged before."""

    run: str
    count: int
    rate: float
    replay: bool
    file: Path | None = None

    @classmethod
    def read(cls, state: Path, chosen: ProducerSettings) -> Order:
        """Return the open order, or one made of the settings.

        Raises:
            QuartetError: INPUT, the order is invalid.
        """
        file = state / f"order-{chosen.producer_id}.json"
        if not file.exists():
            return cls(chosen.run, chosen.count, chosen.rate, replay=False)
        try:
            order = json.loads(file.read_bytes())
            name, count, done = order["run"], order["count"], order.get("done", False)
            rate = order.get("rate", chosen.rate)
        except (ValueError, KeyError, TypeError) as error:
            raise QuartetError(ExitCode.INPUT, f"{file} is not an order: {error}") from None
        if not isinstance(name, str) or not is_run(name) or not isinstance(count, int) or count < 1:
            raise QuartetError(
                ExitCode.INPUT, f"{file}: run must be 1 to 32 of a-z and 0-9 and count a number above 0; got {name!r}, {count!r}"
            )
        if isinstance(rate, bool) or not isinstance(rate, int | float) or not 0 <= rate < math.inf:
            raise QuartetError(ExitCode.INPUT, f"{file}: rate must be images per second, 0 for no limit; got {rate!r}")
        if done:
            return cls(chosen.run, chosen.count, chosen.rate, replay=False)
        return cls(name, count, float(rate), replay=True, file=file)

    def complete(self) -> None:
        """Mark the order as done, so that a restart does not begin it again."""
        if self.file is not None:
            temporary = self.file.with_suffix(".new")
            temporary.write_text(json.dumps({"run": self.run, "count": self.count, "done": True}))
            temporary.rename(self.file)
