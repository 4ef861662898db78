"""The classifier on a GPU, bytes in and labels out, against the raw forward pass on the same GPU, and its predictions against the CPU's."""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import quantiles
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks.results import ROOT, Goal, Row, ratios

if TYPE_CHECKING:
    from quartet.inference.classifier import Classifier

NEEDS_THE_LAB = False


def measure(arguments: Sequence[str]) -> list[Row]:
    """Measure with the Python of an environment that has torch and, for the predictions, with CIFAR-10's test images."""
    parser = argparse.ArgumentParser(prog="cuda", description=__doc__)
    parser.add_argument("--model", default=ROOT / "vm_apps/models/resnet18_cifar10.safetensors", type=Path)
    parser.add_argument("--cifar10", type=Path, help="folder or archive of its binary version; without it no predictions are compared")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--images", type=int, default=65_536, help="images per round")
    parser.add_argument("--device", choices=["cuda", "cpu"], default="cuda", help="cpu: try this benchmark without a GPU")
    options = parser.parse_args(arguments)
    try:
        import torch  # noqa: PLC0415 (not among the tools of the controller)
        from quartet.inference.classifier import Classifier  # noqa: PLC0415
    except ModuleNotFoundError as error:
        raise SystemExit(f"{error}: run it by the Python of the inference VM, /opt/quartet/inference/current/bin/python") from None

    ours = Classifier(options.model, None, device=options.device)
    ours.warm_up(1024)
    where = f"{ours.device_name}, torch {torch.__version__}, {ours.dtype}"
    rows = [throughput(ours, size, options.rounds, options.images, where) for size in (1024, 128)]
    rows.append(alone(ours, options.rounds, where))
    if options.cifar10:
        rows += predictions(options.model, options.cifar10, options.device, where)
    return rows


def throughput(ours: Classifier, size: int, rounds: int, images: int, where: str) -> Row:
    """Time in each round: the classifier from bytes to labels; the bare network on a resident batch, launched or as a CUDA graph."""
    random = np.random.default_rng(1)
    batches = [[random.bytes(3072) for _ in range(size)] for _ in range(8)]
    count = max(2, images // size)
    raw, graph = raw_pass(ours, size), raw_pass(ours, size, graph=True)
    sides: dict[str, list[float]] = {"classifier images/s": [], "raw, launched, images/s": [], "raw, CUDA graph, images/s": []}
    for _ in range(rounds):
        begin = time.perf_counter()
        found = sum(len(one) for one in ours.classify_batches(batches[i % len(batches)] for i in range(count)))
        sides["classifier images/s"].append(found / (time.perf_counter() - begin))
        sides["raw, launched, images/s"].append(count * size / raw(count))
        sides["raw, CUDA graph, images/s"].append(count * size / graph(count))
    best = [max(pair) for pair in zip(sides["raw, launched, images/s"], sides["raw, CUDA graph, images/s"], strict=True)]
    what = f"classifier, bytes in and labels out, against the faster raw forward pass, batches of {size:,}"
    return Row("cuda", what, Goal(">=", 0.9), ratios(sides["classifier images/s"], best), sides, where)


def alone(ours: Classifier, rounds: int, where: str) -> Row:
    """Time a single image from bytes to label, against the bare network on a resident one."""
    image = np.random.default_rng(1).bytes(3072)
    raw = raw_pass(ours, 1)
    sides: dict[str, list[float]] = {"median ms": [], "p95 ms": [], "raw, launched, ms": []}
    for _ in range(rounds):
        seconds = []
        for _ in range(200):
            begin = time.perf_counter()
            ours.classify([image])
            seconds.append(time.perf_counter() - begin)
        cuts = quantiles(seconds, n=20)
        sides["median ms"].append(1000 * cuts[9])
        sides["p95 ms"].append(1000 * cuts[18])
        sides["raw, launched, ms"].append(1000 * raw(200) / 200)
    what = "time of a single image, bytes in and label out, against the raw forward pass of one"
    return Row("cuda", what, Goal("<=", 1), ratios(sides["median ms"], sides["raw, launched, ms"]), sides, where)


def predictions(model: Path, cifar10: Path, device: str, where: str) -> list[Row]:
    """Compare the labels and the softmax of CIFAR-10's test images with the CPU's."""
    import torch  # noqa: PLC0415
    from quartet.datasets.cifar10 import Cifar10  # noqa: PLC0415
    from quartet.inference.classifier import Classifier  # noqa: PLC0415

    test = Cifar10(cifar10, "test")
    images = [np.ascontiguousarray(test[position][0]).tobytes() for position in range(len(test))]
    truth = [test[position][1] for position in range(len(test))]

    def logits(on: str, dtype: str) -> Any:
        full = Classifier(model, None, device=on, dtype=dtype)
        return torch.cat([full.logits(images[start : start + 500]) for start in range(0, len(images), 500)]), full.description.classes

    found = {(on, dtype): logits(on, dtype) for on in (device, "cpu") for dtype in ("float32", "bfloat16")}
    right = {
        f"right on {'the CPU' if on == 'cpu' else 'the GPU'}, {dtype}": [
            sum(classes[i] == label for i, label in zip(out.argmax(1).tolist(), truth, strict=True)) / len(truth)
        ]
        for (on, dtype), (out, classes) in found.items()
    }
    same = float((found[device, "bfloat16"][0].argmax(1) == found["cpu", "bfloat16"][0].argmax(1)).float().mean())
    exact = float((found[device, "bfloat16"][0].argmax(1) == found["cpu", "float32"][0].argmax(1)).float().mean())
    far = float((found[device, "float32"][0].softmax(1) - found["cpu", "float32"][0].softmax(1)).abs().max())
    right["same label as the CPU's float32"] = [exact]
    return [
        Row("cuda", f"same label as the CPU's, bfloat16, {len(truth):,} test images", Goal(">=", 0.999), [same], right, where),
        Row(
            "cuda", f"largest difference of a softmax to the CPU's, float32, {len(truth):,} test images", Goal("<=", 1e-3), [far], {}, where
        ),
    ]


def raw_pass(ours: Classifier, size: int, *, graph: bool = False) -> Callable[[int], float]:
    """Return a function that runs the network `count` times on a resident batch and returns the seconds: no bytes, softmax or labels."""
    import torch  # noqa: PLC0415

    net, cuda = ours._net, ours.device == "cuda"
    batch = torch.rand(size, 3, 32, 32).to(device=ours.device, dtype=ours._dtype, memory_format=torch.channels_last)

    def once() -> None:
        with torch.inference_mode():
            net(batch)

    once()
    again: Callable[[], None] = once
    if graph and cuda:
        side = torch.cuda.Stream()
        with torch.cuda.stream(side):
            for _ in range(3):
                once()
        torch.cuda.synchronize()
        captured = torch.cuda.CUDAGraph()
        with torch.cuda.graph(captured):
            once()
        again = captured.replay

    def run(count: int) -> float:
        if cuda:
            torch.cuda.synchronize()
        begin = time.perf_counter()
        for _ in range(count):
            again()
        if cuda:
            torch.cuda.synchronize()
        return time.perf_counter() - begin

    return run
