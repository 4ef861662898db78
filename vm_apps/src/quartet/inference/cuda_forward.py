"""The forward pass on an NVIDIA GPU, bytes in, logits out, so that the card never waits for the CPU.

A batch is put into page-locked memory and copied to the card at once, on a stream of its own; the forward pass is a CUDA graph, one for each
power of two, because launching its some hundred kernels one by one takes longer than computing a small batch; the logits come back into
page-locked memory. There are two places for batches, so one is copied while the other is computed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

import numpy as np
import torch

from quartet.contracts.image import IMAGE_BYTES
from quartet.contracts.labels import LABELS
from quartet.inference.model import ModelError

#: Images that go to the card at once; more of them compute no faster
LARGEST_BATCH: Final = 1024
# Before a capture: cuDNN chooses its algorithms and takes its memory
_TRIALS: Final = 3


class _Place:
    """Where a batch waits on both sides, and what tells that it has been copied and computed."""

    def __init__(self) -> None:
        self.pixels = torch.empty(LARGEST_BATCH, IMAGE_BYTES, dtype=torch.uint8, pin_memory=True)
        self.bytes = self.pixels.view(-1).numpy()
        self.pixels_on_card = torch.empty(LARGEST_BATCH, IMAGE_BYTES, dtype=torch.uint8, device="cuda")
        self.logits = torch.empty(LARGEST_BATCH, len(LABELS), pin_memory=True)
        self.copied = torch.cuda.Event()
        self.computed = torch.cuda.Event()
        self.user: object = None


class CudaForward:
    """Runs `forward` (uint8, n x 3,072 -> float32, n x 10; both on the card). `exact`: float32 is float32, and not TF32.

    Raises:
        ModelError: the card has too little free memory.
    """

    def __init__(self, forward: Callable[[torch.Tensor], torch.Tensor], *, exact: bool) -> None:
        if exact:
            torch.backends.cudnn.allow_tf32 = False
        self._forward = forward
        self._copying, self._computing = torch.cuda.Stream(), torch.cuda.Stream()
        self._pixels = torch.zeros(LARGEST_BATCH, IMAGE_BYTES, dtype=torch.uint8, device="cuda")
        self._logits = torch.zeros(LARGEST_BATCH, len(LABELS), device="cuda")
        self._places = (_Place(), _Place())
        self._graphs: dict[int, torch.cuda.CUDAGraph] = {}
        self._pool = torch.cuda.graph_pool_handle()
        torch.cuda.synchronize()

    def begin(self, images: Sequence[bytes]) -> Callable[[], torch.Tensor]:
        """Begin to classify at most LARGEST_BATCH images; return what waits for the logits (on the CPU, n x 10).

        Of two batches that have been begun the first must be waited for before a third is begun.
        """
        n = len(images)
        if not 1 <= n <= LARGEST_BATCH:
            raise ValueError(f"{n} images: a batch has 1 to {LARGEST_BATCH}")
        graph = self._graph(n)
        self._places = place, _ = self._places[::-1]
        user = place.user = object()
        place.computed.synchronize()
        place.bytes[: n * IMAGE_BYTES] = np.frombuffer(b"".join(images), np.uint8)
        with torch.cuda.stream(self._copying):
            place.pixels_on_card[:n].copy_(place.pixels[:n], non_blocking=True)
            place.copied.record()
        with torch.cuda.stream(self._computing):
            place.copied.wait()
            self._pixels[:n].copy_(place.pixels_on_card[:n], non_blocking=True)
            graph.replay()
            place.logits[:n].copy_(self._logits[:n], non_blocking=True)
            place.computed.record()

        def wait() -> torch.Tensor:
            if place.user is not user:
                raise RuntimeError("its place has been given to a later batch")
            place.computed.synchronize()
            return place.logits[:n].clone()

        return wait

    def prepare(self, largest: int) -> None:
        """Capture the graphs of all batches up to a size, so that no image waits for it."""
        size = 1
        while size < 2 * largest and size <= LARGEST_BATCH:
            self._graph(size)
            size *= 2

    def _graph(self, n: int) -> torch.cuda.CUDAGraph:
        """Return the graph for the power of two that holds n images; what lies behind them is classified too, and not looked at."""
        size = 1 << (n - 1).bit_length()
        if size not in self._graphs:
            self._graphs[size] = self._capture(size)
        return self._graphs[size]

    def _capture(self, size: int) -> torch.cuda.CUDAGraph:
        pixels, logits = self._pixels[:size], self._logits[:size]
        graph = torch.cuda.CUDAGraph()
        try:
            with torch.inference_mode():
                with torch.cuda.stream(self._computing):
                    for _ in range(_TRIALS):
                        logits.copy_(self._forward(pixels))
                torch.cuda.synchronize()
                with torch.cuda.graph(graph, pool=self._pool, stream=self._computing):
                    logits.copy_(self._forward(pixels))
        except torch.OutOfMemoryError as error:
            raise ModelError(f"the GPU has too little free memory for batches of {size} images: {error}") from None
        return graph
