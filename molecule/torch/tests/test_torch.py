"""torch and torchvision are what the lock says, and compute here."""

from __future__ import annotations

PYTHON = "/opt/quartet/torch/current/bin/python"


def test_versions_are_those_of_the_lock(host):
    found = host.check_output(f"{PYTHON} -c 'import torch, torchvision; print(torch.__version__, torchvision.__version__)'")
    assert [part.split("+")[0] for part in found.split()] == ["2.15.0", "0.29.2"]


def test_a_convolution_computes(host):
    code = "import torch; print(float(torch.nn.functional.conv2d(torch.ones(1, 3, 8, 8), torch.ones(4, 3, 3, 3)).sum()))"
    assert host.check_output(f"{PYTHON} -c '{code}'") == str(float(4 * 6 * 6 * 27))
