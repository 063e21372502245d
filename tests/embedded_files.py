"""Photos with depth and mattes inside, as phones write them; all made here, byte by byte."""

import base64
import struct
from io import BytesIO

import numpy as np
import pillow_heif
from PIL import Image

APDI = "http://ns.apple.com/pixeldatainfo/1.0/"
DEPTH_DATA = "http://ns.apple.com/depthData/1.0/"
GDEPTH = "http://ns.google.com/photos/1.0/depthmap/"
URN = "urn:com:apple:photo:2019:aux:semantic{}matte"
PORTRAIT_URN = "urn:com:apple:photo:2018:aux:portraiteffectsmatte"
DEPTH_URN = "urn:mpeg:hevc:2015:auxid:2"
GAIN_URN = "urn:com:apple:photo:2020:aux:hdrgainmap"
GUID = "0123456789ABCDEF0123456789ABCDEF"


def scene(height, width):
    """Return (H, W, 3) uint8: a picture that is not the same any way around."""
    y, x = np.mgrid[0:height, 0:width]
    return np.stack([40 + 170 * x // width, 40 + 170 * y // height, 200 - 100 * (x + y) // (width + height)], 2).astype(
        np.uint8
    )


def slope(height=24, width=32):
    """Return codes (h, w) uint8 that rise from 0 (left) to 255 (right), with a mark: the upper left quarter is 0."""
    codes = np.tile(np.rint(np.linspace(0, 255, width)).astype(np.uint8), (height, 1))
    codes[: height // 2, : width // 2] = 0
    return codes


def xmp(attributes="", body="", namespaces=""):
    """Return an XMP packet with one description."""
    return (
        '<?xpacket begin="" id="W5M0MpCehiHzreSzNTczkc9d"?><x:xmpmeta xmlns:x="adobe:ns:meta/">'
        '<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
        f'<rdf:Description rdf:about="" {namespaces} {attributes}>{body}</rdf:Description></rdf:RDF></x:xmpmeta>'
        '<?xpacket end="w"?>'
    ).encode()


def apple_xmp(**fields):
    """Return the packet of one of Apple's auxiliary pictures, its fields as elements."""
    accuracy = fields.pop("Accuracy", None)
    body = "".join(f"<apdi:{name}>{value}</apdi:{name}>" for name, value in fields.items())
    body += f"<dd:Accuracy>{accuracy}</dd:Accuracy>" if accuracy else ""
    return xmp(body=body, namespaces=f'xmlns:apdi="{APDI}" xmlns:dd="{DEPTH_DATA}"')


def disparity_xmp(low=0.5, high=4.0, **more):
    """Return the packet of a disparity map as an iPhone writes it."""
    fields = {"IntMaxValue": 255, "IntMinValue": 0, "FloatMaxValue": high, "FloatMinValue": low}
    fields |= {"StoredFormat": 1278226488, "NativeFormat": 1751411059, "AuxiliaryImageType": "disparity"}
    return apple_xmp(**(fields | {"Accuracy": "relative"} | more))


def jpeg(codes, **options):
    """Return `codes` as a JPEG, grey ones nearly without loss."""
    out = BytesIO()
    Image.fromarray(codes).save(out, "JPEG", quality=100, **options)
    return out.getvalue()


def png(codes):
    """Return `codes` (h, w) uint8 or uint16, or (h, w, 3), as a PNG."""
    out = BytesIO()
    Image.fromarray(codes).save(out, "PNG")
    return out.getvalue()


def app1(body):
    return b"\xff\xe1" + struct.pack(">H", len(body) + 2) + body


def with_xmp(data, packet, *extended):
    """Return the JPEG `data` with an XMP packet, and bodies of extended segments, after its start."""
    added = app1(b"http://ns.adobe.com/xap/1.0/\0" + packet) if packet else b""
    added += b"".join(app1(b"http://ns.adobe.com/xmp/extension/\0" + body) for body in extended)
    return data[:2] + added + data[2:]


def pieces(packet, size=600, guid=GUID):
    """Return the bodies of the segments of an extended packet."""
    starts = range(0, len(packet), size)
    return [guid.encode() + struct.pack(">II", len(packet), at) + packet[at : at + size] for at in starts]


def photo(height=48, width=64, orientation=None):
    """Return a JPEG photo."""
    exif = Image.Exif()
    exif[271] = "Maker"
    if orientation is not None:
        exif[274] = orientation
    return jpeg(scene(height, width), exif=exif)


def multi_picture(main, *others, shift=0, order=">"):
    """Return `main` with other JPEGs behind it and a directory (MPF) that names them, its offsets wrong by `shift`."""
    count = 1 + len(others)
    body_size = 4 + 8 + 2 + 3 * 12 + 4 + 16 * count
    at = 2 + 4 + 4  # of the byte order mark: after SOI, the marker and the length, and "MPF\0"
    offset = len(main) + 4 + body_size - at
    rows = [struct.pack(order + "IIIHH", 0x30000, len(main) + 4 + body_size, 0, 0, 0)]
    for other in others:
        rows.append(struct.pack(order + "IIIHH", 0, len(other), offset + shift, 0, 0))
        offset += len(other)
    tiff = (b"MM\0*" if order == ">" else b"II*\0") + struct.pack(order + "IH", 8, 3)
    tiff += struct.pack(order + "HHI", 0xB000, 7, 4) + b"0100"
    tiff += struct.pack(order + "HHII", 0xB001, 4, 1, count)
    tiff += struct.pack(order + "HHIII", 0xB002, 7, 16 * count, 50, 0) + b"".join(rows)
    segment = b"\xff\xe2" + struct.pack(">H", body_size + 2) + b"MPF\0" + tiff
    assert len(segment) == body_size + 4
    return main[:2] + segment + main[2:] + b"".join(others)


def gdepth_fields(data=None, **more):
    """Return the attributes of a GDepth description."""
    fields = {"Format": "RangeInverse", "Near": "0.5", "Far": "5", "Mime": "image/png", "Units": "m"} | more
    if data is not None:
        fields["Data"] = base64.b64encode(data).decode()
    return " ".join(f'GDepth:{name}="{value}"' for name, value in fields.items() if value is not None)


def gdepth(picture, main=None, **more):
    """Return a JPEG with a depth map in its XMP."""
    packet = xmp(gdepth_fields(picture, **more), namespaces=f'xmlns:GDepth="{GDEPTH}"')
    return with_xmp(main or photo(), packet)


def gdepth_extended(picture, *, size=600, main=None, spoil=list, **more):
    """Return a JPEG whose depth map lies in extended XMP; `spoil` may change the list of its segments' bodies."""
    space = f'xmlns:GDepth="{GDEPTH}" xmlns:xmpNote="http://ns.adobe.com/xmp/note/"'
    packet = xmp(gdepth_fields(**more) + f' xmpNote:HasExtendedXMP="{GUID}"', namespaces=space)
    data = f'GDepth:Data="{base64.b64encode(picture).decode()}"'
    extended = pieces(xmp(data, namespaces=f'xmlns:GDepth="{GDEPTH}"'), size)
    return with_xmp(main or photo(), packet, *spoil(extended))


def dynamic_depth(depth, confidence=None, *, main=None, lengths=None, padding=0, cameras=1, **more):
    """Return a JPEG with Dynamic Depth: `depth` and `confidence` are pictures behind the photo."""
    fields = {"Format": "RangeInverse", "Near": 0.5, "Far": 5, "Units": "Meters", "ItemSemantic": "Depth"}
    fields |= {"DepthURI": "android/depthmap"} | more
    items = [depth] if confidence is None else [depth, confidence]
    if confidence is not None:
        fields["ConfidenceURI"] = "android/confidencemap"
    lengths = lengths or [len(item) for item in items]
    names = ("android/depthmap", "android/confidencemap")
    first = f'Item:Mime="image/jpeg" Item:Length="0" Item:Padding="{padding}" Item:DataURI="primary_image"'
    rows = [first, *(f'Item:Length="{n}" Item:DataURI="{name}"' for n, name in zip(lengths, names, strict=False))]
    listed = "".join(f'<rdf:li rdf:parseType="Resource"><Container:Item {row}/></rdf:li>' for row in rows)
    depth_map = " ".join(f'DepthMap:{name}="{value}"' for name, value in fields.items())
    body = (
        f"<Device:Container><Container:Directory><rdf:Seq>{listed}</rdf:Seq></Container:Directory></Device:Container>"
        "<Device:Cameras><rdf:Seq>" + '<rdf:li rdf:parseType="Resource"><Device:Camera rdf:parseType="Resource">'
        f"<Camera:DepthMap {depth_map}/></Device:Camera></rdf:li>" * cameras + "</rdf:Seq></Device:Cameras>"
    )
    words = ("Device", "Container", "Item", "Camera", "DepthMap")
    space = " ".join(f'xmlns:{word}="http://ns.google.com/photos/dd/1.0/{word.lower()}/"' for word in words)
    return with_xmp(main or photo(), xmp(body=body, namespaces=space)) + bytes(padding) + b"".join(items)


# HEIC: encoded by libheif one picture a file, put together here.


def box(kind, *payload):
    body = b"".join(payload)
    return struct.pack(">I4s", 8 + len(body), kind) + body


def full(kind, version, *payload, flags=0):
    return box(kind, struct.pack(">I", version << 24 | flags), *payload)


def boxes(data):
    at = 0
    while at < len(data):
        size, kind = struct.unpack_from(">I4s", data, at)
        yield kind, data[at + 8 : at + size]
        at += size


def coded(codes):
    """Return (properties, coded bytes) of a picture as libheif writes it."""
    out = BytesIO()
    mode = "RGB" if codes.ndim == 3 else "L" if codes.dtype == np.uint8 else "I;16"
    pillow_heif.from_bytes(mode, codes.shape[1::-1], np.ascontiguousarray(codes).tobytes()).save(out, quality=-1)
    top = dict(boxes(out.getvalue()))
    meta = dict(boxes(top[b"meta"][4:]))
    properties = [box(kind, body) for kind, body in boxes(dict(boxes(meta[b"iprp"]))[b"ipco"])]
    return properties, top[b"mdat"]


def heic(main, auxiliary=(), *, turns=0, turned=None, spoiled=None, sei=b""):
    """Return a HEIC file of `main` (H, W, 3) with auxiliary pictures.

    auxiliary: (codes (h, w), URN, XMP packet or None), ...
    turns: counter-clockwise quarters by which all are turned for display; `turned` tells for each whether it is.
    spoiled: the number of the picture (the main one is 1) whose coded bytes are zeros.
    sei: what follows the type of every auxiliary picture, for HEVC's depth representation information.
    """
    items, references, properties, owners = [], [], [], []
    turn = box(b"irot", bytes([turns]))
    for number, (codes, urn, _) in enumerate([(main, None, None), *auxiliary], start=1):
        own, payload = coded(codes)
        payload = bytes(len(payload)) if number == spoiled else payload
        if urn is not None:
            own.append(full(b"auxC", 0, urn.encode() + b"\0" + sei))
            references.append(box(b"auxl", struct.pack(">HHH", number, 1, 1)))
        if turns and (turned is None or turned[number - 1]):
            own.append(turn)
        properties += [found for found in own if found not in properties]  # shared, as phones do
        owners.append((number, [properties.index(found) + 1 for found in own]))
        items.append((number, b"hvc1", b"", payload))
    for number, (_, _, packet) in enumerate(auxiliary, start=2):
        if packet is not None:
            item = len(items) + 1
            references.append(box(b"cdsc", struct.pack(">HHH", item, 1, number)))
            items.append((item, b"mime", b"application/rdf+xml\0", packet))
    return meta_file(items, references, properties, owners)


def meta_file(items, references, properties, owners):
    """Return a HEIC of items (id, kind, what follows its name, payload) and their properties."""
    infos = [full(b"infe", 2, struct.pack(">HH4s", item, 0, kind), b"\0", extra) for item, kind, extra, _ in items]
    table = b""
    for item, indices in owners:
        table += struct.pack(">HB", item, len(indices)) + bytes(i | 0x80 for i in indices)  # all of them essential
    ftyp = box(b"ftyp", b"heic\0\0\0\0mif1heic")

    def meta(first):
        at, rows = first, b""
        for item, _, _, payload in items:
            rows += struct.pack(">HHHII", item, 0, 1, at, len(payload))
            at += len(payload)
        return full(
            b"meta",
            0,
            full(b"hdlr", 0, bytes(4), b"pict", bytes(13)),
            full(b"pitm", 0, struct.pack(">H", 1)),
            full(b"iinf", 0, struct.pack(">H", len(infos)), *infos),
            full(b"iref", 0, *references) if references else b"",
            box(b"iprp", box(b"ipco", *properties), full(b"ipma", 0, struct.pack(">I", len(owners)), table)),
            full(b"iloc", 0, b"\x44\0", struct.pack(">H", len(items)), rows),
        )

    start = len(ftyp) + len(meta(0)) + 8
    return ftyp + meta(start) + box(b"mdat", *(payload for *_, payload in items))


def iphone_heic(height=48, width=64, codes=None, **options):
    """Return a HEIC as an iPhone's portrait mode writes it: disparity, portrait and hair mattes, a gain map."""
    codes = slope() if codes is None else codes
    auxiliary = [
        (codes, DEPTH_URN, disparity_xmp()),
        (codes, PORTRAIT_URN, apple_xmp(AuxiliaryImageType=PORTRAIT_URN)),
        (255 - codes, URN.format("hair"), None),
        (codes, GAIN_URN, None),
    ]
    return heic(scene(height, width), auxiliary, **options)
