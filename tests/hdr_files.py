"""Photos with light above white, as phones and cameras write them; all made here."""

import struct

import numpy as np

from embedded_files import apple_xmp, box, coded, jpeg, meta_file, multi_picture, with_xmp, xmp

URN = b"urn:iso:std:iso:ts:21496:-1\0"
NAMES = {"low": "GainMapMin", "high": "GainMapMax", "gamma": "Gamma", "offset_sdr": "OffsetSDR"}
NAMES |= {"offset_hdr": "OffsetHDR", "least": "HDRCapacityMin", "most": "HDRCapacityMax"}
PLAIN = {"low": 0, "high": 3, "gamma": 1, "offset_sdr": 0, "offset_hdr": 0, "least": 0, "most": 3}


def hdrgm(version="1.0", base_is_hdr=None, **values):
    """Return the XMP of a gain map; a value None is left out, a list has one number per channel."""
    body, written = "", f'hdrgm:Version="{version}"' if version else ""
    for name, value in (PLAIN | values).items():
        if isinstance(value, list):
            rows = "".join(f"<rdf:li>{one}</rdf:li>" for one in value)
            body += f"<hdrgm:{NAMES[name]}><rdf:Seq>{rows}</rdf:Seq></hdrgm:{NAMES[name]}>"
        elif value is not None:
            written += f' hdrgm:{NAMES[name]}="{value}"'
    if base_is_hdr is not None:
        written += f' hdrgm:BaseRenditionIsHDR="{base_is_hdr}"'
    return xmp(written, body, 'xmlns:hdrgm="http://ns.adobe.com/hdr-gain-map/1.0/"')


def iso(version=0, base_is_hdr=False, denominator=1000, common=False, flags=0x40, **values):
    """Return ISO 21496-1's block of a map whose values are those of `hdrgm`, as from the base."""
    stated = PLAIN | values
    channels = 3 if any(isinstance(value, list) for value in stated.values()) else 1
    of = {name: value if isinstance(value, list) else [value] * channels for name, value in stated.items()}
    names = ["low", "high", "gamma", "offset_sdr", "offset_hdr"]
    stops = [of["least"][0], of["most"][0]]
    if base_is_hdr:
        names[3:] = names[:2:-1]
        stops.reverse()
    rows = [*stops, *(of[name][c] for c in range(channels) for name in names)]
    block = struct.pack(">HHB", version, 0, flags | 0x80 * (channels == 3) | 8 * common)
    block += struct.pack(">I", denominator) if common else b""
    for value in rows:
        block += struct.pack(">i", round(value * 1000)) + (b"" if common else struct.pack(">I", denominator))
    return block


def gain_picture(codes, packet=None, block=None):
    """Return the JPEG of a gain map with its descriptions."""
    data = with_xmp(jpeg(codes), packet)
    if block is not None:
        data = data[:2] + b"\xff\xe2" + struct.pack(">H", len(URN) + len(block) + 2) + URN + block + data[2:]
    return data


def ultra_hdr(main, codes, packet=None, block=None, **options):
    """Return a JPEG of `main` with a gain map behind it, described by XMP unless something else is given."""
    if packet is None and block is None:
        packet = hdrgm()
    return multi_picture(main, gain_picture(codes, packet, block), **options)


def apple_jpeg(main, codes, headroom=4.0):
    """Return a JPEG with Apple's gain map behind it."""
    packet = apple_xmp(AuxiliaryImageType="urn:com:apple:photo:2020:aux:hdrgainmap")
    if headroom is not None:
        space = b'<rdf:Description xmlns:HDRGainMap="http://ns.apple.com/HDRGainMap/1.0/" HDRGainMap:HDRGainMapHeadroom'
        packet = packet.replace(b"</rdf:RDF>", space + f'="{headroom}"/></rdf:RDF>'.encode())
    return multi_picture(main, gain_picture(codes, packet))


def heic_with_tmap(main, codes, block):
    """Return a HEIC of `main` (H, W, 3) with a derived picture that applies the gain map `codes` to it."""
    items, properties, owners = [], [], []
    for number, picture in ((1, main), (3, codes)):
        own, payload = coded(picture)
        properties += [found for found in own if found not in properties]
        owners.append((number, [properties.index(found) + 1 for found in own]))
        items.append((number, b"hvc1", b"", payload))
    items.insert(1, (2, b"tmap", b"", b"\0" + block))
    data = meta_file(items, [box(b"dimg", struct.pack(">HHHH", 2, 2, 1, 3))], properties, owners)
    return data.replace(b"infe\2\0\0\0\0\3", b"infe\2\0\0\1\0\3")  # hidden, as it is no picture of its own


def grey(height, width, code):
    """Return (H, W, 3) uint8 of one grey code."""
    return np.full((height, width, 3), code, np.uint8)
