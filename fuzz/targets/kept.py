"""Maps kept in a JPEG: found, damaged with a note, or missing; nothing is ever raised."""

import tempfile
from io import BytesIO
from pathlib import Path

import numpy as np
from PIL import Image

from wideopen.files.refocusable import Keep, in_jpeg, read_kept

FOLDER = Path(tempfile.mkdtemp(prefix="wideopen-fuzz-"))


def seeds():
    """A kept result."""
    ramp = np.linspace(0, 1, 12, dtype=np.float32).reshape(3, 4)
    main, segments = in_jpeg(None, Keep(matte=ramp, disparity=ramp), original=None, result=FOLDER / "a.jpg")
    out = BytesIO()
    picture = Image.new("RGB", (4, 3))
    picture.save(out, "JPEG", xmp=main, extra=segments)
    yield out.getvalue()


def check(data: bytes) -> None:
    """What is called for every photo that is rendered."""
    path = FOLDER / "a.jpg"
    path.write_bytes(data)
    kept = read_kept(path, max_megapixels=0.1)
    if kept is not None:
        assert kept.photo == path
        assert kept.maps is not None or kept.notes
        assert all("\n" not in note for note in kept.notes)
