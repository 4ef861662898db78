"""Data augmentation of a batch on the device of its images: random shift and flip, CutMix, normalisation."""

from __future__ import annotations

from typing import Final

import torch
from torch.nn import functional

MEAN: Final = (0.4914, 0.4822, 0.4465)
STD: Final = (0.2470, 0.2435, 0.2616)
_PAD: Final = 4


def normalise(pixels: torch.Tensor) -> torch.Tensor:
    """Return pixels (uint8, n x 3 x 32 x 32) as input of the network: float32, normalised, channels last."""
    mean = torch.tensor(MEAN, device=pixels.device).view(1, 3, 1, 1)
    std = torch.tensor(STD, device=pixels.device).view(1, 3, 1, 1)
    return pixels.float().div_(255).sub_(mean).div_(std).contiguous(memory_format=torch.channels_last)


def shift_and_flip(batch: torch.Tensor, random: torch.Generator) -> torch.Tensor:
    """Shift each image by up to four pixels with reflection padding, and flip half of them horizontally."""
    n, _, height, width = batch.shape
    device = batch.device
    padded = functional.pad(batch, (_PAD,) * 4, mode="reflect")
    top = torch.randint(2 * _PAD + 1, (n, 1), generator=random, device=device)
    left = torch.randint(2 * _PAD + 1, (n, 1), generator=random, device=device)
    flipped = torch.rand(n, 1, generator=random, device=device) < 0.5
    columns = torch.arange(width, device=device).expand(n, width)
    columns = torch.where(flipped, columns.flip(1), columns) + left
    rows = torch.arange(height, device=device).expand(n, height) + top
    picked = torch.arange(n, device=device).view(n, 1, 1)
    return padded.permute(0, 2, 3, 1)[picked, rows.unsqueeze(2), columns.unsqueeze(1)].permute(0, 3, 1, 2)


def cutmix(batch: torch.Tensor, targets: torch.Tensor, share: float, random: torch.Generator) -> tuple[torch.Tensor, torch.Tensor]:
    """Apply CutMix to a share of the images: paste a square of another image and mix the targets (n x 10) in proportion to its area.

    The area is uniform between 0 and the whole image (Yun and others, CutMix, 2019).
    """
    n, device = len(batch), batch.device
    chosen = torch.rand(n, generator=random, device=device) < share
    sides = (torch.rand(n, generator=random, device=device).sqrt() * batch.shape[-1] * chosen).round().long()
    square = _squares(sides, batch, random)
    other = torch.randperm(n, generator=random, device=device)
    shown = square.float().mean((1, 2, 3)).unsqueeze(1)
    return torch.where(square, batch[other], batch), targets.lerp(targets[other], shown)


def _squares(sides: torch.Tensor, batch: torch.Tensor, random: torch.Generator) -> torch.Tensor:
    """Return the mask of each image's square, clipped to the image (bool, n x 1 x height x width)."""
    n, _, height, width = batch.shape
    device = batch.device
    top = torch.randint(height, (n,), generator=random, device=device) - sides // 2
    left = torch.randint(width, (n,), generator=random, device=device) - sides // 2
    rows, columns = torch.arange(height, device=device), torch.arange(width, device=device)
    inside_rows = (rows >= top.unsqueeze(1)) & (rows < (top + sides).unsqueeze(1))
    inside_columns = (columns >= left.unsqueeze(1)) & (columns < (left + sides).unsqueeze(1))
    return (inside_rows.unsqueeze(2) & inside_columns.unsqueeze(1)).unsqueeze(1)
