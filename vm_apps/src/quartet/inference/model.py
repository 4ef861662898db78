"""The model file: the weights of a ResNet-18 with a CIFAR stem as safetensors, its sha256 pinned.

The file is read once and hashed before any of it is parsed; its format cannot contain executable code. Its metadata give the
normalisation of pixels and the class of each output. An unsuitable file is refused with a `ModelError` that names the reason.
"""

from __future__ import annotations

import hashlib
import json
import math
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from quartet.contracts.labels import LABELS
from quartet.runtime.errors import ExitCode, QuartetError

if TYPE_CHECKING:
    from collections.abc import Sequence

MAX_FILE_BYTES = 256 * 1024 * 1024
"""Upper limit of the file size, far above the 45 MB of such a model in fp32."""

_FLOATS = {"F16", "BF16", "F32"}
_CHANNELS = (64, 128, 256, 512)
_DIGEST_CHARACTERS = 64


class ModelError(QuartetError):
    """A model file that is missing, altered or of an unsupported kind."""

    def __init__(self, message: str) -> None:
        super().__init__(ExitCode.MODEL, message)


@dataclass(frozen=True)
class Description:
    """The description in the header of a model file."""

    sha256: str
    architecture: str
    classes: tuple[str, ...]
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    dtype: str
    parameters: int

    @property
    def model(self) -> str:
        """The model name in inferences: the first 12 hex digits of the file's sha256."""
        return self.sha256[:12]


class Prediction(NamedTuple):
    """The class with the largest logit, and its softmax as confidence."""

    label: str
    confidence: float


def expected_shapes() -> tuple[dict[str, tuple[int, ...]], dict[str, tuple[int, ...]]]:
    """Return the shapes of the required tensors, and of the optional ones (BatchNorm's counters), by name."""
    shapes: dict[str, tuple[int, ...]] = {"conv1.weight": (64, 3, 3, 3), "fc.weight": (10, 512), "fc.bias": (10,)}
    norms = [("bn1", 64)]
    before = 64
    for layer, channels in enumerate(_CHANNELS, 1):
        for block in range(2):
            name = f"layer{layer}.{block}"
            shapes[f"{name}.conv1.weight"] = (channels, before if block == 0 else channels, 3, 3)
            shapes[f"{name}.conv2.weight"] = (channels, channels, 3, 3)
            norms += [(f"{name}.bn1", channels), (f"{name}.bn2", channels)]
            if block == 0 and before != channels:
                shapes[f"{name}.downsample.0.weight"] = (channels, before, 1, 1)
                norms.append((f"{name}.downsample.1", channels))
        before = channels
    counters: dict[str, tuple[int, ...]] = {}
    for name, channels in norms:
        for part in ("weight", "bias", "running_mean", "running_var"):
            shapes[f"{name}.{part}"] = (channels,)
        counters[f"{name}.num_batches_tracked"] = ()
    return shapes, counters


def read(path: Path | str, sha256: str | None = None) -> tuple[bytes, str]:
    """Read the file and compare its sha256 with the pinned one, if given, before anything is parsed.

    Raises:
        ModelError: the file is missing, too large or altered.
    """
    path = Path(path)
    try:
        if path.stat().st_size > MAX_FILE_BYTES:
            raise ModelError(f"{path} is larger than {MAX_FILE_BYTES} bytes: not a ResNet-18")
        data = path.read_bytes()
    except OSError as error:
        raise ModelError(f"cannot read the model {path}: {error.strerror or error}") from error
    actual = hashlib.sha256(data).hexdigest()
    if sha256 is not None and actual != sha256.strip().lower():
        raise ModelError(
            f"{path} has the sha256 {actual}, but {sha256} is set: the file was altered or replaced. Restore it, or, "
            f"if it is the model you want, set the sha256 that `quartet model check` prints"
        )
    return data, actual


