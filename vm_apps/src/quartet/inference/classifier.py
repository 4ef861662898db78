"""The classifier: the network of a verified model file, on the CPU or a GPU, in the dtype that is fastest there."""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from statistics import median

import torch

from quartet.contracts.image import IMAGE_BYTES, IMAGE_SIDE
from quartet.inference.cuda_forward import CudaForward
from quartet.inference.devices import chosen_device, cpus, device_name, has_bfloat16
from quartet.inference.model import ModelError, Prediction
from quartet.inference.network import fuse, load

log = logging.getLogger(__name__)

# Images classified with each number of threads, to find the faster one for single images
_TRIALS = 9
_GREY = bytes([128]) * IMAGE_BYTES


class Classifier:
    """A loaded model on its device, ready to classify batches.

    `device` is auto, cpu or cuda; `dtype` is auto, float32 or bfloat16; `threads` 0 means all CPUs.
    """

    def __init__(
        self,
        path: Path | str,
        sha256: str | None,
        device: str = "auto",
        dtype: str = "auto",
        threads: int = 0,
    ) -> None:
        self.description, net = load(path, sha256)

        self.device = device = chosen_device(device)
        if device == "cpu":
            torch.set_num_threads(threads or cpus())
        self.threads = torch.get_num_threads()
        #: Threads for a batch of one image: 1 if `choose_single_image_threads` measured that to be faster
        self.single_image_threads = self.threads
        self.dtype = ("bfloat16" if has_bfloat16(device) else "float32") if dtype == "auto" else dtype
        self._dtype: torch.dtype = getattr(torch, self.dtype)
        self._net: torch.nn.Module = fuse(net).to(device=device, dtype=self._dtype, memory_format=torch.channels_last)
        mean, std = self.description.mean, self.description.std
        self._offset = torch.tensor(mean, device=device).mul(255).view(1, 3, 1, 1)
        self._scale = torch.tensor(std, device=device).mul(255).reciprocal().view(1, 3, 1, 1)
        self._cuda = CudaForward(self._forward, exact=self.dtype == "float32") if device == "cuda" else None

    @property
    def device_name(self) -> str:
        """The product name of the GPU or CPU."""
        return device_name(self.device)

    def logits(self, images: Sequence[bytes]) -> torch.Tensor:
        """Classify images of 3,072 bytes (uint8, planar RGB); return float32 logits on the CPU, shape (n, 10)."""
        return self._begin(images)()

    def classify(self, images: Sequence[bytes]) -> list[Prediction]:
        """Classify images of 3,072 bytes (uint8, planar RGB)."""
        return next(self.classify_batches([images])) if images else []

    def classify_batches(self, batches: Iterable[Sequence[bytes]]) -> Iterator[list[Prediction]]:
        """Classify non-empty batches in order; on a GPU one batch is computed while the next one is copied."""
        ahead = 1 if self._cuda else 0
        begun: deque[Callable[[], torch.Tensor]] = deque()
        for batch in batches:
            begun.append(self._begin(batch))
            if len(begun) > ahead:
                yield self._predictions(begun.popleft()())
        while begun:
            yield self._predictions(begun.popleft()())

    def _begin(self, images: Sequence[bytes]) -> Callable[[], torch.Tensor]:
        """Start classifying; return a function that waits for the logits."""
        if self._cuda:
            return self._cuda.begin(images)
        threads = self.single_image_threads if len(images) == 1 else self.threads
        if torch.get_num_threads() != threads:
            torch.set_num_threads(threads)
        with torch.inference_mode():
            logits = self._forward(torch.frombuffer(bytearray(b"".join(images)), dtype=torch.uint8).view(-1, IMAGE_BYTES))
        return lambda: logits

    def _forward(self, pixels: torch.Tensor) -> torch.Tensor:
        """Return float32 logits (n x 10) of images (uint8, n x 3,072), both on the device."""
        batch = pixels.view(-1, 3, IMAGE_SIDE, IMAGE_SIDE).float().sub_(self._offset).mul_(self._scale)
        logits: torch.Tensor = self._net(batch.to(dtype=self._dtype, memory_format=torch.channels_last))
        return logits.float()

    def _predictions(self, logits: torch.Tensor) -> list[Prediction]:
        best = logits.softmax(1).max(1)
        return [
            Prediction(self.description.classes[i], confidence)
            for confidence, i in zip(best.values.tolist(), best.indices.tolist(), strict=True)
        ]

    def warm_up(self, batch_size: int) -> None:
        """Classify grey images, one and a whole batch, so that failures occur now and not at the first record."""
        if self._cuda:
            self._cuda.prepare(batch_size)
        for n in (1, batch_size):
            if not bool(self.logits([_GREY] * n).isfinite().all()):
                raise ModelError(f"the model's logits are not finite in {self.dtype}")

    def choose_single_image_threads(self) -> None:
        """Measure whether one thread is faster than all for a single image; on few cores waking the others costs more than it saves."""
        if self.device != "cpu" or self.threads == 1:
            return
        found = {}
        for threads in (1, self.threads):
            self.single_image_threads = threads
            seconds = []
            for _ in range(_TRIALS):
                # let the threads fall asleep, as they do between two single images
                time.sleep(0.01)
                begin = time.perf_counter()
                self.logits([_GREY])
                seconds.append(time.perf_counter() - begin)
            found[threads] = 1000 * median(seconds)
        self.single_image_threads = min(found, key=lambda threads: found[threads])
        log.info("a single image takes %s", " and ".join(f"{ms:.1f} ms with threads={threads}" for threads, ms in found.items()))
