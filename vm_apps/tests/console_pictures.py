"""Makes the pictures of docs/images that are of a simulated load: the real page over TLS, fed with real CIFAR-10 images.

    PYTHONPATH=vm_apps/src:vm_apps/tests python vm_apps/tests/console_pictures.py FOLDER_OF_CIFAR10 docs/images

The folder holds cifar-10-batches-bin. Needs Debian's chromium and playwright.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from playwright.sync_api import sync_playwright
from quartet.datasets.cifar10 import Cifar10
from quartet.datasets.distortion import distort
from quartet.runtime.settings import Distortion
from running_console import PASSWORD, running_console
from simulated_pipeline import SimulatedPipeline

FLAGS = ("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking")
#: name, width, height, scale, colour scheme, whole page
SHOTS = (
    ("console-phone", 360, 800, 2, "light", False),
    ("console-4k", 3840, 2160, 1, "dark", False),
)


def main(data: Path, target: Path, names: list[str]) -> None:
    """Write the pictures."""
    images = Cifar10(data, "test")
    noise = Distortion(kind="noise", severity=0.4)

    def picture(producer: int, sequence: int) -> tuple[bytes, str]:
        pixels, label = images[(sequence * 2 + producer) % len(images)]
        if producer == 102:
            pixels = distort(pixels, noise, 1, sequence)
        return pixels.tobytes(), label

    sources = SimulatedPipeline(picture, rate=198, begun=186_000)
    with tempfile.TemporaryDirectory() as folder, running_console(Path(folder), sources) as console, sync_playwright() as tool:
        browser = tool.chromium.launch(executable_path="/usr/bin/chromium", args=FLAGS)
        for name, width, height, scale, scheme, whole in SHOTS:
            if names and name not in names:
                continue
            context = browser.new_context(
                viewport={"width": width, "height": height},
                device_scale_factor=scale,
                color_scheme=scheme,
                reduced_motion="reduce",
                ignore_https_errors=True,
            )
            page = context.new_page()
            page.goto(console.url)
            page.fill("input[name=password]", PASSWORD)
            page.click("text=Log in")
            page.locator("#wall img:not([hidden])").nth(23).wait_for()
            page.wait_for_timeout(6000)
            page.screenshot(path=target / f"{name}.png", full_page=whole)
            context.close()
        browser.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3:])
