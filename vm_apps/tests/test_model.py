"""Validation of model files: what is refused before and after parsing."""

import hashlib
import json
import struct
from pathlib import Path

import pytest
from quartet.contracts.labels import LABELS
from quartet.inference import model
from quartet.inference.model_check import check

SHIPPED = Path(__file__).parents[1] / "models" / "resnet18_cifar10.safetensors"
SHA256 = "63d52f7df596564bb0e47f3f266fb505d9bb98e1b2d775d8764bdcdd9b676ff9"


@pytest.fixture(scope="module")
def shipped():
    return SHIPPED.read_bytes()


def altered(data, change):
    """The same file with another header."""
    (length,) = struct.unpack_from("<Q", data)
    header = json.loads(data[8 : 8 + length])
    change(header)
    packed = json.dumps(header).encode()
    return struct.pack("<Q", len(packed)) + packed + data[8 + length :]


def test_the_shipped_model_fits(shipped):
    description = model.describe(shipped, SHA256)
    assert description.model == SHA256[:12]
    assert description.classes == tuple(LABELS)
    assert description.parameters == 11_173_962
    assert description.dtype == "F16"
    assert description.mean == (0.4914, 0.4822, 0.4465)


def test_the_pinned_sha256_is_checked_first(tmp_path, shipped):
    file = tmp_path / "model.safetensors"
    file.write_bytes(shipped)
    assert model.read(file, SHA256)[1] == SHA256
    broken = bytearray(shipped)
    broken[-1000] ^= 1
    file.write_bytes(broken)
    with pytest.raises(model.ModelError, match=f"{hashlib.sha256(broken).hexdigest()}.*altered"):
        model.read(file, SHA256)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(model.ModelError, match="nowhere"):
        model.read(tmp_path / "nowhere")


def test_a_huge_file_is_not_read(tmp_path):
    file = tmp_path / "huge"
    with file.open("wb") as f:
        f.truncate(model.MAX_FILE_BYTES + 1)
    with pytest.raises(model.ModelError, match="larger"):
        model.read(file)


@pytest.mark.parametrize("data", [b"", b"PK\x03\x04" + bytes(60), b"\x80\x02}q\x00." + bytes(9), struct.pack("<Q", 2) + b"[]"])
def test_what_is_no_safetensors_is_refused(data):
    with pytest.raises(model.ModelError, match="not a safetensors file"):
        model.describe(data, SHA256)


def drop(*path):
    def change(header):
        for key in path[:-1]:
            header = header[key]
        del header[path[-1]]

    return change


def put(value, *path):
    def change(header):
        for key in path[:-1]:
            header = header[key]
        header[path[-1]] = value

    return change


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (drop("__metadata__"), "no metadata"),
        (drop("__metadata__", "classes"), "`classes` is missing"),
        (put('["cat"]', "__metadata__", "classes"), "ten labels"),
        (put('{"cat": 1}', "__metadata__", "classes"), "ten labels"),
        (put("cat, dog", "__metadata__", "classes"), "not a JSON list"),
        (drop("__metadata__", "mean"), "`mean` is missing"),
        (put("125,123,113", "__metadata__", "mean"), "for pixels of 0..1"),
        (put("nan,0,0", "__metadata__", "mean"), "for pixels of 0..1"),
        (put("0.5", "__metadata__", "std"), "not three numbers"),
        (put("0,0.2,0.2", "__metadata__", "std"), "expected"),
        (drop("fc.weight"), "fc.weight missing"),
        (put({"dtype": "F16", "shape": [1], "data_offsets": [0, 2]}, "layer5.weight"), "also holds layer5.weight"),
        (put([64, 3, 7, 7], "conv1.weight", "shape"), "3x3"),
        (put([100, 512], "fc.weight", "shape"), "expected .10, 512."),
        (put("I8", "fc.weight", "dtype"), "the type I8"),
        (put(3, "fc.weight"), "not described"),
    ],
)
def test_what_does_not_fit_is_refused(shipped, change, message):
    with pytest.raises(model.ModelError, match=message):
        model.describe(altered(shipped, change), SHA256)


def test_classes_may_stand_in_any_order(shipped):
    order = list(reversed(LABELS))
    assert model.describe(altered(shipped, put(json.dumps(order), "__metadata__", "classes")), "").classes == tuple(order)


def test_check_says_what_to_set(capsys):
    text = "\n".join(check(SHIPPED))
    assert SHA256 in text
    assert "0.4914 0.4822 0.4465" in text
    assert "airplane automobile" in text
