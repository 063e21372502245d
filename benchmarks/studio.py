"""Speed of the studio in a real browser, and the memory it keeps: `python benchmarks/studio.py`.

Extras web and demo, Playwright and Chromium. Measures the time until the page is ready, until a 20-megapixel photo is
analysed, from a slider or a click to the new picture on the screen, whether eight people at once see an error, and
the server's memory over 100 uploads. `--only` names some of these.
"""

import argparse
import json
import os
import random
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from provenance import ROOT, write_result

CHROMIUM = os.environ.get("CHROMIUM", "/usr/bin/chromium")
ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"]
ARGUMENTS += ["--disable-component-update", "--disable-sync"]
READY = ".wo[data-ready=yes]"
PATIENCE_MS = 300_000
OPEN = ".wo[data-has-photo=yes]"
CHANGE = """async ([kind, a, b]) => {
  const root = document.querySelector('.wo'), before = root.dataset.result, start = performance.now();
  const shown = new Promise((done) => {
    const seen = new MutationObserver(() => {
      if (root.dataset.result === before) return;
      seen.disconnect();
      requestAnimationFrame(() => requestAnimationFrame(done));
    });
    seen.observe(root, { attributes: true });
  });
  if (kind === 'slider') {
    const slider = document.querySelector('#wo-blur input[type=range]');
    slider.value = a;
    slider.dispatchEvent(new Event('input', { bubbles: true }));
  } else {
    const canvas = document.querySelector('.wo-canvas'), box = canvas.getBoundingClientRect();
    const at = { clientX: box.x + a * box.width, clientY: box.y + b * box.height, pointerId: 1, bubbles: true };
    canvas.setPointerCapture = () => {};
    canvas.dispatchEvent(new PointerEvent('pointerdown', at));
    canvas.dispatchEvent(new PointerEvent('pointerup', at));
  }
  await shown;
  return performance.now() - start;
}"""


def photo(path: Path, megapixels: float, seed: int = 12) -> Path:
    """Write a portrait of this size, as noisy as a phone's."""
    import cv2
    import numpy as np
    import skimage.data

    rng = np.random.default_rng(seed)
    width = round((megapixels * 1e6 * 4 / 3) ** 0.5)
    height = round(width * 3 / 4)
    picture = cv2.resize(skimage.data.astronaut()[:384], (width, height), interpolation=cv2.INTER_CUBIC)
    noise = rng.normal(0, 4, (height, width, 1)).astype(np.float32)
    cv2.imwrite(str(path), np.clip(picture + noise, 0, 255).astype(np.uint8)[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 92])
    return path


