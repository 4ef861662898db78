"""`quartet model check FILE`: what a model file is, and the sha256 to set; refuses what does not fit."""

from __future__ import annotations

import argparse
from pathlib import Path

from quartet.inference.model import ModelError, describe, read
from quartet.runtime.errors import ExitCode


def check(path: Path | str, device: str = "cpu") -> list[str]:
    """Check a file and say what it is, in lines for people; with torch at hand it is tried too, on a device (auto, cpu or cuda).

    ModelError if it does not fit, or if there is no such device.
    """
    data, sha256 = read(path)
    description = describe(data, sha256)
    try:
        from quartet.inference import classifier  # noqa: PLC0415 (torch is where images are classified, a file is checked anywhere)
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
    parser.add_argument("--device", choices=["auto", "cpu", "cuda"], default="cpu", help="where to try it (default %(default)s)")


def run(arguments: argparse.Namespace) -> int:
    """Check a file and print what it is."""
    print("\n".join(check(arguments.file, arguments.device)))
    return ExitCode.OK
