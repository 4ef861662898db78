"""The forward pass on a GPU; skipped where torch sees none."""

import hashlib
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")
if not torch.cuda.is_available():
    pytest.skip("torch sees no GPU", allow_module_level=True)

from quartet.contracts.image import IMAGE_BYTES  # noqa: E402
from quartet.inference import classifier, cuda_forward, training  # noqa: E402
from quartet.inference.model_check import check  # noqa: E402

SHIPPED = Path(__file__).parents[1] / "models" / "resnet18_cifar10.safetensors"
SHA256 = hashlib.sha256(SHIPPED.read_bytes()).hexdigest()


def some_images(n, seed=1):
    pixels = torch.randint(0, 256, (n, IMAGE_BYTES), dtype=torch.uint8, generator=torch.Generator().manual_seed(seed))
    return [bytes(one.numpy().tobytes()) for one in pixels]


@pytest.fixture(scope="module")
def on_gpu():
    return classifier.Classifier(SHIPPED, SHA256, device="cuda", dtype="float32")


def test_the_gpu_is_chosen_where_there_is_one():
    chosen = classifier.Classifier(SHIPPED, SHA256)
    assert (chosen.device, chosen.device_name) == ("cuda", torch.cuda.get_device_name())
    assert chosen.dtype == ("bfloat16" if torch.cuda.is_bf16_supported(including_emulation=False) else "float32")


@pytest.mark.parametrize("n", [1, 2, 3, 100, 128, 129])
def test_logits_are_those_of_the_cpu(on_gpu, n):
    images = some_images(n)
    on_cpu = classifier.Classifier(SHIPPED, SHA256, device="cpu", dtype="float32")
    assert on_gpu.logits(images).shape == (n, 10)
    assert torch.allclose(on_gpu.logits(images), on_cpu.logits(images), atol=1e-3)


def test_batches_come_back_in_their_order_and_whole(on_gpu):
    batches = [some_images(n, seed=n) for n in (5, 1, 256, 17, 1, 64, 1024)]
    alone = [on_gpu.classify(batch) for batch in batches]
    for ours, reference in zip(on_gpu.classify_batches(batches), alone, strict=True):
        assert [one.label for one in ours] == [one.label for one in reference]
        assert [one.confidence for one in ours] == pytest.approx([one.confidence for one in reference], abs=1e-4)


def test_a_late_wait_does_not_return_another_batch(on_gpu):
    waiting = [on_gpu._cuda.begin(some_images(1)) for _ in range(3)]
    with pytest.raises(RuntimeError, match="later batch"):
        waiting[0]()
    assert waiting[1]().shape == waiting[2]().shape == (1, 10)


def test_a_batch_has_a_largest_size(on_gpu):
    with pytest.raises(ValueError, match="1 to 1024"):
        on_gpu.logits([bytes(IMAGE_BYTES)] * (cuda_forward.LARGEST_BATCH + 1))


def test_a_model_file_is_tried_on_the_gpu():
    assert any(torch.cuda.get_device_name() in line for line in check(SHIPPED, "cuda"))


def test_a_few_steps_train_on_the_gpu():
    labels = torch.arange(512) % 2
    images = training.Images((labels.view(-1, 1, 1, 1) * 200 + torch.randint(0, 50, (512, 3, 32, 32))).byte(), labels)
    net = training.fit(images, images, training.Recipe(epochs=3, batch_size=32, peak=0.05), "cuda", lambda epoch: None)
    assert training.accuracy(net, images, "cuda") > 0.9
