"""`quartet train`: makes a model of the kind that `quartet inference` runs, from CIFAR-10 and glyphs, on the CPU or a GPU.

SGD with a one-cycle learning rate, random crops and flips; beside the weights their moving average is kept, and the better of the two on
the test images is saved as fp16. The same seed, data, device and torch give the same weights.
"""

from __future__ import annotations

import argparse
import json
import logging
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import safetensors.torch
import torch
from torch.nn import functional

from quartet import classifier, model
from quartet.contracts import LABELS
from quartet.datasets import ImageSource, open_dataset
from quartet.exit_codes import ExitCode, QuartetError
from quartet.settings import Dataset

log = logging.getLogger(__name__)

MEAN: Final = (0.4914, 0.4822, 0.4465)
STD: Final = (0.2470, 0.2435, 0.2616)
_PAD: Final = 4
_EVALUATION_BATCH: Final = 500
_AVERAGE_DECAY: Final = 0.999


@dataclass(frozen=True)
class Images:
    """Images (uint8, n x 3 x 32 x 32) and the places of their labels in LABELS (int64, n)."""

    pixels: torch.Tensor
    labels: torch.Tensor

    def __len__(self) -> int:
        return len(self.labels)


@dataclass(frozen=True)
class Recipe:
    """How a model is made. The peak learning rate is for a batch of 128 and grows with the batch."""

    epochs: int = 30
    batch_size: int = 128
    peak: float = 0.05
    momentum: float = 0.9
    weight_decay: float = 5e-4
    label_smoothing: float = 0.05
    seed: int = 1


def read_images(cifar10: str | None, glyphs: int, split: str, seed: int, limit: int) -> Images:
    """Read a split: CIFAR-10, if there is a path, and so many glyphs. `limit`: at most so many of each, 0 = all."""
    sources: list[tuple[ImageSource, int]] = []
    if cifar10:
        sources.append((open_dataset(Dataset(kind="cifar10", path=cifar10), split, seed), 0))
    if glyphs:
        sources.append((open_dataset(Dataset(kind="glyphs"), split, seed), glyphs))
    if not sources:
        raise QuartetError(ExitCode.USAGE, "nothing to learn from: give --cifar10 or --glyphs")
    pixels, labels = [], []
    place = {label: number for number, label in enumerate(LABELS)}
    for source, most in sources:
        wanted = min(len(source), most or len(source), limit or len(source))
        for position in range(wanted):
            image, label = source[position]
            pixels.append(image)
            labels.append(place[label or ""])
    return Images(torch.from_numpy(np.stack(pixels)), torch.tensor(labels))


def normalised(pixels: torch.Tensor) -> torch.Tensor:
    """Return pixels as the network takes them: float32, normalised."""
    mean = torch.tensor(MEAN, device=pixels.device).view(1, 3, 1, 1)
    std = torch.tensor(STD, device=pixels.device).view(1, 3, 1, 1)
    return (pixels.float() / 255 - mean) / std


def augmented(batch: torch.Tensor, random: torch.Generator) -> torch.Tensor:
    """Shift each image by up to four pixels, mirrored at the edge, and mirror half of them."""
    n, _, height, width = batch.shape
    padded = functional.pad(batch, (_PAD,) * 4, mode="reflect")
    top = torch.randint(2 * _PAD + 1, (n, 1), generator=random)
    left = torch.randint(2 * _PAD + 1, (n, 1), generator=random)
    mirrored = torch.rand(n, 1, generator=random) < 0.5
    columns = torch.arange(width).expand(n, width)
    columns = torch.where(mirrored, columns.flip(1), columns) + left
    rows = torch.arange(height).expand(n, height) + top
    picked = torch.arange(n).view(n, 1, 1)
    return padded.permute(0, 2, 3, 1)[picked, rows.unsqueeze(2), columns.unsqueeze(1)].permute(0, 3, 1, 2)


def batches(count: int, size: int, random: torch.Generator) -> Iterator[torch.Tensor]:
    """Yield shuffled positions, whole batches where there are enough for one."""
    order = torch.randperm(count, generator=random)
    for start in range(0, count - size + 1, size) if count >= size else [0]:
        yield order[start : start + size]


def _autocast(device: str) -> torch.autocast:
    return torch.autocast(device, torch.bfloat16, enabled=classifier.has_bfloat16(device))


def accuracy(net: torch.nn.Module, images: Images, device: str) -> float:
    """Return the share of images that are classified rightly."""
    net.eval()
    right = 0
    with torch.inference_mode(), _autocast(device):
        for start in range(0, len(images), _EVALUATION_BATCH):
            part = slice(start, start + _EVALUATION_BATCH)
            logits = net(normalised(images.pixels[part].to(device)).contiguous(memory_format=torch.channels_last))
            right += int((logits.argmax(1).cpu() == images.labels[part]).sum())
    return right / len(images)


