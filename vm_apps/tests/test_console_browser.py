"""The console in a real browser, Debian's Chromium, over TLS. What Kafka, MongoDB and Prometheus would answer is simulated at the adapters' boundary."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from quartet.contracts.inference import Inference
from running_console import PASSWORD, RunningConsole, running_console
from simulated_pipeline import SimulatedPipeline

sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed: make setup installs it")
CHROMIUM = shutil.which("chromium")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="there is no chromium: lab/setup-host tests installs it")
FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
PICTURES = "#wall img:not([hidden])"
READ = "images => Promise.all(images.map(async (image) => { await image.decode(); return [image.src, image.alt, image.naturalWidth]; }))"
#: What has the focus: an id, the place of a picture, or a tag
FOCUSED = "[document.activeElement].map((e) => e.id || (e.closest('#wall') ? [...e.closest('#wall').children].indexOf(e.parentNode) : e.tagName))[0]"
DASH = "\N{EN DASH}"
MARKUP = '<img src=x onerror="document.title=1"><script>document.title=1</script>'


class Remembering(SimulatedPipeline):
    """Remembers every inference, so that the page can be held against it."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.made: dict[str, Inference] = {}

    def read(self, seconds: float) -> list[Inference]:
        found = super().read(seconds)
        self.made.update({inference.id: inference for inference in found})
        return found


@pytest.fixture(scope="module")
def pipeline() -> Remembering:
    return Remembering(rate=30)


@pytest.fixture(scope="module")
def console(tmp_path_factory: pytest.TempPathFactory, pipeline: Remembering) -> Iterator[RunningConsole]:
    with running_console(tmp_path_factory.mktemp("console"), pipeline) as running:
        yield running


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with sync_api.sync_playwright() as tool:
        started = tool.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield started
        started.close()


class Visit:
    """A page after the login, with what the browser complained of and whom it asked."""

    def __init__(self, browser: Any, url: str, **options: Any) -> None:
        self.context = browser.new_context(ignore_https_errors=True, **options)
        self.page = self.context.new_page()
        self.complaints: list[str] = []
        self.asked: set[str] = set()
        self.page.on("console", lambda message: self.complaints.append(message.text) if message.type in ("error", "warning") else None)
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("request", lambda request: self.asked.add(re.sub(r"^(\w+://[^/]*)?.*", r"\1", request.url)))
        self.page.goto(f"{url}/login")
        # not by bare keys: the browser sets the focus after the page is loaded, and keys from before it are lost
        self.page.locator("input[type=password]").fill(PASSWORD)
        self.page.keyboard.press("Enter")
        self.page.locator(PICTURES).nth(23).wait_for()


def test_it_shows_what_happens_and_asks_nobody_else(browser: Any, console: RunningConsole, pipeline: Remembering) -> None:
    pipeline.alerts_now = [{"labels": {"alertname": MARKUP, "severity": "critical"}, "state": "firing", "annotations": {"summary": MARKUP}}]
    visit = Visit(browser, console.url, viewport={"width": 1440, "height": 900})
    page = visit.page
    page.click("#pause")
    shown = page.locator(PICTURES).evaluate_all(READ)
    assert len(shown) == 24
    for address, alt, width in shown:
        made = pipeline.made[address.rpartition("/")[2].removesuffix(".png")]
        judged = "wrong" if made.is_incorrect else "right"
        assert alt.startswith(f"predicted {made.image_prediction}, is {made.actual_value}, {judged}, ")
        assert width == 32
    assert page.locator("[data-state=wrong] .truth").first.inner_text().startswith("✗ is ")
    assert page.locator("#producers tbody tr").count() == 2
    stored = pipeline.stored()[101]["stored"]
    text = page.locator("#producers tbody tr").first.locator("[data-column=stored]").inner_text()
    assert stored - 120 <= int(text.replace(",", "")) <= stored
    page.locator("[data-stage=inference] .big", has_text=re.compile(r"\d")).wait_for()
    assert re.fullmatch(r"\d+", page.locator("[data-stage=inference] .big").inner_text())
    assert page.locator(".uplot canvas").count() == 3
    page.locator("#alerts li p", has_text="<script>").wait_for()
    assert page.title() == "Quartet: live console"
    page.check("#only-wrong")
    assert page.locator("#wall button[data-state=right]").count() == 0
    page.locator("#wall button[data-state=wrong]").first.click()
    page.locator("#trace .steps li").nth(4).wait_for()
    assert "as wrong" in page.locator("#trace .steps").inner_text()
    page.keyboard.press("Escape")
    assert not page.locator("#trace").is_visible()
    assert visit.complaints == []
    assert visit.asked == {console.url}
    pipeline.alerts_now = []
    visit.context.close()


def test_a_phone_scrolls_in_one_direction_and_the_keyboard_reaches_everything(browser: Any, console: RunningConsole) -> None:
    visit = Visit(browser, console.url, viewport={"width": 360, "height": 740}, reduced_motion="reduce", color_scheme="dark")
    page = visit.page
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    page.click("#pause")
    reached = set()
    for _ in range(45):
        page.keyboard.press("Tab")
        reached.add(page.evaluate(FOCUSED))
    assert {"producer", "only-wrong", "pause", "BUTTON", "A", *range(24)} <= reached
    page.locator("#wall button").nth(3).focus()
    page.keyboard.press("Enter")
    page.locator("#trace .steps li").first.wait_for()
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    assert page.evaluate("getComputedStyle(document.querySelector('.stage'), '::before').animationName") == "none"
    assert visit.complaints == []
    visit.context.close()


def test_what_is_old_turns_grey_and_a_broken_stream_is_said_and_comes_back(browser: Any, tmp_path: Path) -> None:
    pipeline = SimulatedPipeline(rate=30)
    console = RunningConsole(tmp_path, pipeline)
    try:
        visit = Visit(browser, console.url)
        page = visit.page
        pipeline.down = {"quartet-inference"}
        page.locator("[data-stage=inference][data-level=down]", has_text="quartet-inference failed").wait_for()
        assert "quartet-inference on vm4 is failed" in page.locator("#verdict").inner_text()
        pipeline.failing = {"prometheus": "does not answer"}
        page.locator(".units-card.old").wait_for()
        assert "does not answer" in page.locator("[data-why=units]").inner_text()
        assert "ago" in page.locator("[data-age=units]").inner_text()
        assert page.locator(".producers-card.old").count() == 0
        assert page.locator("#verdict").inner_text().startswith("Health unknown")
        console.stop()
        page.locator("#banner", has_text="does not answer").wait_for()
        pipeline.failing = {}
        console = RunningConsole(tmp_path / "again", pipeline, port=console.port)
        page.locator("#banner").wait_for(state="hidden", timeout=10_000)
        page.locator(".units-card:not(.old)").wait_for(timeout=10_000)
        visit.context.close()
    finally:
        console.stop()


def test_without_prometheus_a_single_camera_still_shows(browser: Any, tmp_path: Path) -> None:
    with running_console(tmp_path, SimulatedPipeline(rate=30, producers=(7,)), metrics=False) as console:
        visit = Visit(browser, console.url)
        page = visit.page
        page.locator("#producers th[scope=row]", has_text="7").wait_for()
        assert "set it to full" in page.locator("#strip-note").inner_text()
        assert page.locator("[data-stage=producer] .big").inner_text() == DASH
        # a rate takes two looks at the log, some seconds apart
        page.locator("[data-stage=inference] .big", has_text=re.compile(r"\d")).wait_for()
        assert not page.locator("#producer").is_visible()
        assert visit.complaints == []
        visit.context.close()