def describe(data: bytes, sha256: str) -> Description:
    """Validate the header (format, metadata, names, shapes, types) without reading the weights.

    Raises:
        ModelError: the file is not a supported model.
    """
    header = _header(data)
    metadata = header.pop("__metadata__", None)
    if not isinstance(metadata, dict):
        raise ModelError("the file has no metadata: classes, mean and std are needed (see the model card)")
    _check_tensors(header)
    return Description(
        sha256=sha256,
        architecture=str(metadata.get("architecture", "ResNet-18 with a 3x3 stem")),
        classes=_classes(metadata),
        mean=_triple(metadata, "mean", lowest=0.0),
        std=_triple(metadata, "std", lowest=1e-6),
        dtype="/".join(sorted({str(t["dtype"]) for t in header.values()} & _FLOATS)),
        parameters=sum(math.prod(t["shape"]) for n, t in header.items() if n.endswith((".weight", ".bias"))),
    )


def _header(data: bytes) -> dict[str, Any]:
    # Parsed here, because the library returns metadata only for a file that it opens a second time.
    try:
        (length,) = struct.unpack_from("<Q", data)
        if length > len(data) - 8:
            raise ValueError("cut short")
        header = json.loads(data[8 : 8 + length])
        if not isinstance(header, dict):
            raise ValueError("no table of tensors")
    except (struct.error, ValueError, RecursionError) as error:
        raise ModelError(f"not a safetensors file ({error}); .pt and .pth files can hold code and are refused") from None
    return header


def _check_tensors(header: dict[str, Any]) -> None:
    required, optional = expected_shapes()
    if missing := sorted(required.keys() - header.keys()):
        raise ModelError(f"not a ResNet-18: {_some(missing)} missing")
    if extra := sorted(header.keys() - required.keys() - optional.keys()):
        raise ModelError(f"not a ResNet-18 of this kind: it also holds {_some(extra)}")
    for name, entry in header.items():
        if not isinstance(entry, dict) or not isinstance(entry.get("shape"), list):
            raise ModelError(f"{name} is not described as a tensor")
        wanted = required.get(name, optional.get(name))
        if tuple(entry["shape"]) != wanted:
            hint = ": the stem must be 3x3 for 32x32 images, without max-pool" if name == "conv1.weight" else ""
            raise ModelError(f"{name} has the shape {entry['shape']}, expected {list(wanted or ())}{hint}")
        if name in required and entry.get("dtype") not in _FLOATS:
            raise ModelError(f"{name} has the type {entry.get('dtype')}, expected one of {', '.join(sorted(_FLOATS))}")


def _classes(metadata: dict[str, Any]) -> tuple[str, ...]:
    try:
        classes = json.loads(metadata["classes"])
    except KeyError:
        raise ModelError("metadata: `classes` is missing: a JSON list of the ten labels in the order of the outputs") from None
    except (TypeError, ValueError):
        raise ModelError("metadata: `classes` is not a JSON list") from None
    if not isinstance(classes, list) or not all(isinstance(c, str) for c in classes) or sorted(classes) != sorted(LABELS):
        raise ModelError(f"metadata: `classes` must be the ten labels {' '.join(LABELS)}, in any order")
    return tuple(classes)


def _triple(metadata: dict[str, Any], name: str, lowest: float) -> tuple[float, float, float]:
    try:
        red, green, blue = (float(part) for part in str(metadata[name]).strip("[]() ").split(","))
    except KeyError:
        raise ModelError(f"metadata: `{name}` is missing: three numbers for red, green and blue, pixels being 0..1") from None
    except ValueError:
        raise ModelError(f"metadata: `{name}` is not three numbers: {metadata[name]!r}") from None
    if not all(lowest <= value <= 1 for value in (red, green, blue)):
        raise ModelError(f"metadata: `{name}` is {metadata[name]!r}: expected {lowest}..1, for pixels of 0..1")
    return red, green, blue


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