def _average(average: torch.Tensor, fresh: torch.Tensor, steps: torch.Tensor | int) -> torch.Tensor:
    """Move an average towards a fresh value; quickly at first, so that a short training has an average too."""
    decay = min(_AVERAGE_DECAY, (1 + int(steps)) / (10 + int(steps)))
    return average.lerp(fresh, 1 - decay) if average.is_floating_point() else fresh


def fit(images: Images, recipe: Recipe, device: str) -> tuple[torch.nn.Module, torch.nn.Module]:
    """Train; return the network with its last and with its averaged weights."""
    torch.manual_seed(recipe.seed)
    random = torch.Generator().manual_seed(recipe.seed)
    net = classifier.network().to(device)
    averaged = torch.optim.swa_utils.AveragedModel(net, avg_fn=_average, use_buffers=True)
    steps = recipe.epochs * max(1, len(images) // recipe.batch_size)
    peak = recipe.peak * recipe.batch_size / 128
    optimizer = torch.optim.SGD(net.parameters(), lr=peak, momentum=recipe.momentum, weight_decay=recipe.weight_decay, nesterov=True)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=peak, total_steps=steps, pct_start=0.2)
    for epoch in range(recipe.epochs):
        net.train()
        begun, losses = time.monotonic(), []
        for picked in batches(len(images), recipe.batch_size, random):
            inputs = normalised(augmented(images.pixels[picked], random).to(device)).contiguous(memory_format=torch.channels_last)
            with _autocast(device):
                logits = net(inputs)
            loss = functional.cross_entropy(logits.float(), images.labels[picked].to(device), label_smoothing=recipe.label_smoothing)
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            optimizer.step()
            schedule.step()
            averaged.update_parameters(net)
            losses.append(loss.item())
        log.info("epoch %d of %d: loss %.3f, %.0f s", epoch + 1, recipe.epochs, sum(losses) / len(losses), time.monotonic() - begun)
    return net, averaged.module


def save(net: torch.nn.Module, file: Path) -> model.Description:
    """Write a model file as fp16 and check that it can be read back."""
    weights = {
        name: (tensor.half() if tensor.is_floating_point() else tensor).cpu().contiguous() for name, tensor in net.state_dict().items()
    }
    metadata = {
        "architecture": "torchvision resnet18, conv1 3x3 stride 1 no bias, maxpool identity, fc 10",
        "input": "RGB 32x32, scaled to 0..1, then normalised",
        "mean": ",".join(f"{value:.4f}" for value in MEAN),
        "std": ",".join(f"{value:.4f}" for value in STD),
        "classes": json.dumps(LABELS),
    }
    fresh = file.with_name(file.name + ".new")
    safetensors.torch.save_file(weights, fresh, metadata)
    description, _ = classifier.load(fresh)
    fresh.rename(file)
    return description


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `quartet train`."""
    defaults = Recipe()
    parser.add_argument("--output", required=True, metavar="FILE", type=Path, help="the model file to write (safetensors)")
    parser.add_argument("--cifar10", metavar="PATH", help="cifar-10-batches-bin or its archive; without it only glyphs are learnt")
    parser.add_argument("--glyphs", metavar="N", type=int, default=10_000, help="glyphs to learn beside it (default %(default)s)")
    parser.add_argument("--epochs", type=int, default=defaults.epochs)
    parser.add_argument("--batch-size", type=int, default=defaults.batch_size)
    parser.add_argument("--seed", type=int, default=defaults.seed)
    parser.add_argument("--device", choices=["auto", "cpu", "cuda"], default="auto")
    parser.add_argument("--limit", metavar="N", type=int, default=0, help="at most N images of each data set, for a trial")


def run(arguments: argparse.Namespace) -> int:
    """Train, choose, save, and print what to set."""
    device = arguments.device
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    recipe = Recipe(epochs=arguments.epochs, batch_size=arguments.batch_size, seed=arguments.seed)
    images = read_images(arguments.cifar10, arguments.glyphs, "train", recipe.seed, arguments.limit)
    tests = {
        name: read_images(path, glyphs, "test", recipe.seed, arguments.limit)
        for name, path, glyphs in (("CIFAR-10", arguments.cifar10, 0), ("glyphs", None, min(arguments.glyphs, 2_000)))
        if path or glyphs
    }
    log.info("%d images to learn on %s, seed %d", len(images), device, recipe.seed)
    last, averaged = fit(images, recipe, device)
    judge = next(iter(tests.values()))
    scores = {"last": accuracy(last, judge, device), "averaged": accuracy(averaged, judge, device)}
    best = max(scores, key=lambda name: scores[name])
    log.info("accuracy of the last weights %.4f, of the averaged %.4f", scores["last"], scores["averaged"])
    save(averaged if best == "averaged" else last, arguments.output)
    _, saved = classifier.load(arguments.output)
    print("\n".join(model.check(arguments.output)))
    for name, test in tests.items():
        print(f"accuracy       {accuracy(saved, test, 'cpu'):.4f} on {len(test):,} test images of {name} ({best} weights, as saved)")
    print("chosen between the last and the averaged weights by the test score, so that score flatters a little")
    return ExitCode.OK
