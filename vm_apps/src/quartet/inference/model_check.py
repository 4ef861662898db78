"""`quartet model check FILE`: describes a model file, prints the sha256 to configure, and refuses an unsupported file."""

from __future__ import annotations

import argparse
from pathlib import Path

from quartet.inference.model import ModelError, describe, read
from quartet.runtime.errors import ExitCode


def check(path: Path | str, device: str = "cpu") -> list[str]:
    """Validate a file and return its description as lines; if torch is installed, also run it on a device (auto, cpu or cuda).

    Raises:
        ModelError: the file is not a supported model, or the device is not available.

    """
    data, sha256 = read(path)
    description = describe(data, sha256)
    try:
        from quartet.inference import classifier  # noqa: PLC0415 (torch is not installed everywhere)
    except ModuleNotFoundError:
        if device == "cuda":
            raise ModelError("cannot be tried on a GPU: torch is not installed here; use the environment of the inference VM") from None
        tried = "not tried: torch is not installed here"
    else:
        trial = classifier.Classifier(path, sha256, device=device)
        trial.warm_up(2)
        tried = f"logits are finite in {trial.dtype} on {trial.device_name}"
    numbers = {"mean": description.mean, "std": description.std}
    return [
        f"file           {path}",
        f"architecture   {description.architecture}",
        f"parameters     {description.parameters:,} in {description.dtype}",
        f"classes        {' '.join(description.classes)}",
        *(f"{name:<14} {' '.join(f'{v:.4f}' for v in values)}  (pixels 0..1)" for name, values in numbers.items()),
        f"tried          {tried}",
        f"sha256         {description.sha256}",
        f"model          {description.model}  (what inferences carry)",
    ]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `quartet model`."""
    parser.add_argument("action", choices=["check"])
    parser.add_argument("file", metavar="FILE", help="weights as safetensors")
    parser.add_argument("--device", choices=["auto", "cpu", "cuda"], default="cpu", help="device to try the model on (default %(default)s)")


def run(arguments: argparse.Namespace) -> int:
    """Validate a file and print its description."""
    print("\n".join(check(arguments.file, arguments.device)))
    return ExitCode.OK
