"""Training: its pieces, and a few steps from end to end; skipped where torch is not installed."""

import pytest

torch = pytest.importorskip("torch")

from quartet.inference import augmentation, classifier, model, train, training  # noqa: E402
from quartet.inference.network import network  # noqa: E402
from quartet.runtime.errors import QuartetError  # noqa: E402


def some_images(n=64):
    """Two classes that are easy to separate: dark and bright."""
    labels = torch.arange(n) % 2
    pixels = (labels.view(-1, 1, 1, 1) * 200 + torch.randint(0, 50, (n, 3, 32, 32), generator=torch.Generator().manual_seed(1))).byte()
    return training.Images(pixels, labels)


def test_augmentation_shifts_and_flips():
    image = torch.arange(3 * 32 * 32).view(1, 3, 32, 32).remainder(251).byte().repeat(64, 1, 1, 1)
    changed = augmentation.shift_and_flip(image, torch.Generator().manual_seed(1))
    assert changed.shape == image.shape
    assert changed.dtype == torch.uint8
    assert len({bytes(one.numpy().tobytes()) for one in changed}) > 32
    again = augmentation.shift_and_flip(image, torch.Generator().manual_seed(1))
    assert torch.equal(changed, again)
    padded = torch.nn.functional.pad(image[:1], (4,) * 4, mode="reflect")[0]
    shifts = [padded[:, y : y + 32, x : x + 32] for y in range(9) for x in range(9)]
    assert all(any(torch.equal(one, w) or torch.equal(one, w.flip(2)) for w in shifts) for one in changed)


def test_a_square_of_another_image_brings_its_label_with_it():
    images = torch.arange(64).float().view(64, 1, 1, 1).expand(64, 3, 32, 32)
    targets = torch.eye(64)
    changed, labels = augmentation.cutmix(images, targets, 0.5, torch.Generator().manual_seed(1))
    assert torch.allclose(labels.sum(1), torch.ones(64))
    cut = 0
    for own, (one, label) in enumerate(zip(changed, labels, strict=True)):
        assert torch.equal(one[0], one[1])
        foreign = one[0] != own
        if not foreign.any():
            assert label[own] == 1
            continue
        cut += 1
        rows, columns = foreign.any(1).nonzero().flatten(), foreign.any(0).nonzero().flatten()
        assert foreign[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1].all()
        (other,) = set(one[0][foreign].tolist())
        assert label[int(other)].item() == pytest.approx(foreign.float().mean().item(), abs=1e-6)
    assert 16 < cut < 48
    again, _ = augmentation.cutmix(images, targets, 0.5, torch.Generator().manual_seed(1))
    assert torch.equal(changed, again)
    untouched, same = augmentation.cutmix(images, targets, 0, torch.Generator())
    assert torch.equal(untouched, images)
    assert torch.equal(same, targets)


def test_held_out_images_are_not_trained_on():
    images = training.Images(torch.arange(40).view(40, 1, 1, 1), torch.arange(40))
    training_images, held_out = training.split(images, 15, seed=2)
    assert len(held_out) == 15
    assert sorted([*training_images.labels.tolist(), *held_out.labels.tolist()]) == list(range(40))
    assert held_out.labels.tolist() == training.split(images, 15, seed=2)[1].labels.tolist()
    assert torch.equal(training_images.pixels.flatten(), training_images.labels)


def test_the_average_follows_the_weights():
    net = network()
    average = training.MovingAverage(net, 0.9, "cpu")
    before = net.fc.bias.detach().clone()
    assert torch.equal(average.net.fc.bias, before)
    with torch.no_grad():
        net.fc.bias += 1
        net.bn1.running_mean += 1
    for _ in range(12):
        average.update()
    assert torch.allclose(average.net.fc.bias, before + 1, atol=1e-3)
    assert torch.allclose(average.net.bn1.running_mean, torch.ones(64), atol=1e-3)


def test_batches_cover_everything_once():
    picked = torch.cat(list(training.batches(70, 32, torch.Generator().manual_seed(1))))
    assert len(picked) == len(set(picked.tolist())) == 64
    assert len(next(training.batches(5, 32, torch.Generator().manual_seed(1)))) == 5


def test_normalising_is_what_inference_does(tmp_path):
    grey = torch.full((1, 3, 32, 32), 128, dtype=torch.uint8)
    assert augmentation.normalise(grey)[0, 0, 0, 0].item() == pytest.approx((128 / 255 - 0.4914) / 0.2470, abs=1e-5)


def test_no_training_images():
    with pytest.raises(QuartetError, match="--cifar10 or --glyphs"):
        train.read_images(None, 0, "train", 1, 0)


def test_a_few_steps_train_and_the_saved_file_is_valid(tmp_path):
    torch.set_num_threads(1)  # with such small batches several threads only wait for each other
    images = some_images(48)
    recipe = training.Recipe(epochs=2, batch_size=8, peak=0.05, mix=0, seed=3)
    curve = []
    training_images, held_out = training.split(images, 8, recipe.seed)
    averaged = training.fit(training_images, held_out, recipe, "cpu", curve.append)
    assert training.accuracy(averaged, images, "cpu") > 0.9
    assert [epoch.number for epoch in curve] == [1, 2]
    assert curve[1].accuracy == training.accuracy(averaged, held_out, "cpu")
    file = tmp_path / "own.safetensors"
    description = train.save(averaged, file, recipe)
    assert description.dtype == "F16"
    assert model.describe(*model.read(file)) == description
    assert classifier.Classifier(file, description.sha256, device="cpu", threads=1).classify([bytes(3072)])


def test_the_seed_decides_everything():
    torch.set_num_threads(1)
    images = some_images(16)
    recipe = training.Recipe(epochs=1, batch_size=8, seed=3)
    one, two = (training.fit(images, images, recipe, "cpu", lambda epoch: None).state_dict() for _ in range(2))
    assert all(torch.equal(a, b) for a, b in zip(one.values(), two.values(), strict=True))
