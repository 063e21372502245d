"""The studio in a real browser: everything a photographer does there, with no request to another host.

One server and one browser for all; skipped where there is no Chromium, unless REQUIRE_BROWSER=1.
"""

import base64
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
import pytest
from studio_photos import kept_photo

from hdr_files import ultra_hdr
from wideopen import cli
from wideopen.files import read, write

CHROMIUM = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"]
ARGUMENTS += ["--disable-component-update", "--disable-sync"]
SAMPLES = Path(cli.__file__).parents[1] / "studio" / "samples"
STUDIO = """
import sys
sys.path.insert(0, sys.argv[3])  # for the worker, too
from studio_photos import HoldMaps
from wideopen.cli import main
from wideopen.studio import launch
from wideopen.workers import PoolSize

port, held = sys.argv[1:3]
warm_up = launch.WarmUp
launch.WarmUp = lambda **options: HoldMaps(held, warm_up(**options))
launch.pool_size = lambda: PoolSize(workers=1, threads=2)
sys.argv[1:] = ["studio", "--port", port]
main()
"""
STATUS = "#wo-viewer > [data-testid=status-tracker]"
LONG_MS = 60_000  # a machine that compiles kernels first, and is busy
PIXELS = """([x, y, w, h]) => {
  const canvas = document.querySelector('.wo-canvas');
  const s = canvas.width / canvas.clientWidth;
  return [...canvas.getContext('2d').getImageData(x * s, y * s, w * s, h * s).data];
}"""


