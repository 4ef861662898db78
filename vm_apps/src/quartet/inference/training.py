"""How a model learns: the recipe, the steps, and how well it does on images that it has not seen.

SGD with a one-cycle learning rate; images are shifted, mirrored and cut into each other; beside the weights their moving average is kept, and it
is what a training gives. Everything lies and runs on one device. On the CPU the same seed, data and torch give the same weights; a GPU adds
up in another order each time.
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
from quartet.inference.augmentation import mixed, normalised, shifted
from quartet.inference.devices import has_bfloat16
from quartet.inference.network import network

_EVALUATION_BATCH: Final = 500


@dataclass(frozen=True)
class Images:
    """Images (uint8, n x 3 x 32 x 32) and the places of their labels in LABELS (int64, n)."""

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
    """How a model is made. The peak learning rate is for a batch of 128 and grows with the batch; `mix`: the share of images for CutMix."""

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
    """A point of the curve: mean loss of the epoch, and the averaged weights' accuracy on what was held out, if anything was."""

    number: int
    loss: float
    accuracy: float | None
    seconds: float


def split(images: Images, held_out: int, seed: int) -> tuple[Images, Images]:
    """Split images, by the seed, into those to learn and so many to hold out."""
    order = torch.randperm(len(images), generator=torch.Generator().manual_seed(seed))
    return images[order[held_out:]], images[order[:held_out]]


def batches(count: int, size: int, random: torch.Generator) -> Iterator[torch.Tensor]:
    """Yield shuffled positions, whole batches where there are enough for one."""
    order = torch.randperm(count, generator=random, device=random.device)
    for start in range(0, count - size + 1, size) if count >= size else [0]:
        yield order[start : start + size]


def accuracy(net: torch.nn.Module, images: Images, device: str) -> float:
    """Return the share of images that are classified rightly, in bfloat16 where the device has it."""
    net.eval()
    right = 0
    with torch.inference_mode(), _autocast(device):
        for start in range(0, len(images), _EVALUATION_BATCH):
            part = slice(start, start + _EVALUATION_BATCH)
            logits = net(normalised(images.pixels[part].to(device)))
            right += int((logits.argmax(1) == images.labels[part].to(device)).sum())
    return right / len(images)


class Average:
    """The moving average of a network's weights and BatchNorm statistics; quick at first, so that a short training has one too."""

    def __init__(self, net: torch.nn.Module, decay: float, device: str) -> None:
        self.net = network().to(device=device, memory_format=torch.channels_last)
        self.net.load_state_dict(net.state_dict())
        self._decay = decay
        self._steps = 0
        self._pairs = _floats(self.net), _floats(net)

    def update(self) -> None:
        """Move towards the network's present weights."""
        decay = min(self._decay, (1 + self._steps) / (10 + self._steps))
        self._steps += 1
        get_ema_multi_avg_fn(decay)(*self._pairs, self._steps)


def fit(images: Images, held_out: Images, recipe: Recipe, device: str, epoch_done: Callable[[Epoch], None]) -> torch.nn.Module:
    """Learn; return the network with its averaged weights, in fp32."""
    torch.manual_seed(recipe.seed)
    # cuDNN then tries its algorithms on the first batch: all batches have the same shape
    torch.backends.cudnn.benchmark = True
    random = torch.Generator(device).manual_seed(recipe.seed)
    images, held_out = images.to(device), held_out.to(device)
    net = network().to(device=device, memory_format=torch.channels_last)
    average = Average(net, recipe.average_decay, device)
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
        epoch_done(Epoch(number, loss_of_epoch, accuracy(average.net, held_out, device) if len(held_out) else None, seconds))
    return average.net.eval()


def _augmented(images: Images, recipe: Recipe, random: torch.Generator) -> tuple[torch.Tensor, torch.Tensor]:
    """Return a batch as the network learns it: float32 images, and the share of each class in each of them."""
    targets = functional.one_hot(images.labels, len(LABELS)).float()
    return mixed(normalised(shifted(images.pixels, random)), targets, recipe.mix, random)


def _optimizer(net: torch.nn.Module, recipe: Recipe, steps: int) -> tuple[torch.optim.Optimizer, torch.optim.lr_scheduler.LRScheduler]:
    peak = recipe.peak * recipe.batch_size / 128
    # BatchNorm's scales and the biases do not decay
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
