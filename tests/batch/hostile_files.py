"""Files that do not belong into a folder of photos; docs/batch.md has a table of what a batch does with them."""

import gzip
import io
import os
import struct
import zipfile
import zlib

import numpy as np
from batch_photos import photo_bytes
from PIL import Image

FORMATS = {"JPEG": ".jpg", "PNG": ".png", "WebP": ".webp", "TIFF": ".tif", "HEIC": ".heic"}


def good(kind):
    return photo_bytes(kind, seed=1)


def truncated():
    for kind, suffix in FORMATS.items():
        data = good(kind)
        for share in (0.02, 0.3, 0.6, 0.9):
            yield f"{kind} {share}{suffix}", data[: int(len(data) * share)]


def flipped():
    """One to nine random bits."""
    for kind, suffix in FORMATS.items():
        rng = np.random.default_rng(len(kind) + ord(kind[0]))
        for count in (1, 3, 9):
            data = bytearray(good(kind))
            for place in rng.integers(0, len(data), count):
                data[place] ^= 1 << rng.integers(8)
            yield f"{kind} {count}{suffix}", bytes(data)


def chunk(kind, body):
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png(width, height, packed, *others):
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + b"".join(others) + chunk(b"IDAT", packed) + chunk(b"IEND", b"")


def bombs():
    """Small files that claim, or really hold, far too many pixels."""
    jpeg = bytearray(good("JPEG"))
    frame = jpeg.index(b"\xff\xc0")
    jpeg[frame + 5 : frame + 9] = struct.pack(">HH", 65500, 65500)
    heic = bytearray(good("HEIC"))
    place = heic.index(b"ispe")
    heic[place + 8 : place + 16] = struct.pack(">II", 60000, 60000)
    rows = zlib.compress(bytes(150 * 2**20), 9)
    pixels = np.array(Image.open(io.BytesIO(good("PNG"))))
    whole = zlib.compress(b"".join(b"\0" + row.tobytes() for row in pixels))
    return {
        "claims.png": png(60000, 60000, zlib.compress(b"")),
        "holds more.png": png(64, 48, rows),
        "claims.jpg": bytes(jpeg),
        "claims.heic": bytes(heic),
        "profile.png": png(64, 48, whole, chunk(b"iCCP", b"x\0\0" + rows)),
        "text.png": png(64, 48, whole, chunk(b"zTXt", b"x\0\0" + rows)),
    }.items()


def strips():
    for width, height, suffix in ((65535, 1, ".png"), (1, 65535, ".png"), (65535, 1, ".tif"), (65500, 1, ".jpg")):
        out = io.BytesIO()
        kind = {".png": "PNG", ".tif": "TIFF", ".jpg": "JPEG"}[suffix]
        Image.fromarray(np.full((height, width, 3), 90, np.uint8)).save(out, kind)
        yield f"{width} x {height}{suffix}", out.getvalue()


def zipped(*members):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members:
            archive.writestr(name, data)
    return out.getvalue()


def polyglots():
    archive, page = zipped(("evil.sh", b"#!/bin/sh\n")), b"<script>alert(1)</script>"
    return {
        "jpeg and zip.jpg": good("JPEG") + archive,
        "png and html.png": good("PNG") + page,
        "pdf before jpeg.jpg": b"%PDF-1.4 " + good("JPEG"),
        "png named jpg.jpg": good("PNG"),
        "heic named png.png": good("HEIC"),
    }.items()


def others():
    inner = zipped(("zeros", bytes(20_000_000)))
    return {
        "zip bomb.jpg": inner,
        "nested zip bomb.png": zipped(*((f"{number}.zip", inner) for number in range(20))),
        "gzip bomb.tif": gzip.compress(bytes(20_000_000)),
        "svg.jpg": b'<svg xmlns="http://www.w3.org/2000/svg"><image href="file:///etc/passwd"/></svg>',
        "script.png": b"push graphic-context\nimage over 0,0 0,0 'https://example.org/x.png'",
        "empty.jpg": b"",
        "zeros.heic": bytes(1000),
    }.items()


def names():
    """Good photos with names that trip programs."""
    found = [
        "\N{GRINNING FACE}.jpg",
        "e\N{COMBINING ACUTE ACCENT}.jpg",
        "\N{RIGHT-TO-LEFT OVERRIDE}gpj.exe.jpg",
        "two\nlines.jpg",
        "-o.jpg",
        "%s{0}$(touch x);'\".jpg",
        os.fsdecode(b"caf\xe9\xff.jpg"),
        "a.b..jpg",
        "n" * 240 + ".jpg",
        "n" * 251 + ".jpg",
    ]
    return ((name, good("JPEG")) for name in found)


CORPUS = {
    "truncated JPEG, PNG, WebP, TIFF, HEIC": truncated,
    "flipped bits in these": flipped,
    "decompression bombs": bombs,
    "65535-pixel strips": strips,
    "polyglots and wrong extensions": polyglots,
    "zip bombs and files that are not photos": others,
    "Unicode, odd and long names": names,
}
