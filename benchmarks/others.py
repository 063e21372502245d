"""Other programs, each as commands that blur one photo with given maps.

A program runs in a folder that holds the photo (8 bits), subject.png (the photo, its opacity the matte), matte.png,
disparity.png, and map.png: the blur's radius at each pixel, 1 = the largest (maps 16 bits). Each is given what serves
it best: linear light, the largest radius of the lens, and the subject laid over the blurred photo where the subject is
in focus, as people do with layers. Gaussian blurs get sigma = 0.46 radius: on a composite, PSNR was best from 0.45 to
0.5 with either program, and worse with the photo's codes than with light.
"""

import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

SIGMA = 0.46
OURS = Path(sys.executable).with_name("wideopen")
PASTE = Path(__file__).with_name("blur_and_paste.py")
Command = Sequence[str | Path]


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """One photo in its folder, and the lens that it is to be seen through."""

    folder: Path
    photo: str = "photo.png"
    out: str = "out.png"
    size: tuple[int, int]  # width, height
    focus: float  # disparity
    focus_range: float
    full_px: float  # radius at a disparity difference of 1
    most_px: float  # the largest radius in the photo
    typical_px: float  # the median radius of what is out of focus
    subject_in_focus: bool
    highlights: float

    def weaker(self, part: float) -> "Work":
        """The same with a part of the blur."""
        radii = {name: part * getattr(self, name) for name in ("full_px", "most_px", "typical_px")}
        return replace(self, **radii)

    def over(self, *words: str) -> tuple[str, ...]:
        """Words of a command that lay the subject over the picture, if it is in focus."""
        return words if self.subject_in_focus else ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """A row of the table."""

    about: str
    command: Callable[[Work], Command]
    executable: str | Path
    package: str  # to install
    obeys: bool = True  # LVCorr is measured
    version: Command


class Failed(Exception):
    """A program that is not there, or did not end well."""


def wideopen(work: Work) -> Command:
    """Ours, with the same maps."""
    lens = (
        "--focus",
        f"d={work.focus:.6f}",
        "--focus-range",
        f"{work.focus_range:.6f}",
        "--blur",
        f"{work.full_px:.4f}px",
    )
    maps = ("--matte", "matte.png", "--disparity", "disparity.png", "--no-filter-disparity")
    kept = ("--highlights", f"{work.highlights}", "--grain", "off", "--overwrite")
    bits = ("--output-bits", "16") if work.out.endswith("png") else ()
    return (OURS, "render", work.photo, "-o", work.out, *maps, *lens, *kept, *bits)


def gimp(work: Work) -> Command:
    """GIMP's Lens Blur, which is GEGL's: a disk of each pixel's radius, in linear light."""
    blur = (
        "gegl:lens-blur",
        f"radius={work.most_px:.4f}",
        "linear-mask=true",
        *["aux=[", "gegl:load", "path=map.png", "]"],
    )
    subject = work.over("gegl:over", *aux("subject.png"))
    width, height = work.size
    return (
        "gegl",
        work.photo,
        "-o",
        work.out,
        "--",
        *blur,
        *subject,
        "gegl:crop",
        f"width={width}",
        f"height={height}",
    )


def aux(file: str) -> tuple[str, ...]:
    """Words that give a picture to the second input of GEGL's operation before them."""
    return "aux=[", "gegl:load", f"path={file}", "]"


def gmic(work: Work) -> Command:
    """G'MIC's Blur [Depth-Of-Field], 64 levels of Gaussian blur."""
    amplitude = 100 * SIGMA * work.most_px / max(work.size)
    blur = f"{work.photo} map.png srgb2rgb[0] fx_blur_dof {amplitude:.4f},64,1,0,50,50,30,30,0,1,0,0 keep[0]".split()
    subject = work.over(*f"{work.photo} srgb2rgb. matte.png /. 65535 -[1] [0] *[1] [2] +[0,1] keep[0]".split())
    bits = ("*", "257", "round") if work.out.endswith("png") else ("round",)
    return ("gmic", "-v", "-1", *blur, *subject, "cut", "0,255", "rgb2srgb", *bits, "output", work.out)