class Server:
    """`wideopen studio` in a process of its own."""

    def __init__(self) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        self.url = f"http://127.0.0.1:{port}"
        code = "import sys; from wideopen.cli import main; sys.argv[1:] = ['studio', '--port', sys.argv[1]]; main()"
        environment = os.environ | {"HF_HUB_OFFLINE": "1"}
        self.started = time.perf_counter()
        self.process = subprocess.Popen(
            [sys.executable, "-c", code, str(port)], env=environment, stdout=subprocess.PIPE, text=True
        )
        assert self.process.stdout is not None
        line = self.process.stdout.readline()  # the address: now a person would open it
        assert self.url[-6:] in line, line
        self.listens_s = time.perf_counter() - self.started

    def memory_mb(self) -> float:
        """Resident memory of the process."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(status.split("VmRSS:")[1].split()[0]) / 1024

    def stop(self) -> None:
        """End it."""
        self.process.terminate()
        self.process.communicate(timeout=90)


def goto(page: Any, url: str) -> None:
    """Open the page, until it can be used."""
    page.goto(url)
    page.wait_for_selector(READY, timeout=PATIENCE_MS)


def upload(page: Any, file: Path) -> float:
    """Seconds from choosing a file to the picture on the screen."""
    before = page.evaluate("document.querySelector('.wo').dataset.result || ''")
    start = time.perf_counter()
    page.set_input_files(".wo-file", str(file))
    page.wait_for_function(
        "(b) => (document.querySelector('.wo').dataset.result || '') !== b", arg=before, timeout=PATIENCE_MS
    )
    seconds = time.perf_counter() - start
    assert page.is_hidden(".wo-error"), page.inner_text(".wo-error")
    return seconds


def ready(browser: Any, folder: Path, count: int = 5) -> dict[str, Any]:
    """Seconds from starting the command until the page can be used, and then for a first photo that comes at once."""
    file = photo(folder / "first.jpg", 1.5)
    found: dict[str, list[float]] = {"address_s": [], "seconds": [], "first_photo_s": []}
    for _ in range(count):
        page = browser.new_page()
        server = Server()
        goto(page, server.url)
        found["seconds"].append(round(time.perf_counter() - server.started, 2))
        found["address_s"].append(round(server.listens_s, 2))
        found["first_photo_s"].append(round(upload(page, file), 2))
        page.close()
        server.stop()
    return {**found, "median_s": statistics.median(found["seconds"])}


def twenty(browser: Any, server: Server, folder: Path) -> dict[str, Any]:
    """Seconds until a 20-megapixel photo is analysed, upload and first preview included."""
    page = browser.new_page(viewport={"width": 1440, "height": 900})
    goto(page, server.url)
    file = photo(folder / "twenty.jpg", 20)
    seconds = [round(upload(page, file), 2) for _ in range(3)]
    page.close()
    return {"file_mb": round(file.stat().st_size / 1e6, 1), "seconds": seconds, "median_s": statistics.median(seconds)}


def changes(browser: Any, server: Server, folder: Path, count: int = 50) -> dict[str, Any]:
    """Milliseconds from a slider or a click to the picture on the screen, at a preview of 1.5 megapixels."""
    page = browser.new_page(viewport={"width": 1440, "height": 900})
    goto(page, server.url)
    upload(page, photo(folder / "twelve.jpg", 12))
    rng = random.Random(5)  # noqa: S311
    for warm in (1.0, 3.0):
        page.evaluate(CHANGE, ["slider", warm, 0])
    found: dict[str, list[float]] = {"slider": [], "click": []}
    for k in range(count):
        if k % 2:
            found["click"].append(page.evaluate(CHANGE, ["click", rng.uniform(0.3, 0.7), rng.uniform(0.3, 0.7)]))
        else:
            found["slider"].append(page.evaluate(CHANGE, ["slider", round(0.6 + (k * 0.7) % 4, 1), 0]))
    page.close()
    both = sorted(found["slider"] + found["click"])
    return {
        "changes": count,
        "median_ms": round(statistics.median(both)),
        "slider_median_ms": round(statistics.median(found["slider"])),
        "click_median_ms": round(statistics.median(found["click"])),
        "p90_ms": round(both[int(0.9 * len(both))]),
        "worst_ms": round(both[-1]),
    }


def eight(browser: Any, server: Server, folder: Path) -> dict[str, Any]:
    """Eight people open a photo at once and move the blur five times each; how many saw an error, and for how long."""
    files = [photo(folder / f"of{k}.jpg", 3, seed=k) for k in range(8)]
    pages = [browser.new_context(viewport={"width": 900, "height": 700}).new_page() for _ in files]
    for page in pages:
        goto(page, server.url)
    start = time.perf_counter()
    for page, file in zip(pages, files, strict=True):
        page.set_input_files(".wo-file", str(file))
    for page in pages:
        page.wait_for_selector(OPEN, timeout=PATIENCE_MS)
    opened = time.perf_counter() - start
    for k in range(5):
        for page in pages:
            page.evaluate(f"""() => {{ const s = document.querySelector('#wo-blur input[type=range]');
                s.value = {1 + k / 2}; s.dispatchEvent(new Event('input', {{ bubbles: true }})); }}""")
    time.sleep(3)
    errors = [page.inner_text(".wo-error") for page in pages if page.is_visible(".wo-error")]
    names = [page.inner_text(".wo-name") for page in pages]
    for page in pages:
        page.context.close()
    right = sum(file.name in name for file, name in zip(files, names, strict=True))
    return {"errors": errors, "with_their_own_photo": right, "all_open_s": round(opened, 1)}


def memory(browser: Any, server: Server, folder: Path, count: int = 100) -> dict[str, Any]:
    """Resident memory of the server after each ten uploads, each by a new person who then leaves."""
    files = [photo(folder / f"m{k}.jpg", 1, seed=k) for k in range(4)]
    found = []
    for k in range(count + 10):
        context = browser.new_context(viewport={"width": 900, "height": 700})
        page = context.new_page()
        goto(page, server.url)
        upload(page, files[k % len(files)])
        context.close()
        if k % 10 == 9:
            time.sleep(3)
            found.append(round(server.memory_mb()))
            print(k + 1, found[-1], flush=True)
    after = found[-1] / found[0]
    return {"uploads": count, "resident_mb": found, "after_over_before": round(after, 3)}


PARTS = {"ready": ready, "twenty": twenty, "changes": changes, "eight": eight, "memory": memory}


def main() -> None:
    """Measure, and add to the results."""
    from playwright.sync_api import sync_playwright

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", nargs="+", choices=PARTS, default=list(PARTS))
    parser.add_argument("--out", type=Path, default=ROOT / "benchmarks" / "results" / "studio.json")
    asked = parser.parse_args()
    results = json.loads(asked.out.read_text()) if asked.out.exists() else {}
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        if "ready" in asked.only:
            results["ready"] = ready(browser, Path(folder))
            print(results["ready"], flush=True)
        rest = [name for name in asked.only if name != "ready"]
        server = Server() if rest else None
        for name in rest:
            results[name] = PARTS[name](browser, server, Path(folder))
            print(name, results[name], flush=True)
        if server is not None:
            server.stop()
        browser.close()
    write_result(asked.out, results)


if __name__ == "__main__":
    main()
