"""Make docs/gallery.md and its pictures: photos before and after `wideopen render`.

    python scripts/gallery.py PHOTOS [--docs docs]

PHOTOS holds people/rgb and none/rgb, like the training photos of every kind. All photos here are CC0; the page names
their sources. The command below each picture rendered it.
"""

import argparse
import html
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

import cv2

from wideopen import cli

SOURCES = {
    "18f": "[18F/18f.gsa.gov](https://github.com/18F/18f.gsa.gov), CC0 1.0",
    "interfaces": "[cjdowner/interfaces](https://github.com/cjdowner/interfaces), CC0 1.0",
    "gb82": "[gianni-rosato/gb82-image-set](https://github.com/gianni-rosato/gb82-image-set), CC0 1.0",
}
QUALITY = 85
CITY = "--focus d=1 --blur 1.5%"
FIXED = ("--depth", "small", "--offline", "--overwrite")


@dataclass(frozen=True)
class Shown:
    """A photo of the page, its caption, and the options it is rendered with."""

    photo: str  # people/NAME or none/NAME
    text: str
    options: str = ""
    crop: tuple[int, int, int, int] | None = None  # x, y, width, height: also shown at twice the size


GOOD = (
    Shown("people/18f-0e56aa72", "A person in front of a wall.", crop=(230, 40, 300, 160)),
    Shown("people/interfaces-4e8a3dde", "Hair against leaves.", crop=(190, 40, 300, 160)),
    Shown("people/interfaces-56bdb5f0", "Curls against a wall.", crop=(40, 20, 300, 160)),
    Shown("people/18f-f0465d4d", "Hair against the sky.", crop=(60, 20, 300, 160)),
    Shown("none/gb82-3af61b5e", "An object."),
    Shown("people/18f-1a404957", "A man and his dog."),
    Shown("people/18f-e1d6e271", "Three people, one in a spacesuit."),
    Shown("people/interfaces-362cd65b", "Busy needles, calmed by a creamy lens.", "--preset creamy"),
    Shown("none/gb82-25b1dd69", "Twigs against a sky, with the rims of a soap-bubble lens.", "--preset soap-bubble"),
    Shown("none/18f-e7d41e7f", "A city out of focus.", f"{CITY} --preset soap-bubble"),
    Shown("none/18f-e7d41e7f", "The same through a mirror lens.", f"{CITY} --preset mirror"),
    Shown("none/18f-e7d41e7f", "The same through an anamorphic lens.", f"{CITY} --preset anamorphic"),
    Shown("none/18f-e7d41e7f", "The same with colour fringes.", f"{CITY} --preset fringes"),
    Shown("people/18f-0e56aa72", "The first photo through a swirling lens.", "--blur 4% --preset swirl"),
    Shown("people/18f-6beeb119", "The paper's equations as printed.", "--preset paper"),
)
WRONG = (
    Shown("none/gb82-86bd13f3", "The matte misses the head of the guitar and takes in the drum behind it."),
    Shown("none/18f-ede6311f", "The floor blurs with distance, as it should. The matte misses the phone in his hand."),
    Shown("people/18f-779f38ed", "Two dark holes behind her head stay sharp: they are taken for hair."),
    Shown("none/gb82-bc08ee12", "Flowers taken for a slope: no subject, and `small` puts their lower half nearer."),
    Shown("people/18f-acbc93c6", "A crowd: some people are taken for the subject, others as near are not."),
    Shown("people/18f-954d378a", "Two people at a table: one is sharp, the one a little farther away is not."),
    Shown("none/18f-3a1460a3", "Hand, scissors and knitting: the subject is anybody's guess, and so is the matte."),
)
STYLE = """<style>
.wo-compare { position: relative; max-width: 640px; margin: 1em 0 .3em; --at: 50%; }
.wo-compare img { display: block; width: 100%; }
.wo-compare img + img { position: absolute; inset: 0; clip-path: inset(0 0 0 var(--at)); }
.wo-compare input { position: absolute; inset: 0; width: 100%; height: 100%; margin: 0; opacity: 0; }
.wo-compare input { cursor: ew-resize; }
.wo-compare::after { content: ""; position: absolute; inset: 0 auto 0 var(--at); border-left: 2px solid #fff; }
.wo-compare::after { pointer-events: none; }
.wo-compare:focus-within { outline: 2px solid #f90; }
</style>
"""


def render(shown: Shown, photos: Path, pictures: Path, scratch: Path) -> str:
    """Render one photo, save its pictures small, and return its part of the page."""
    group, name = shown.photo.split("/")
    source, out = photos / group / "rgb" / f"{name}.jpg", scratch / f"{name}.png"
    words = ["render", str(source), "-o", str(out), *FIXED, *shown.options.split()]
    if cli.run(words) != 0:
        raise SystemExit(f"{source}: could not be rendered")
    after, kind = cv2.imread(str(out)), shown.options.partition("--preset ")[2] or "after"
    cv2.imwrite(str(pictures / f"{name}.{kind}.jpg"), after, [cv2.IMWRITE_JPEG_QUALITY, QUALITY])
    shutil.copyfile(source, pictures / f"{name}.before.jpg")
    close = ""
    if shown.crop:
        x, y, width, height = shown.crop
        cut = cv2.resize(after[y : y + height, x : x + width], None, fx=2, fy=2, interpolation=cv2.INTER_CUBIC)
        cv2.imwrite(str(pictures / f"{name}.close.jpg"), cut, [cv2.IMWRITE_JPEG_QUALITY, QUALITY])
        close = f"\n![a part of it, twice as large](pictures/gallery/{name}.close.jpg)\n"
    text, command = html.escape(shown.text, quote=False), f"wideopen render photo.jpg {shown.options}".strip()
    return f"""
<div class="wo-compare"><img src="pictures/gallery/{name}.before.jpg" alt="the photo">
<img src="pictures/gallery/{name}.{kind}.jpg" alt="rendered">
<input type="range" value="50" aria-label="before and after"
oninput="this.parentNode.style.setProperty('--at', this.value + '%')"></div>

{text} `{command}` ({SOURCES[name.split("-")[0]]})
{close}"""


def main() -> None:
    """Render the photos and write the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("photos", type=Path)
    parser.add_argument("--docs", type=Path, default=Path("docs"))
    options = parser.parse_args()
    pictures = options.docs / "pictures" / "gallery"
    pictures.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch:
        good, wrong = (
            "".join(render(one, options.photos, pictures, Path(scratch)) for one in part) for part in (GOOD, WRONG)
        )
    (options.docs / "gallery.md").write_text(
        f"""# Gallery

{STYLE}
Drag across a picture: the photo is on the left, wideopen's result on the right, made with the depth and matting
networks inside the package. The photos are small, 640 pixels, and shown at 100 %; nothing was retouched.
`python scripts/gallery.py PHOTOS` makes this page.
{good}
All kinds of lenses side by side, on one synthetic photo with lights: [character](lens.md#character).

## What it gets wrong
{wrong}
The cards of [mobile](model-card-mobile.md) and [paper](model-card-paper.md) list more failures of mattes. To repair a
matte, use the brush in the [studio](studio.md), `--matte-hint` or your own `--matte`.
""",
        encoding="utf-8",
    )


if __name__ == "__main__":
    main()