def imagemagick(work: Work) -> Command:
    """ImageMagick's -compose blur, a cubic filter as wide as the map says."""
    sigma = SIGMA * work.most_px
    blur = f"{work.photo} -colorspace RGB ( map.png -set colorspace RGB ) -compose blur".split()
    scale = ("-define", f"compose:args={sigma:.4f}x{sigma:.4f}", "-composite")
    subject = f"( {work.photo} -colorspace RGB ) ( matte.png -set colorspace RGB ) -compose over -composite".split()
    bits = ("-depth", "16") if work.out.endswith("png") else ()
    return (magick(), *blur, *scale, *work.over(*subject), "-colorspace", "sRGB", *bits, work.out)


def magick() -> str:
    """The name of ImageMagick's command; `convert` alone is some other program's on some systems."""
    return next((name for name in ("magick", "convert-im6.q16") if shutil.which(name)), "convert")


def paste(work: Work, *matte: str) -> Command:
    """One disk for the whole photo, what is in focus pasted back; the matte is given, or found by rembg."""
    focus = "subject" if work.subject_in_focus else "background"
    return (sys.executable, PASTE, work.photo, work.out, f"{work.typical_px:.4f}", focus, *matte)


def programs(isnet: Path | None) -> dict[str, Program]:
    """The rows; `isnet`: weights of IS-Net for rembg."""
    python = {"executable": sys.executable}
    rembg = {
        **python,
        "package": "pip install rembg onnxruntime pymatting",
        "version": (sys.executable, PASTE, "--version"),
    }
    return {
        "wideopen": Program(
            about="`wideopen render`",
            command=wideopen,
            executable=OURS,
            package="pip install wideopen",
            version=(OURS, "--version"),
        ),
        "GIMP": Program(
            about="GIMP's Lens Blur with a blur map (the operation gegl:lens-blur of GEGL, which GIMP calls)",
            command=gimp,
            executable="gegl",
            package="apt-get install gegl",
            version=("dpkg-query", "--show", "gegl"),
        ),
        "G'MIC": Program(
            about="G'MIC's Blur [Depth-Of-Field] with the map as bottom layer, 64 levels",
            command=gmic,
            executable="gmic",
            package="apt-get install gmic",
            version=("gmic", "version"),
        ),
        "ImageMagick": Program(
            about="ImageMagick's `-compose blur` with the map",
            command=imagemagick,
            executable=magick(),
            package="apt-get install imagemagick",
            version=(magick(), "-version"),
        ),
        "blur and paste": Program(
            about="one disk for the whole photo, what is in focus pasted back with the given matte (OpenCV)",
            command=lambda work: paste(work, "matte.png"),
            package="pip install opencv-python-headless",
            version=(sys.executable, "-c", "import cv2; print(cv2.__version__)"),
            **python,
        ),
        "rembg": Program(
            obeys=False,
            about="the same, the matte by rembg's default network (u2net), the colours pasted by its alpha matting",
            command=lambda work: paste(work, "u2net"),
            **rembg,
        ),
        "rembg, IS-Net": Program(
            obeys=False,
            about="the same with rembg's IS-Net",
            command=lambda work: paste(work, str(isnet or "isnet-general-use")),
            **rembg,
        ),
    }


def run(program: Program, work: Work, most_s: float = 600) -> dict[str, float]:
    """Run a program in a process of its own: wall and CPU seconds, peak memory in MB. Raises Failed."""
    if shutil.which(program.executable) is None:
        raise Failed(f"{program.executable} was not found: {program.package}")
    (work.folder / work.out).unlink(missing_ok=True)
    started = time.perf_counter()
    command = ["timeout", str(most_s), *program.command(work)]
    with subprocess.Popen(command, cwd=work.folder, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) as process:
        stderr = process.stderr.read().decode(errors="replace").strip() if process.stderr else ""
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    seconds = time.perf_counter() - started
    if process.returncode == 124:
        raise Failed(f"not done in {most_s:.0f} s")
    if process.returncode or not (work.folder / work.out).exists():
        raise Failed(stderr.splitlines()[-1] if stderr else f"exit {process.returncode}")
    return {
        "seconds": round(seconds, 2),
        "cpu_seconds": round(usage.ru_utime + usage.ru_stime, 2),
        "peak_mb": round(usage.ru_maxrss * 1024 / 1e6),
    }


def version(program: Program) -> str | None:
    """The version that a program names; None where it is not there."""
    if shutil.which(program.executable) is None:
        return None
    done = subprocess.run(program.version, capture_output=True, text=True, check=False)
    found = re.search(r"\d+\.\d+[\w.+-]*", done.stdout + done.stderr)
    return found and found.group()
