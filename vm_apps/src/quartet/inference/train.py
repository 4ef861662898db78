"""`quartet train`: trains a model for `quartet inference` on CIFAR-10 and glyphs, on the CPU or a GPU.

A record of the training is written beside the model file (`.json`). The test images are never used to choose anything: compare recipes on
held-out training images (`--hold-out`).
"""

from __future__ import annotations

import argparse
import json
import logging
import platform
import time
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

import numpy as np
import safetensors.torch
import torch

from quartet.contracts.labels import LABELS
from quartet.datasets.catalog import open_dataset
from quartet.datasets.source import ImageSource
from quartet.inference import model
from quartet.inference.augmentation import MEAN, STD
from quartet.inference.devices import chosen_device, device_name
from quartet.inference.model_check import check
from quartet.inference.network import load
from quartet.inference.training import Epoch, Images, Recipe, accuracy, fit, split
from quartet.runtime.errors import ExitCode, QuartetError
from quartet.runtime.settings import Dataset

log = logging.getLogger(__name__)

_RECIPE_OPTIONS = {
    "epochs": "passes over the training images",
    "batch_size": "images per step",
    "peak": "maximum learning rate, for a batch of 128",
    "warm_up": "share of the steps until the maximum learning rate is reached",
    "weight_decay": "weight decay of the convolutions and the last layer",
    "label_smoothing": "label smoothing: share of the target that is spread over all classes",
    "mix": "share of the images to which CutMix is applied",
    "average_decay": "decay of the moving average of the weights",
    "seed": "seed of all random numbers",
}


def read_images(cifar10: str | None, glyphs: int, split: str, seed: int, limit: int) -> Images:
    """Read a split: CIFAR-10, if a path is given, and `glyphs` glyphs. `limit`: maximum images of each, 0 = all."""
    sources: list[tuple[ImageSource, int]] = []
    if cifar10:
        sources.append((open_dataset(Dataset(kind="cifar10", path=cifar10), split, seed), 0))
    if glyphs:
        sources.append((open_dataset(Dataset(kind="glyphs"), split, seed), glyphs))
    if not sources:
        raise QuartetError(ExitCode.USAGE, "no training images: give --cifar10 or --glyphs")
    pixels, labels = [], []
    place = {label: number for number, label in enumerate(LABELS)}
    for source, maximum in sources:
        wanted = min(len(source), maximum or len(source), limit or len(source))
        for position in range(wanted):
            image, label = source[position]
            pixels.append(image)
            labels.append(place[label or ""])
    return Images(torch.from_numpy(np.stack(pixels)), torch.tensor(labels))


