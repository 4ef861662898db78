"""The network itself; skipped where torch is not installed."""

import hashlib
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")

from quartet.contracts.image import IMAGE_BYTES  # noqa: E402
from quartet.contracts.labels import LABELS  # noqa: E402
from quartet.inference import classifier, model  # noqa: E402
from quartet.inference.network import fuse, load  # noqa: E402
from safetensors import safe_open  # noqa: E402
from safetensors.torch import load_file, save_file  # noqa: E402

SHIPPED = Path(__file__).parents[1] / "models" / "resnet18_cifar10.safetensors"
SHA256 = hashlib.sha256(SHIPPED.read_bytes()).hexdigest()
GREY = bytes([128]) * IMAGE_BYTES


def test_a_cut_file_is_refused(tmp_path):
    file = tmp_path / "cut.safetensors"
    file.write_bytes(SHIPPED.read_bytes()[:-4])
    with pytest.raises(model.ModelError, match="damaged"):
        load(file)


def test_it_classifies():
    full = classifier.Classifier(SHIPPED, SHA256, device="cpu", dtype="float32", threads=1)
    assert (full.device, full.dtype, full.threads) == ("cpu", "float32", 1)
    red = b"\xff" * 1024 + bytes(2048)
    one, two = full.classify([GREY, red])
    assert one.label in LABELS
    assert 0.1 <= one.confidence <= 1
    assert full.classify([]) == []
    assert full.classify([red])[0].label == two.label
    half = classifier.Classifier(SHIPPED, SHA256, device="cpu", dtype="bfloat16", threads=1)
    assert torch.allclose(half.logits([GREY]).softmax(1), full.logits([GREY]).softmax(1), atol=0.1)


def test_an_image_that_comes_alone_has_as_many_threads_as_were_found_fastest(monkeypatch):
    before = torch.get_num_threads()
    full = classifier.Classifier(SHIPPED, SHA256, device="cpu", dtype="float32", threads=2)
    used = []
    net = full._net
    monkeypatch.setattr(full, "_net", lambda batch: (used.append((len(batch), torch.get_num_threads())), net(batch))[1])
    full.warm_up(3)
    full.choose_single_image_threads()
    assert full.single_image_threads in {1, 2}
    assert {(1, 1), (1, 2), (3, 2)} <= set(used)
    used.clear()
    full.single_image_threads = 1
    full.classify([GREY])
    full.classify([GREY, GREY])
    assert used == [(1, 1), (2, 2)]
    torch.set_num_threads(before)


def test_folding_the_norms_changes_nothing():
    _, net = load(SHIPPED, SHA256)
    images = torch.randn(4, 3, 32, 32, generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        before = net(images)
        assert torch.allclose(fuse(net)(images), before, atol=1e-3)
    assert not any("running_mean" in name for name in net.state_dict())


def test_values_that_are_not_finite_are_refused(tmp_path):
    weights = load_file(SHIPPED)
    weights["fc.bias"] = torch.full((10,), float("nan"), dtype=torch.float16)
    with safe_open(SHIPPED, "pt") as f:
        save_file(weights, tmp_path / "nan.safetensors", f.metadata())
    with pytest.raises(model.ModelError, match=r"fc\.bias.*not finite"):
        load(tmp_path / "nan.safetensors")
