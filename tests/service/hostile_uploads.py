"""What nobody should send: files, names, settings and bodies, each with the statuses that are right for it.

docs/service.md shows this table; `test_service_hostile.py` sends everything and compares.
"""

import gzip
import io
import struct
import zipfile
import zlib
from dataclasses import dataclass
from functools import cache

import numpy as np
from service_process import SMALL, encoded, photo_bytes, small_rgb

FORMATS = ("JPEG", "PNG", "WebP", "TIFF", "HEIC", "AVIF")
_NAMES = {"WebP": "WEBP", "HEIC": "HEIF"}


@dataclass
class Upload:
    """One kind of upload: a row of the table, and what is sent for it."""

    what: str
    files: list  # photos
    right: set  # of statuses


def good(kind):
    return photo_bytes(_NAMES.get(kind, kind))


def truncated(kind):
    """Cut off after a few shares of its bytes, and one byte short."""
    data = good(kind)
    return [data[: int(len(data) * share)] for share in (0.02, 0.3, 0.6, 0.9)] + [data[:-1]]


def flipped(kind, count=8):
    """One to twenty random bits flipped."""
    rng = np.random.default_rng([ord(letter) for letter in kind])
    found = []
    for number in range(count):
        data = bytearray(good(kind))
        for place in rng.integers(0, len(data), 1 + 19 * number // (count - 1)):
            data[place] ^= 1 << rng.integers(8)
        found.append(bytes(data))
    return found


def chunk(kind, body):
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png(width, height, packed, *others):
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + b"".join(others) + chunk(b"IDAT", packed) + chunk(b"IEND", b"")


def zeros(megabytes):
    """That much nothing, deflated."""
    packer = zlib.compressobj(1)
    return b"".join(packer.compress(bytes(1 << 20)) for _ in range(megabytes)) + packer.flush()


def bombs():
    """Small files that claim, or really hold, far too many pixels."""
    jpeg = bytearray(good("JPEG"))
    frame = jpeg.index(b"\xff\xc0")
    jpeg[frame + 5 : frame + 9] = struct.pack(">HH", 65500, 65500)
    heic = bytearray(good("HEIC"))
    place = heic.index(b"ispe")
    heic[place + 8 : place + 16] = struct.pack(">II", 60000, 60000)
    tiff = encoded(np.zeros((1, 1), np.uint8), "TIFF")
    wide = tiff.replace(struct.pack("<HHII", 256, 4, 1, 1), struct.pack("<HHII", 256, 4, 1, 60000))
    high = wide.replace(struct.pack("<HHII", 257, 4, 1, 1), struct.pack("<HHII", 257, 4, 1, 60000))
    return [
        png(60000, 60000, zlib.compress(b"")),
        png(20000, 6000, zeros(360)),
        bytes(jpeg),
        bytes(heic),
        high,
        encoded(np.zeros((4000, 4000), np.uint8), "WEBP"),
    ]


def metadata_bombs():
    """A good PNG whose profile or text unpacks to 200 MB."""
    rows = b"".join(b"\0" + row.tobytes() for row in small_rgb())
    packed, bomb = zlib.compress(rows), zeros(200)
    height, width = SMALL
    return [
        png(width, height, packed, chunk(b"iCCP", b"x\0\0" + bomb)),
        png(width, height, packed, chunk(b"zTXt", b"x\0\0" + bomb)),
        png(width, height, packed, chunk(b"iTXt", b"XML:com.adobe.xmp\0\1\0\0\0" + bomb)),
    ]


def strips():
    """One pixel high or wide, as long as formats allow."""
    flat = np.full((1, 65535, 3), 90, np.uint8)
    upright = flat.transpose(1, 0, 2)
    jpeg = np.full((1, 65500, 3), 90, np.uint8)  # what the library that makes it allows
    return [
        encoded(flat, "PNG"),
        encoded(upright, "PNG"),
        encoded(flat, "TIFF"),
        encoded(upright, "TIFF"),
        encoded(jpeg, "JPEG"),
        encoded(jpeg.transpose(1, 0, 2), "JPEG"),
        encoded(flat[:, :16383], "WEBP"),
    ]


def zipped(*members):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members:
            archive.writestr(name, data)
    return out.getvalue()


def polyglots():
    """A good photo that is something else as well."""
    archive = zipped(("evil.sh", b"#!/bin/sh\n"))
    page = b"<script>alert(1)</script><?php system($_GET[0]); ?>"
    jpeg, image = good("JPEG"), good("PNG")
    return [jpeg + archive, jpeg + page, image + archive, image + page, jpeg[:-2] + page + jpeg[-2:]]


def other_files():
    """No photos at all."""
    svg = b'<svg xmlns="http://www.w3.org/2000/svg"><image href="file:///etc/passwd"/></svg>'
    out = io.BytesIO()
    np.save(out, np.zeros((4, 4), np.float32))
    huge = out.getvalue().replace(b"(4, 4)", b"(99999, 99999)")
    return [
        svg,
        b"%PDF-1.4 " + good("JPEG"),
        b"GIF89a" + bytes(64),
        b"\x7fELF" + bytes(64),
        b"",
        b"\0" * 1000,
        b"push graphic-context\nimage over 0,0 0,0 'https://example.org/x.png'\npop graphic-context",
        b"#EXTM3U\nhttp://127.0.0.1/",
        b"file:///etc/passwd",
        out.getvalue(),
        huge,
    ]


def zip_bombs():
    """42 kB that unpack to far more, as a zip, nested, and as gzip."""
    inner = zipped(("zeros", bytes(50_000_000)))
    return [inner, zipped(*((f"{number}.zip", inner) for number in range(20))), gzip.compress(bytes(50_000_000))]


NAMES = [
    "../../../../etc/passwd",
    "..\\..\\windows\\system32\\evil.jpg",
    "/etc/cron.d/evil",
    "C:\\evil.jpg",
    "photo.jpg\0.sh",
    "a" * 2000 + ".jpg",
    "фото 写真 صورة 🌸.jpg",
    "e\u0301\u202egpj.exe",
    "con.jpg",
    "; rm -rf ~; $(reboot) `id` | x.jpg",
    "-rf",
    "photo.php",
    ".",
    "..",
]
SETTINGS = {
    "lens": [
        "{", "null", "[]", '"x"', "1e999", "[" * 8000, '{"planes": 1e9}', '{"planes": -1}', '{"blur": NaN}',
        '{"blur": "' + "9" * 9000 + 'px"}', '{"aperture": "polygon:99999999999"}', '{"paper": {"alpha1": 1e308}}',
        '{"focus": "d=1e400"}', '{"focus": "-5,-5"}', '{"highlights": Infinity}', '{"__class__": "x"}', "\ud800",
    ],
    "maps": [
        '{"depth": "/etc/passwd"}', '{"depth": "https://example.org/m"}', '{"matting": "../../x.safetensors"}',
        '{"matting": "rembg:u2net"}', '{"matting_start": "evil.onnx"}', '{"device": "cuda"}', '{"offline": false}',
    ],
    "output": ['{"format": "../x"}', '{"quality": 101}', '{"bits": 64}', '{"out": "/tmp/x"}', '{"format": "svg"}'],
}  # fmt: skip


@cache
def uploads():
    """All of it, row by row."""
    rows = []
    for kind in FORMATS:
        rows.append(Upload(f"{kind} cut off", truncated(kind), {200, 415, 422}))
        rows.append(Upload(f"{kind} with flipped bits", flipped(kind), {200, 415, 422}))
    rows += [
        Upload("pixel bombs: PNG, JPEG, HEIC, TIFF, WebP that claim or hold up to 4,300 megapixels", bombs(), {422}),
        Upload("PNG whose profile or text unpacks to 200 MB", metadata_bombs(), {200, 422}),
        Upload("strips of 65,535 x 1 and 1 x 65,535 pixels", strips(), {200}),
        Upload("photos that are a zip, a web page or a script as well", polyglots(), {200}),
        Upload("zip bombs", zip_bombs(), {415}),
        Upload("no photos: SVG, PDF, GIF, ELF, MVG, M3U, .npy, an empty file, a URL", other_files(), {415}),
    ]
    return rows


def settings():
    """(field, text) of all settings that must be refused."""
    return [(name, text) for name, texts in SETTINGS.items() for text in texts]


def as_json(text):
    return text.encode("utf-8", "surrogatepass")
