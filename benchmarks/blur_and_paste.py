"""Blur and paste: one disk for the whole photo, in linear light, and what is in focus pasted back.

python benchmarks/blur_and_paste.py PHOTO OUT RADIUS_PX subject|background MATTE

MATTE is a picture, the name of a network of rembg, or the file of an IS-Net for rembg. With rembg the colours of what
is pasted are estimated too (its alpha matting), so that hair brings none of its background along.
"""

import os
import sys
from importlib.metadata import version
from pathlib import Path

import cv2
import numpy as np

from lens.baselines import F32, disk
from wideopen.color import srgb_decode, srgb_encode

LIGHT = srgb_decode(np.arange(256) / 255).astype(np.float32)
SHOWN = np.rint(srgb_encode(np.arange(65536) / 65535) * 65535).astype(np.uint16)


def cut_out(photo: Path, network: str) -> tuple[F32, F32]:
    """The subject by rembg: its colours (H, W, 3) in linear light, and its coverage (H, W)."""
    file = Path(network)
    if file.is_file():
        os.environ["REMBG_HOME"] = str(file.parent)  # rembg takes files from its own folder only
    from PIL import Image
    from rembg import new_session, remove

    try:
        session = new_session("dis_custom", model_path=network) if file.is_file() else new_session(network)
    except OSError:
        sys.exit(f"rembg: expected the weights of {network} on disk or from github.com, found neither")
    with Image.open(photo) as image:
        rgba = np.asarray(remove(image.convert("RGB"), session=session, alpha_matting=True))
    return LIGHT[rgba[..., :3]], rgba[..., 3].astype(np.float32) / 255


def blur_and_paste(photo: F32, subject: F32, matte: F32, radius_px: float, focus: str) -> F32:
    """The photo blurred (H, W, 3), and the subject, or what is not the subject, over it."""
    blurred = cv2.filter2D(photo, cv2.CV_32F, disk(radius_px), borderType=cv2.BORDER_REFLECT)
    pasted = subject if focus == "subject" else photo
    share = (matte if focus == "subject" else 1 - matte)[..., None]
    return blurred * (1 - share) + pasted * share


def main() -> None:
    """Blur one photo."""
    if sys.argv[1] == "--version":
        print("rembg", version("rembg"))
        return
    name, out, radius, focus, by = sys.argv[1:]
    photo = LIGHT[cv2.imread(name)[..., ::-1]]
    given = Path(by).suffix == ".png"
    subject, matte = (
        (photo, cv2.imread(by, cv2.IMREAD_UNCHANGED) / np.float32(65535)) if given else cut_out(Path(name), by)
    )
    picture = blur_and_paste(photo, subject, matte, float(radius), focus)
    codes = SHOWN[np.rint(np.clip(picture, 0, 1) * 65535).astype(np.uint16)]
    codes = codes if out.endswith("png") else np.rint(codes / 257).astype(np.uint8)
    cv2.imwrite(out, codes[..., ::-1])


if __name__ == "__main__":
    main()
