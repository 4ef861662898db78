"""The ten classes of CIFAR-10."""

from __future__ import annotations

from typing import Final

LABELS: Final = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
