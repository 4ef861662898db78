"""The CPU or GPU that a network runs on, and its native dtypes."""

from __future__ import annotations

import os
import platform
from pathlib import Path

import torch

from quartet.inference.model import ModelError


def chosen_device(device: str) -> str:
    """Return cpu or cuda; `auto` selects the GPU if torch sees one.

    Raises:
        ModelError: cuda is requested and torch sees no GPU.
    """
    if device == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    if device == "cuda" and not torch.cuda.is_available():
        built = f"was built for CUDA {torch.version.cuda}" if torch.version.cuda else "was built without CUDA"
        raise ModelError(
            f"device cuda is set, but torch {torch.__version__}, which {built}, sees no GPU: look at `nvidia-smi`, the driver's age and, in "
            f"a unit, inference_gpu (it opens the NVIDIA devices); or set the device to cpu"
        )
    return device


def device_name(device: str) -> str:
    """Return the product name of the GPU or CPU."""
    return str(torch.cuda.get_device_name(device)) if device == "cuda" else _cpu_name()


def has_bfloat16(device: str) -> bool:
    """Return whether the device supports bfloat16 natively; where it is emulated, float32 is faster."""
    if device == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    flags = _cpu_flags()
    return bool({"avx512_bf16", "amx_bf16", "bf16"} & flags)


def cpus() -> int:
    """Return the number of CPUs available to this process."""
    return len(os.sched_getaffinity(0))


def _cpuinfo(*names: str) -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return ""
    return next((value.strip() for key, _, value in (x.partition(":") for x in lines) if key.strip() in names), "")


def _cpu_flags() -> set[str]:
    return set(_cpuinfo("flags", "Features").split())


def _cpu_name() -> str:
    return _cpuinfo("model name") or platform.machine()
