"""Training: its pieces, and a few steps from end to end; skipped where torch is not installed."""

import pytest

torch = pytest.importorskip("torch")

from quartet import classifier, model, train  # noqa: E402
from quartet.exit_codes import QuartetError  # noqa: E402


def some_images(n=64):
    """Two classes that a network tells apart at once: dark and bright."""
    labels = torch.arange(n) % 2
    pixels = (labels.view(-1, 1, 1, 1) * 200 + torch.randint(0, 50, (n, 3, 32, 32), generator=torch.Generator().manual_seed(1))).byte()
    return train.Images(pixels, labels)


def test_augmenting_shifts_and_mirrors():
    image = torch.arange(3 * 32 * 32).view(1, 3, 32, 32).remainder(251).byte().repeat(64, 1, 1, 1)
    changed = train.augmented(image, torch.Generator().manual_seed(1))
    assert changed.shape == image.shape
    assert changed.dtype == torch.uint8
    assert len({bytes(one.numpy().tobytes()) for one in changed}) > 32
    again = train.augmented(image, torch.Generator().manual_seed(1))
    assert torch.equal(changed, again)
    padded = torch.nn.functional.pad(image[:1], (4,) * 4, mode="reflect")[0]
    shifts = [padded[:, y : y + 32, x : x + 32] for y in range(9) for x in range(9)]
    assert all(any(torch.equal(one, w) or torch.equal(one, w.flip(2)) for w in shifts) for one in changed)


def test_batches_cover_everything_once():
    picked = torch.cat(list(train.batches(70, 32, torch.Generator().manual_seed(1))))
    assert len(picked) == len(set(picked.tolist())) == 64
    assert len(next(train.batches(5, 32, torch.Generator().manual_seed(1)))) == 5


def test_normalising_is_what_inference_does(tmp_path):
    grey = torch.full((1, 3, 32, 32), 128, dtype=torch.uint8)
    assert train.normalised(grey)[0, 0, 0, 0].item() == pytest.approx((128 / 255 - 0.4914) / 0.2470, abs=1e-5)


def test_nothing_to_learn_from():
    with pytest.raises(QuartetError, match="--cifar10 or --glyphs"):
        train.read_images(None, 0, "train", 1, 0)


def test_a_few_steps_learn_and_the_saved_file_fits(tmp_path):
    torch.set_num_threads(1)  # so small batches only wait for each other on several
    images = some_images(48)
    recipe = train.Recipe(epochs=2, batch_size=8, seed=3)
    last, averaged = train.fit(images, recipe, "cpu")
    assert train.accuracy(last, images, "cpu") > 0.9
    file = tmp_path / "own.safetensors"
    description = train.save(averaged, file)
    assert description.dtype == "F16"
    assert model.describe(*model.read(file)) == description
    assert classifier.Classifier(file, description.sha256, device="cpu", threads=1).classify([bytes(3072)])


def test_the_seed_decides_everything():
    torch.set_num_threads(1)
    images = some_images(16)
    recipe = train.Recipe(epochs=1, batch_size=8, seed=3)
    one, two = (train.fit(images, recipe, "cpu")[0].state_dict() for _ in range(2))
    assert all(torch.equal(a, b) for a, b in zip(one.values(), two.values(), strict=True))
