"""Take the pictures of the studio for the documentation: `python scripts/studio_pictures.py` (extra dev, Chromium).

docs/pictures/studio-*.webp: the page on a desk and on a phone, dark, as Chromium shows it.
"""

import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "benchmarks"))
OUT = ROOT / "docs" / "pictures"
QUALITY = 88

DESK = {"viewport": {"width": 1360, "height": 850}}
PHONE = {"viewport": {"width": 390, "height": 844}, "device_scale_factor": 2, "is_mobile": True, "has_touch": True}


def shoot(page: Any, name: str) -> None:
    """Write a screenshot as WebP, a tenth of the size of a PNG."""
    from io import BytesIO

    from PIL import Image

    picture = Image.open(BytesIO(page.screenshot())).convert("RGB")
    if page.viewport_size["width"] < picture.width:
        picture = picture.resize((picture.width * 3 // 4, picture.height * 3 // 4), Image.Resampling.LANCZOS)
    path = OUT / f"studio-{name}.webp"
    picture.save(path, quality=QUALITY, method=6)
    print(path.relative_to(ROOT), f"{path.stat().st_size / 1024:.0f} KB")


def settle(page: Any) -> None:
    """Wait until animations have ended."""
    page.wait_for_timeout(700)


def main() -> None:
    """Open the samples and photograph the page."""
    from playwright.sync_api import sync_playwright

    from studio import ARGUMENTS, CHROMIUM, OPEN, Server, goto

    OUT.mkdir(exist_ok=True)
    server = Server()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)

        def come(scheme: str, size: dict[str, Any]) -> Any:
            page = browser.new_context(color_scheme=scheme, **size).new_page()
            goto(page, server.url)
            return page

        def opened(page: Any, sample: str) -> Any:
            page.click(f"[data-sample={sample}]")
            page.wait_for_selector(OPEN, timeout=120_000)
            settle(page)
            return page

        page = opened(come("dark", DESK), "bear")
        shoot(page, "desk-dark")
        page.click(".wo-views [data-view=compare]")
        settle(page)
        page.click(".wo-repair")
        page.mouse.move(760, 300)
        settle(page)
        shoot(page, "repair")
        shoot(opened(come("dark", PHONE), "bear"), "phone-dark")
        browser.close()
    server.stop()


if __name__ == "__main__":
    main()
