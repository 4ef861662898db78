"""`quartet model check FILE`: what a model file is, and the sha256 to set; refuses what does not fit."""

from __future__ import annotations

import argparse

from quartet.inference import model
from quartet.runtime.errors import ExitCode


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `quartet model`."""
    parser.add_argument("action", choices=["check"])
    parser.add_argument("file", metavar="FILE", help="weights as safetensors")
    parser.add_argument("--device", choices=["auto", "cpu", "cuda"], default="cpu", help="where to try it (default %(default)s)")


def run(arguments: argparse.Namespace) -> int:
    """Check a file and print what it is."""
    print("\n".join(model.check(arguments.file, arguments.device)))
    return ExitCode.OK