def save(net: torch.nn.Module, file: Path, recipe: Recipe) -> model.Description:
    """Write a model file in fp16 and verify that it can be read back."""
    weights = {
        name: (tensor.half() if tensor.is_floating_point() else tensor).cpu().contiguous() for name, tensor in net.state_dict().items()
    }
    metadata = {
        "architecture": "torchvision resnet18, conv1 3x3 stride 1 no bias, maxpool identity, fc 10",
        "input": "RGB 32x32, scaled to 0..1, then normalised",
        "mean": ",".join(f"{value:.4f}" for value in MEAN),
        "std": ",".join(f"{value:.4f}" for value in STD),
        "classes": json.dumps(LABELS),
        "recipe": json.dumps(asdict(recipe)),
    }
    temporary = file.with_name(file.name + ".new")
    safetensors.torch.save_file(weights, temporary, metadata)
    description, _ = load(temporary)
    temporary.rename(file)
    return description


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `quartet train`."""
    parser.add_argument("--output", required=True, metavar="FILE", type=Path, help="the model file to write (safetensors)")
    parser.add_argument("--cifar10", metavar="PATH", help="cifar-10-batches-bin or its archive; without it only glyphs are used")
    parser.add_argument("--glyphs", metavar="N", type=int, default=5_000, help="number of glyphs to train on (default %(default)s)")
    parser.add_argument(
        "--hold-out", metavar="N", type=int, default=0, help="training images to hold out for evaluation, to compare recipes"
    )
    parser.add_argument("--device", choices=["auto", "cpu", "cuda"], default="auto")
    parser.add_argument("--limit", metavar="N", type=int, default=0, help="use at most N images of each data set, for a trial run")
    for field in fields(Recipe):
        if field.name in _RECIPE_OPTIONS:
            option = "--" + field.name.replace("_", "-")
            parser.add_argument(
                option, type=type(field.default), default=field.default, help=f"{_RECIPE_OPTIONS[field.name]} (default %(default)s)"
            )


def run(arguments: argparse.Namespace) -> int:
    """Train, save, and print the values to configure and the accuracy."""
    device = chosen_device(arguments.device)
    recipe = Recipe(**{name: getattr(arguments, name) for name in _RECIPE_OPTIONS})
    images = read_images(arguments.cifar10, arguments.glyphs, "train", recipe.seed, arguments.limit)
    if not 0 <= arguments.hold_out < len(images):
        raise QuartetError(ExitCode.USAGE, f"--hold-out {arguments.hold_out}: there are {len(images)} training images")
    training_images, held_out = split(images, arguments.hold_out, recipe.seed)
    log.info("%d training images on %s, %d held out, seed %d", len(training_images), device, len(held_out), recipe.seed)
    begun = time.monotonic()
    curve: list[Epoch] = []

    def on_epoch_end(epoch: Epoch) -> None:
        curve.append(epoch)
        held = "" if epoch.accuracy is None else f", held-out accuracy {epoch.accuracy:.4f}"
        log.info("epoch %d of %d: loss %.3f%s, %.1f s", epoch.number, recipe.epochs, epoch.loss, held, epoch.seconds)

    net = fit(training_images, held_out, recipe, device, on_epoch_end)
    minutes = (time.monotonic() - begun) / 60
    description = save(net, arguments.output, recipe)
    print("\n".join(check(arguments.output, device)))
    scores = _scores(arguments, recipe, device)
    for name, score in scores.items():
        print(f"accuracy       {score:.4f} on {name}")
    record = _record(arguments, recipe, curve)
    record |= {"sha256": description.sha256, "device": device_name(device), "minutes": round(minutes, 1), "accuracy": scores}
    arguments.output.with_suffix(".json").write_text(json.dumps(record, indent=1) + "\n")
    print(f"record         {arguments.output.with_suffix('.json')}  ({minutes:.1f} minutes on {record['device']})")
    return ExitCode.OK


def _scores(arguments: argparse.Namespace, recipe: Recipe, device: str) -> dict[str, float]:
    """Return the accuracy of the saved file on the test images of each data set."""
    _, saved = load(arguments.output)
    saved = saved.to(device)
    scores = {}
    for name, path, glyphs in (("CIFAR-10", arguments.cifar10, 0), ("glyphs", None, min(arguments.glyphs, 10_000))):
        if path or glyphs:
            test = read_images(path, glyphs, "test", recipe.seed, arguments.limit)
            scores[f"{len(test):,} test images of {name}"] = accuracy(saved, test, device)
    return scores


def _record(arguments: argparse.Namespace, recipe: Recipe, curve: list[Epoch]) -> dict[str, Any]:
    return {
        "recipe": asdict(recipe),
        "data": {"cifar10": bool(arguments.cifar10), "glyphs": arguments.glyphs, "limit": arguments.limit, "held_out": arguments.hold_out},
        "torch": torch.__version__,
        "python": platform.python_version(),
        "curve": [
            {"epoch": e.number, "loss": round(e.loss, 4), "seconds": round(e.seconds, 2)}
            | ({} if e.accuracy is None else {"held_out": round(e.accuracy, 4)})
            for e in curve
        ],
    }
