"""What the metrics of this process say, and by how much they grew in a test: they count on from one test to the next."""

from __future__ import annotations

from collections.abc import Callable

from prometheus_client import REGISTRY


def value(name: str, **labels: str) -> float:
    """Return a sample; 0 if there is none."""
    return REGISTRY.get_sample_value(name, labels) or 0.0


def growth(name: str, **labels: str) -> Callable[[], float]:
    """Return a function that says by how much the sample has grown since now."""
    before = value(name, **labels)
    return lambda: value(name, **labels) - before
