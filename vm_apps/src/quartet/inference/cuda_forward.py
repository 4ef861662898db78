"""The forward pass on an NVIDIA GPU, from bytes to logits, arranged so that the GPU never waits for the CPU.

A batch is written to page-locked memory and copied to the GPU on a stream of its own. The forward pass is a CUDA graph, one for each
power of two, because launching its hundred or so kernels one by one takes longer than computing a small batch. The logits are copied
back to page-locked memory. There are two slots for batches, so one is copied while the other is computed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

import numpy as np
import torch

from quartet.contracts.image import IMAGE_BYTES
from quartet.contracts.labels import LABELS
from quartet.inference.model import ModelError

#: Maximum images per batch; larger batches compute no faster
LARGEST_BATCH: Final = 1024
# Warm-up passes before a capture: cuDNN chooses its algorithms and allocates its memory
_TRIALS: Final = 3


class _Slot:
    """The buffers of one batch on the host and on the GPU, and the events that signal its copy and its computation."""

    def __init__(self) -> None:
        self.pixels = torch.empty(LARGEST_BATCH, IMAGE_BYTES, dtype=torch.uint8, pin_memory=True)
        self.bytes = self.pixels.view(-1).numpy()
        self.pixels_on_gpu = torch.empty(LARGEST_BATCH, IMAGE_BYTES, dtype=torch.uint8, device="cuda")
        self.logits = torch.empty(LARGEST_BATCH, len(LABELS), pin_memory=True)
        self.copied = torch.cuda.Event()
        self.computed = torch.cuda.Event()
        self.owner: object = None


class CudaForward:
    """Runs `forward` (uint8, n x 3,072 -> float32, n x 10; both on the GPU). `exact`: compute float32 without TF32.

    Raises:
        ModelError: the GPU has too little free memory.
    """

    def __init__(self, forward: Callable[[torch.Tensor], torch.Tensor], *, exact: bool) -> None:
        if exact:
            torch.backends.cudnn.allow_tf32 = False
        self._forward = forward
        self._copying, self._computing = torch.cuda.Stream(), torch.cuda.Stream()
        self._pixels = torch.zeros(LARGEST_BATCH, IMAGE_BYTES, dtype=torch.uint8, device="cuda")
        self._logits = torch.zeros(LARGEST_BATCH, len(LABELS), device="cuda")
        self._slots = (_Slot(), _Slot())
        self._graphs: dict[int, torch.cuda.CUDAGraph] = {}
        self._pool = torch.cuda.graph_pool_handle()
        torch.cuda.synchronize()

    def begin(self, images: Sequence[bytes]) -> Callable[[], torch.Tensor]:
        """Start classifying at most LARGEST_BATCH images; return a function that waits for the logits (on the CPU, n x 10).

        At most two batches can be in progress: wait for the first before starting a third.
        """
        n = len(images)
        if not 1 <= n <= LARGEST_BATCH:
            raise ValueError(f"{n} images: a batch has 1 to {LARGEST_BATCH}")
        graph = self._graph(n)
        self._slots = slot, _ = self._slots[::-1]
        owner = slot.owner = object()
        slot.computed.synchronize()
        slot.bytes[: n * IMAGE_BYTES] = np.frombuffer(b"".join(images), np.uint8)
        with torch.cuda.stream(self._copying):
            slot.pixels_on_gpu[:n].copy_(slot.pixels[:n], non_blocking=True)
            slot.copied.record()
        with torch.cuda.stream(self._computing):
            slot.copied.wait()
            self._pixels[:n].copy_(slot.pixels_on_gpu[:n], non_blocking=True)
            graph.replay()
            slot.logits[:n].copy_(self._logits[:n], non_blocking=True)
            slot.computed.record()

        def wait() -> torch.Tensor:
            if slot.owner is not owner:
                raise RuntimeError("its slot was reused by a later batch")
            slot.computed.synchronize()
            return slot.logits[:n].clone()

        return wait

    def prepare(self, largest: int) -> None:
        """Capture the graphs of all batch sizes up to `largest`, so that no image waits for a capture."""
        size = 1
        while size < 2 * largest and size <= LARGEST_BATCH:
            self._graph(size)
            size *= 2

    def _graph(self, n: int) -> torch.cuda.CUDAGraph:
        """Return the graph for the next power of two from n; results beyond the n images are ignored."""
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
