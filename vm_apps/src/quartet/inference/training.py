"""Training of a model: the recipe, the training loop and the evaluation.

SGD with a one-cycle learning rate and augmentation by shift, flip and CutMix. The result is the moving average of the weights. All tensors
are on one device. On the CPU the same seed, data and torch version give the same weights; on a GPU the order of additions varies.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

import torch
from torch.nn import functional
from torch.optim.swa_utils import get_ema_multi_avg_fn

from quartet.contracts.labels import LABELS
from quartet.inference.augmentation import cutmix, normalise, shift_and_flip
from quartet.inference.devices import has_bfloat16
from quartet.inference.network import network

_EVALUATION_BATCH: Final = 500


@dataclass(frozen=True)
class Images:
    """Images (uint8, n x 3 x 32 x 32) and the indices of their labels in LABELS (int64, n)."""

    pixels: torch.Tensor
    labels: torch.Tensor

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, picked: torch.Tensor) -> Images:
        return Images(self.pixels[picked], self.labels[picked])

    def to(self, device: str) -> Images:
        """Return the same images in the memory of a device."""
        return Images(self.pixels.to(device), self.labels.to(device))


@dataclass(frozen=True)
class Recipe:
    """Hyperparameters. `peak`: learning rate for a batch of 128, scaled with the batch size; `mix`: share of the images for CutMix."""

    epochs: int = 130
    batch_size: int = 512
    peak: float = 0.1
    warm_up: float = 0.2
    momentum: float = 0.9
    weight_decay: float = 5e-4
    label_smoothing: float = 0.1
    mix: float = 0.5
    average_decay: float = 0.998
    seed: int = 1


@dataclass(frozen=True)
class Epoch:
    """A point of the training curve: mean loss, held-out accuracy of the averaged weights (None without held-out images), seconds."""

    number: int
    loss: float
    accuracy: float | None
    seconds: float


def split(images: Images, held_out: int, seed: int) -> tuple[Images, Images]:
    """Split images at random, by the seed, into training images and `held_out` held-out ones."""
    order = torch.randperm(len(images), generator=torch.Generator().manual_seed(seed))
    return images[order[held_out:]], images[order[:held_out]]


def batches(count: int, size: int, random: torch.Generator) -> Iterator[torch.Tensor]:
    """Yield shuffled indices in full batches; one smaller batch if there are fewer than `size` images."""
    order = torch.randperm(count, generator=random, device=random.device)
    for start in range(0, count - size + 1, size) if count >= size else [0]:
        yield order[start : start + size]


def accuracy(net: torch.nn.Module, images: Images, device: str) -> float:
    """Return the share of correctly classified images, computed in bfloat16 if the device supports it."""
    net.eval()
    right = 0
    with torch.inference_mode(), _autocast(device):
        for start in range(0, len(images), _EVALUATION_BATCH):
            part = slice(start, start + _EVALUATION_BATCH)
            logits = net(normalise(images.pixels[part].to(device)))
            right += int((logits.argmax(1) == images.labels[part].to(device)).sum())
    return right / len(images)


class MovingAverage:
    """The moving average of a network's weights and BatchNorm statistics; it adapts faster in the first steps, for short trainings."""

    def __init__(self, net: torch.nn.Module, decay: float, device: str) -> None:
        self.net = network().to(device=device, memory_format=torch.channels_last)
        self.net.load_state_dict(net.state_dict())
        self._decay = decay
        self._steps = 0
        self._pairs = _floats(self.net), _floats(net)

    def update(self) -> None:
        """Update the average with the network's current weights."""
        decay = min(self._decay, (1 + self._steps) / (10 + self._steps))
        self._steps += 1
        get_ema_multi_avg_fn(decay)(*self._pairs, self._steps)


def fit(images: Images, held_out: Images, recipe: Recipe, device: str, on_epoch_end: Callable[[Epoch], None]) -> torch.nn.Module:
    """Train; return the network with its averaged weights, in fp32 and evaluation mode."""
    torch.manual_seed(recipe.seed)
    # let cuDNN benchmark its algorithms on the first batch: all batches have the same shape
    torch.backends.cudnn.benchmark = True
    random = torch.Generator(device).manual_seed(recipe.seed)
    images, held_out = images.to(device), held_out.to(device)
    net = network().to(device=device, memory_format=torch.channels_last)
    average = MovingAverage(net, recipe.average_decay, device)
    optimizer, schedule = _optimizer(net, recipe, steps=recipe.epochs * max(1, len(images) // recipe.batch_size))
    for number in range(1, recipe.epochs + 1):
        net.train()
        begun = time.monotonic()
        losses = []
        for picked in batches(len(images), recipe.batch_size, random):
            inputs, targets = _augmented(images[picked], recipe, random)
            with _autocast(device):
                logits = net(inputs)
            loss = functional.cross_entropy(logits.float(), targets, label_smoothing=recipe.label_smoothing)
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            optimizer.step()
            schedule.step()
            average.update()
            losses.append(loss.detach())
        loss_of_epoch = torch.stack(losses).mean().item()
        seconds = time.monotonic() - begun
        on_epoch_end(Epoch(number, loss_of_epoch, accuracy(average.net, held_out, device) if len(held_out) else None, seconds))
    return average.net.eval()


def _augmented(images: Images, recipe: Recipe, random: torch.Generator) -> tuple[torch.Tensor, torch.Tensor]:
    """Return an augmented batch: float32 images, and their targets as shares of the classes (n x 10)."""
    targets = functional.one_hot(images.labels, len(LABELS)).float()
    return cutmix(normalise(shift_and_flip(images.pixels, random)), targets, recipe.mix, random)


def _optimizer(net: torch.nn.Module, recipe: Recipe, steps: int) -> tuple[torch.optim.Optimizer, torch.optim.lr_scheduler.LRScheduler]:
    peak = recipe.peak * recipe.batch_size / 128
    # no weight decay for BatchNorm's scales and the biases
    groups = [
        {"params": [p for p in net.parameters() if p.ndim > 1], "weight_decay": recipe.weight_decay},
        {"params": [p for p in net.parameters() if p.ndim <= 1], "weight_decay": 0.0},
    ]
    optimizer = torch.optim.SGD(groups, lr=peak, momentum=recipe.momentum, nesterov=True)
    return optimizer, torch.optim.lr_scheduler.OneCycleLR(
        optimizer, max_lr=peak, total_steps=steps, pct_start=recipe.warm_up, cycle_momentum=False
    )


def _autocast(device: str) -> torch.autocast:
    return torch.autocast(device, torch.bfloat16, enabled=has_bfloat16(device))


def _floats(net: torch.nn.Module) -> list[torch.Tensor]:
    return [tensor.detach() for tensor in net.state_dict().values() if tensor.is_floating_point()]