@pytest.fixture(scope="module")
def chromium():
    needed = os.environ.get("REQUIRE_BROWSER") == "1"
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        assert not needed, "REQUIRE_BROWSER=1, but Playwright is not installed"
        pytest.skip("Playwright is not installed")
    if CHROMIUM is None:
        assert not needed, "REQUIRE_BROWSER=1, but there is no Chromium"
        pytest.skip("no Chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def server(chromium, tmp_path_factory):
    """`wideopen studio` in a process of its own, with one worker; afterwards it has left nothing."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    folder, held = tmp_path_factory.mktemp("server"), tmp_path_factory.mktemp("held") / "pipe"
    environment = os.environ | {"TMPDIR": str(folder)}
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(
            [sys.executable, "-c", STUDIO, str(port), str(held), str(Path(__file__).parent)],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
        )
        assert str(port) in process.stdout.readline()
        yield Server(f"http://127.0.0.1:{port}", folder, held)
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) in (0, 130)
        process.stdout.close()
    log = (folder / "log").read_text()
    assert "Traceback" not in log, log
    assert [path for path in folder.rglob("*") if path.is_file() and path.name != "log"] == []


class Server(NamedTuple):
    """The studio under test."""

    url: str
    folder: Path  # its temporary files
    held: Path  # while this is a pipe, who downloads a map waits for it

    @contextmanager
    def busy(self):
        """Downloads of maps do not end in here."""
        os.mkfifo(self.held)
        try:
            yield
        finally:
            with suppress(OSError):  # nobody waits
                os.close(os.open(self.held, os.O_WRONLY | os.O_NONBLOCK))
            self.held.unlink()

    def photos(self):
        """The files of photos that it holds."""
        return [path for path in self.folder.rglob("*") if path.suffix in (".jpg", ".npy", ".png")]


class Tab:
    """One person's page."""

    def __init__(self, browser, address, **options):
        self.context = browser.new_context(accept_downloads=True, **options)
        self.page = self.context.new_page()
        self.page.set_default_timeout(LONG_MS)
        self.problems = []
        self.page.on("console", self._noted)
        self.page.on("pageerror", lambda error: self.problems.append(str(error)))
        self.page.on("request", self._requested)
        self.address = address
        self.page.goto(address)
        self.page.wait_for_selector(".wo[data-ready=yes]")

    def _noted(self, message):
        if message.type in ("error", "warning") and "getImageData" not in message.text:  # that is these tests
            self.problems.append(message.text)

    def _requested(self, request):
        if not request.url.startswith((self.address, "data:", "blob:")):
            self.problems.append(f"a request to {request.url}")

    def result(self):
        return self.page.get_attribute(".wo", "data-result") or ""

    def after(self, act):
        """Do something, and wait for the new picture."""
        before = self.result()
        act()
        self.page.wait_for_function("(b) => (document.querySelector('.wo').dataset.result || '') !== b", arg=before)
        self.page.evaluate("() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")

    def upload(self, path):
        self.after(lambda: self.page.set_input_files(".wo-file", str(path)))

    def set(self, selector, value):
        """Type a number beside a slider."""
        field = self.page.locator(f"{selector} input[type=number]")
        self.after(lambda: (field.fill(str(value)), field.press("Enter")))

    def stage(self):
        return self.page.locator(".wo-canvas").bounding_box()

    def at(self, x, y):
        """A point of the photo, in fractions, on the page; the photo must fit."""
        place = self.page.evaluate(
            "() => { const find = (name) => document.querySelector(name), c = find('.wo-canvas');"
            " const n = find('.wo-name').textContent;"
            " const [w, h] = n.match(/(\\d+) × (\\d+)$/).slice(1).map(Number), W = c.clientWidth, H = c.clientHeight;"
            " const s = Math.min(W / w, H / h); return [(W - w * s) / 2, (H - h * s) / 2, w * s, h * s]; }"
        )
        return place[0] + x * place[2], place[1] + y * place[3]

    def click(self, x, y):
        px, py = self.at(x, y)
        self.after(lambda: self.page.locator(".wo-canvas").click(position={"x": px, "y": py}))

    def drag(self, points):
        box = self.stage()
        (x, y), *rest = [self.at(*point) for point in points]
        self.page.mouse.move(box["x"] + x, box["y"] + y)
        self.page.mouse.down()
        for x, y in rest:
            self.page.mouse.move(box["x"] + x, box["y"] + y, steps=4)
        self.page.mouse.up()

    def pixels(self, x, y, width=40, height=40):
        """(height, width, 3) of the canvas around a point of the photo."""
        px, py = self.at(x, y)
        data = self.page.evaluate(PIXELS, [round(px - width / 2), round(py - height / 2), width, height])
        return np.array(data, float).reshape(height, width, 4)[..., :3]

    def detail(self, x, y):
        """How much the pixels around a point differ from their neighbours."""
        patch = self.pixels(x, y).mean(axis=2)
        return np.abs(np.diff(patch, axis=0)).mean() + np.abs(np.diff(patch, axis=1)).mean()

    def download(self, act):
        """The file that a click gives: name, bytes."""
        with self.page.expect_download() as caught:
            act()
        return caught.value.suggested_filename, Path(caught.value.path()).read_bytes()

    def tab(self, name):
        self.page.get_by_role("tab", name=name).click()


@pytest.fixture
def person(chromium, server):
    """Open pages for people; in the end none of them saw a problem."""
    tabs = []

    def come(**options):
        tabs.append(Tab(chromium, server.url, **({"viewport": {"width": 1280, "height": 800}} | options)))
        return tabs[-1]

    yield come
    problems = [problem for tab in tabs for problem in tab.problems]
    for tab in tabs:
        tab.context.close()
    assert problems == []


def test_a_download_with_a_predicted_matte_equals_the_commands_result(person, tmp_path):
    tab = person()
    tab.upload(SAMPLES / "astronaut.jpg")
    assert "predicted by mobile" in tab.page.inner_text(".wo-sources")
    tab.set("#wo-blur", 3.2)
    tab.click(0.1, 0.2)
    tab.tab("Save")
    command = tab.page.input_value("#wo-command textarea").split()
    name, data = tab.download(lambda: tab.page.click("#wo-download"))
    shutil.copyfile(SAMPLES / "astronaut.jpg", tmp_path / "astronaut.jpg")
    assert command[:3] == ["wideopen", "render", "astronaut.jpg"]
    assert "--blur" in command
    assert re.search(r"--focus \d+,\d+", " ".join(command))
    out = tmp_path / name
    assert cli.run(["render", str(tmp_path / "astronaut.jpg"), *command[3:-1], str(out)]) == 0
    assert data == out.read_bytes()


def test_a_click_moves_the_focus_and_the_button_moves_it_back(person, tmp_path):
    tab = person()
    tab.upload(kept_photo(tmp_path / "photo.jpg"))
    subject, behind = tab.detail(0.5, 0.5), tab.detail(0.06, 0.2)
    tab.click(0.06, 0.2)
    assert tab.detail(0.5, 0.5) < 0.6 * subject
    assert tab.page.is_visible(".wo-reticle i")
    tab.page.evaluate("document.querySelector('.wo-reticle').style.visibility = 'hidden'")
    assert tab.detail(0.06, 0.2) > 2 * behind
    tab.after(lambda: tab.page.click("#wo-subject"))
    assert tab.detail(0.5, 0.5) > 0.95 * subject


def test_sliders_keys_and_views_change_the_picture(person, tmp_path):
    tab = person()
    tab.upload(kept_photo(tmp_path / "photo.jpg"))
    behind = tab.detail(0.06, 0.2)
    tab.set("#wo-blur", 0.2)
    assert tab.detail(0.06, 0.2) > 2 * behind
    assert "f/26" in tab.page.inner_text("#wo-readout")
    slider = tab.page.locator("#wo-blur input[type=range]")
    slider.focus()
    tab.after(lambda: slider.press("End"))
    assert "f/0.7" in tab.page.inner_text("#wo-readout")
    sharp_there = tab.detail(0.06, 0.2)
    views = tab.page.locator(".wo-views")
    views.locator("[data-view=result]").focus()
    tab.page.keyboard.press("ArrowRight")  # compare: the left half is the original
    assert tab.page.is_visible(".wo-divider")
    assert tab.detail(0.06, 0.2) > 2 * sharp_there
    tab.page.locator(".wo-divider").focus()
    tab.page.keyboard.press("Home")  # all of it is the result
    assert abs(tab.detail(0.06, 0.2) - sharp_there) < 0.1
    views.locator("[data-view=matte]").click()
    assert tab.pixels(0.5, 0.5).min() > 250
    views.locator("[data-view=disparity]").click()
    near, far = tab.pixels(0.5, 0.5).mean(axis=(0, 1)), tab.pixels(0.06, 0.2).mean(axis=(0, 1))
    assert near[0] > far[0] + 100
    views.locator("[data-view=result]").click()
    canvas = tab.page.locator(".wo-canvas")
    canvas.focus()
    for _ in range(3):
        canvas.press("Shift+ArrowLeft")
    tab.after(lambda: canvas.press("Enter"))  # focus by keys
    canvas.press("1")
    assert tab.page.inner_text(".wo-zoom") == "100%" or "%" in tab.page.inner_text(".wo-chip")


def test_a_repair_is_seen_undone_and_in_the_download(person, tmp_path, monkeypatch):
    tab = person()
    photo = kept_photo(tmp_path / "photo.jpg")
    tab.upload(photo)
    tab.page.click(".wo-repair")
    tab.after(lambda: tab.drag([(0.75, 0.15), (0.85, 0.4)]))
    dark = tab.pixels(0.95, 0.85, 8, 8).mean()
    assert tab.pixels(0.8, 0.28, 8, 8).mean() > 1.5 * dark  # what is subject is shown bright
    assert tab.page.is_enabled(".wo-undo")
    tab.after(lambda: tab.page.click(".wo-undo"))
    assert tab.page.is_disabled(".wo-undo")
    tab.page.click("[data-kind=take]")
    tab.after(lambda: tab.drag([(0.45, 0.3), (0.55, 0.3)]))
    tab.page.click(".wo-done")
    tab.tab("Save")
    tab.page.click("#wo-format input")
    tab.page.get_by_role("option", name="PNG").click()
    for which in ("matte", "disparity"):
        name, data = tab.download(lambda which=which: tab.page.click(f"#wo-down-{which}"))
        (tmp_path / name).write_bytes(data)
    name, data = tab.download(lambda: tab.page.click("#wo-download"))
    tab.page.wait_for_function("document.querySelector('#wo-command textarea').value.includes('.png')")
    command = tab.page.input_value("#wo-command textarea")
    monkeypatch.chdir(tmp_path)
    assert cli.run(command.split()[1:]) == 0
    assert data == (tmp_path / name).read_bytes()


def test_a_photo_that_browsers_cannot_read_is_seen_and_rendered(person, tmp_path):
    astronaut = read(SAMPLES / "astronaut.jpg")
    write(tmp_path / "astronaut.heic", astronaut.rgb, like=astronaut, quality=90)
    tab = person()
    tab.upload(tmp_path / "astronaut.heic")
    assert "astronaut.heic  512 × 512" in tab.page.inner_text(".wo-name")
    face, flag = tab.detail(0.44, 0.22), tab.detail(0.1, 0.2)
    tab.page.click("[data-view=original]")
    assert tab.detail(0.1, 0.2) > 1.15 * flag  # it hangs close behind her, and its grain is kept
    assert abs(tab.detail(0.44, 0.22) - face) < 0.1 * face


def test_a_photo_with_light_above_white_is_labelled(person, tmp_path):
    gains = np.full((64, 64, 3), 90, np.uint8)
    (tmp_path / "bright.jpg").write_bytes(ultra_hdr((SAMPLES / "astronaut.jpg").read_bytes(), gains))
    tab = person()
    tab.upload(tmp_path / "bright.jpg")
    assert tab.page.inner_text(".wo-name").split() == ["bright.jpg", "512", "×", "512", "HDR"]
    tab.upload(kept_photo(tmp_path / "photo.jpg"))
    assert "HDR" not in tab.page.inner_text(".wo-name")


def test_strokes_are_a_hint_when_the_matte_is_redone(person):
    tab = person()
    tab.upload(SAMPLES / "astronaut.jpg")
    matte = tab.page.locator(".wo-views [data-view=matte]")
    matte.click()
    assert tab.pixels(0.86, 0.15, 8, 8).max() < 20  # the shuttle behind her is not the subject
    tab.page.click(".wo-repair")
    for points in ([(0.82, 0.08), (0.9, 0.25)], [(0.9, 0.08), (0.82, 0.25)]):
        tab.after(lambda points=points: tab.drag(points))
    tab.page.click(".wo-done")
    tab.tab("Save")
    tab.after(lambda: tab.page.click("#wo-redo-matte"))
    assert "predicted by mobile from a hint" in tab.page.inner_text(".wo-sources")
    matte.click()
    assert tab.pixels(0.86, 0.16, 8, 8).min() > 230
    assert tab.pixels(0.44, 0.22, 8, 8).min() > 250  # she still is
    tab.page.click(".wo-repair")
    assert tab.page.is_disabled(".wo-undo")  # the strokes are in the matte


def test_at_100_percent_the_full_size_is_shown_pixel_for_pixel(person, tmp_path):
    tab = person(viewport={"width": 1281, "height": 801})  # odd: the middle of the stage lies between two pixels
    photo = kept_photo(tmp_path / "photo.jpg", times=6)  # 1.56 megapixels; the preview has 1.5
    tab.upload(photo)
    tab.page.click(".wo-zoom")
    tab.page.wait_for_selector(".wo[data-detail]")
    tab.page.wait_for_function("document.querySelector('.wo-chip').textContent === '100%, full size'")
    shown = np.array(tab.page.evaluate(PIXELS, [350, 200, 250, 250]), np.uint8).reshape(250, 250, 4)[..., 2::-1]
    tab.tab("Save")
    options = tab.page.input_value("#wo-command textarea").split()[3:-1]
    assert cli.run(["render", str(photo), *options, str(tmp_path / "full.png")]) == 0
    apart = cv2.matchTemplate(cv2.imread(str(tmp_path / "full.png")), np.ascontiguousarray(shown), cv2.TM_SQDIFF)
    assert (apart.min() / shown.size) ** 0.5 < 5  # codes; 4.4 is what JPEG makes of so much noise


def test_a_waiting_person_sees_their_place_in_the_queue(person, server, tmp_path):
    one, two = person(), person()
    one.upload(kept_photo(tmp_path / "one.jpg", seed=1))
    one.tab("Save")
    with server.busy():
        one.page.click("#wo-down-matte")
        one.page.wait_for_function(f"/Writing the maps of one/.test(document.querySelector('{STATUS}').innerText)")
        two.page.set_input_files(".wo-file", str(kept_photo(tmp_path / "two.jpg", seed=2)))
        two.page.wait_for_function(f"/queue: 1.1/.test(document.querySelector('{STATUS}').innerText)")
    two.page.wait_for_selector(".wo[data-has-photo=yes]")
    two.page.wait_for_selector(f"{STATUS}.hide", state="attached")


def test_a_bad_file_is_refused_with_a_message_and_the_photo_stays(person, tmp_path):
    tab = person()
    tab.upload(kept_photo(tmp_path / "photo.jpg"))
    (tmp_path / "notes.png").write_text("no pixels here")
    tab.page.set_input_files(".wo-file", str(tmp_path / "notes.png"))
    tab.page.wait_for_selector(".wo-error", state="visible")
    error = tab.page.inner_text(".wo-error span")
    assert error.startswith("notes.png: expected a photo")
    assert "/" not in error
    assert "photo.jpg" in tab.page.inner_text(".wo-name")
    tab.set("#wo-blur", 1)


def test_two_people_see_their_own_photos(person, tmp_path):
    one, two = person(), person()
    one.upload(kept_photo(tmp_path / "one.jpg", seed=1))
    before = one.pixels(0.06, 0.2)
    two.upload(kept_photo(tmp_path / "two.jpg", seed=2))
    two.click(0.06, 0.2)
    two.set("#wo-blur", 6)
    one.after(lambda: one.page.click("#wo-subject"))
    assert "one.jpg" in one.page.inner_text(".wo-name")
    assert "two.jpg" in two.page.inner_text(".wo-name")
    assert np.array_equal(one.pixels(0.06, 0.2), before)


@pytest.mark.parametrize("way", ["drop", "paste"])
def test_a_photo_can_be_dropped_or_pasted(person, tmp_path, way):
    tab = person()
    data = base64.b64encode(kept_photo(tmp_path / "photo.jpg").read_bytes()).decode()
    script = """([way, data]) => {
      const bytes = Uint8Array.from(atob(data), (c) => c.charCodeAt(0)), transfer = new DataTransfer();
      transfer.items.add(new File([bytes], way + 'ped.jpg', { type: 'image/jpeg' }));
      const of = { bubbles: true, cancelable: true };
      const stage = document.querySelector('.wo-stage');
      if (way === 'drop') stage.dispatchEvent(new DragEvent('drop', { ...of, dataTransfer: transfer }));
      else document.dispatchEvent(new ClipboardEvent('paste', { ...of, clipboardData: transfer }));
    }"""
    tab.after(lambda: tab.page.evaluate(script, [way, data]))
    assert f"{way}ped.jpg" in tab.page.inner_text(".wo-name")


def test_photos_are_deleted_when_the_page_is_closed(person, server, tmp_path):
    tab = person()
    tab.upload(kept_photo(tmp_path / "photo.jpg"))
    assert server.photos()
    tab.context.close()
    latest = time.monotonic() + 60
    while server.photos() and time.monotonic() < latest:
        time.sleep(0.2)  # the server sees a closed connection when it next looks
    assert server.photos() == []


def test_looks_are_saved_and_loaded(person, tmp_path):
    tab = person()
    tab.upload(kept_photo(tmp_path / "photo.jpg"))
    tab.set("#wo-blur", 5)
    tab.after(lambda: tab.page.locator("#wo-blades input[value='6']").check())
    name, data = tab.download(lambda: tab.page.click("#wo-save-look"))
    (tmp_path / name).write_bytes(data)
    tab.set("#wo-blur", 1)
    tab.after(lambda: tab.page.set_input_files("#wo-panel input[type=file] >> nth=0", str(tmp_path / name)))
    assert tab.page.input_value("#wo-blur input[type=number]") == "5"
    tab.tab("Save")
    assert "--blur 5% --aperture polygon:6" in tab.page.input_value("#wo-command textarea")


def test_a_narrow_screen_holds_everything(person, tmp_path):
    tab = person(viewport={"width": 390, "height": 844}, has_touch=True)
    wide = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
    assert tab.page.evaluate(wide) == 0
    tab.page.click("[data-sample=bear]")
    tab.page.wait_for_selector(".wo[data-has-photo=yes]")
    assert tab.page.evaluate(wide) == 0
    tab.click(0.2, 0.2)
    for button in (".wo-repair", ".wo-zoom", ".wo-bar .wo-open", ".wo-views [data-view=disparity]"):
        box = tab.page.locator(button).bounding_box()
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= 390
        assert box["height"] >= 28
    tab.page.locator("#wo-subject").scroll_into_view_if_needed()
    tab.after(lambda: tab.page.click("#wo-subject"))
    tab.page.click(".wo-repair")
    stage, tools = (tab.page.locator(part).bounding_box() for part in (".wo-stage", ".wo-brushes"))
    assert tools["y"] >= stage["y"] + stage["height"]  # the photo is not covered
    assert tools["x"] + tools["width"] <= 390


def test_every_control_has_a_name(person):
    tab = person()
    nameless = tab.page.evaluate("""() => [...document.querySelectorAll('button, input, textarea, [role=slider]')]
      .filter((e) => e.type !== 'file' && e.offsetParent)
      .filter((e) => !(e.textContent.trim() || e.getAttribute('aria-label') || e.title
        || (e.labels && [...e.labels].some((l) => l.textContent.trim()))))
      .map((e) => e.outerHTML.slice(0, 120))""")
    assert nameless == []


def test_files_of_the_machine_cannot_be_asked_for(person, server):
    tab = person()
    for path in ("/etc/passwd", str(Path(cli.__file__))):
        assert tab.page.evaluate("async (u) => (await fetch(u)).status", f"{server.url}/gradio_api/file={path}") == 403
    tab.problems.clear()  # the browser reports the refusals
