"""The network of a model file: construction, loading, and folding of BatchNorm."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import safetensors
import safetensors.torch
import torch
import torchvision
from torch.nn.utils.fusion import fuse_conv_bn_eval

from quartet.contracts.labels import LABELS
from quartet.inference.model import Description, ModelError, describe, read


def network() -> torch.nn.Module:
    """Return the untrained network: torchvision's ResNet-18 with a 3x3 stem of stride 1, without max-pool."""
    net: torch.nn.Module = torchvision.models.resnet18(weights=None, num_classes=len(LABELS))
    net.conv1 = torch.nn.Conv2d(3, 64, kernel_size=3, stride=1, padding=1, bias=False)
    net.maxpool = torch.nn.Identity()
    return net


def load(path: Path | str, sha256: str | None = None) -> tuple[Description, torch.nn.Module]:
    """Read, check and build a model, in fp32 and in evaluation mode."""
    data, actual = read(path, sha256)
    description = describe(data, actual)

    try:
        weights = safetensors.torch.load(data)
    except safetensors.SafetensorError as error:
        raise ModelError(f"{path} is damaged: {error}") from None
    for name, tensor in weights.items():
        if tensor.is_floating_point() and not bool(torch.isfinite(tensor).all()):
            raise ModelError(f"{path}: {name} holds values that are not finite")
    net = network()
    net.load_state_dict({name: t.float() if t.is_floating_point() else t for name, t in weights.items()}, strict=False)
    return description, net.eval()


def fuse(net: torch.nn.Module) -> torch.nn.Module:
    """Fold every BatchNorm into the convolution before it: the same function with less memory traffic."""

    def fold(owner: Any, convolution: str, norm: str) -> None:
        setattr(owner, convolution, fuse_conv_bn_eval(getattr(owner, convolution), getattr(owner, norm)))
        setattr(owner, norm, torch.nn.Identity())

    fold(net, "conv1", "bn1")
    for layer in range(1, 5):
        for block in getattr(net, f"layer{layer}"):
            fold(block, "conv1", "bn1")
            fold(block, "conv2", "bn2")
            if block.downsample is not None:
                fold(block.downsample, "0", "1")
    return net
