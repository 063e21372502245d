"""XMP: size and orientation are updated, data that the result lacks are removed, all else stays."""

import time
from contextlib import suppress
from io import BytesIO

import numpy as np
import pytest
from PIL import Image
from sample_files import XMP, smooth

from wideopen.errors import InvalidInput
from wideopen.files import read, write
from wideopen.files.containers import xmp as xmp_tools

RDF = 'xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"'
PACKET = f"""<?xpacket begin="" id="W5M0MpCehiHzreSzNTczkc9d"?><x:xmpmeta xmlns:x="adobe:ns:meta/">
<rdf:RDF {RDF}><rdf:Description rdf:about=""
  xmlns:xmp="http://ns.adobe.com/xap/1.0/" xmp:Rating="4"
  xmlns:dc="http://purl.org/dc/elements/1.1/"
  xmlns:xmpNote="http://ns.adobe.com/xmp/note/" xmpNote:HasExtendedXMP="0123456789ABCDEF0123456789ABCDEF"
  xmlns:GCamera="http://ns.google.com/photos/1.0/camera/" GCamera:MotionPhoto="1" GCamera:SpecialTypeID="portrait"
  xmlns:hdrgm="http://ns.adobe.com/hdr-gain-map/1.0/" hdrgm:Version="1.0"
  xmlns:GDepth="http://ns.google.com/photos/1.0/depthmap/" GDepth:Format="RangeInverse" GDepth:Near="0.5"
  xmlns:Container="http://ns.google.com/photos/1.0/container/"
  xmlns:Item="http://ns.google.com/photos/1.0/container/item/">
  <Container:Directory><rdf:Seq><rdf:li rdf:parseType="Resource"><Container:Item Item:Length="9"/></rdf:li></rdf:Seq>
  </Container:Directory>
  <dc:title><rdf:Alt><rdf:li xml:lang="x-default">Grüße &amp; ein Titel</rdf:li></rdf:Alt></dc:title>
</rdf:Description></rdf:RDF></x:xmpmeta><?xpacket end="w"?>""".encode()


def properties(packet, namespace):
    """The properties of one namespace, by local name."""
    space = "{" + namespace + "}"
    return {
        name.removeprefix(space): value for name, value in xmp_tools.parse_xmp(packet).items() if name.startswith(space)
    }


def test_orientation_and_size_are_set_wherever_they_stand():
    assert xmp_tools.resized(XMP, (3, 4)) == XMP.replace(b'Orientation="6"', b'Orientation="1"')
    element = b"<tiff:Orientation>8</tiff:Orientation><tiff:ImageWidth> 4000</tiff:ImageWidth>"
    want = b"<tiff:Orientation>1</tiff:Orientation><tiff:ImageWidth> 30</tiff:ImageWidth>"
    assert xmp_tools.resized(element, (20, 30)) == want
    attributes = b'tiff:ImageLength="4000" exif:PixelXDimension = \'9\' exif:PixelYDimension="7"'
    want = b'tiff:ImageLength="20" exif:PixelXDimension = \'30\' exif:PixelYDimension="20"'
    assert xmp_tools.resized(attributes, (20, 30)) == want


def test_xmp_about_depth_gain_map_and_video_is_removed_and_the_rest_kept():
    after, note = xmp_tools.cleaned(PACKET)
    assert note == "XMP about a gain map, depth or video removed: the result has none"
    for gone in (b"GDepth", b"depthmap", b"hdrgm", b"Container", b"Item", b"MotionPhoto", b"HasExtendedXMP"):
        assert gone not in after
    assert properties(after, "http://ns.adobe.com/xap/1.0/") == {"Rating": "4"}
    assert properties(after, "http://ns.google.com/photos/1.0/camera/") == {"SpecialTypeID": "portrait"}
    assert "Grüße &amp; ein Titel".encode() in after
    assert after.startswith(b"<?xpacket begin=")
    assert after.endswith(b'<?xpacket end="w"?>')
    assert xmp_tools.cleaned(after) == (after, None)


def test_a_packet_with_nothing_stale_keeps_every_byte():
    for packet in (XMP, b"\xff\xfe no XML at all", b'<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>'):
        assert xmp_tools.cleaned(packet) == (packet, None)


def bomb():
    entities = "".join(f'<!ENTITY e{n} "{f"&e{n - 1};" * 10}">' for n in range(1, 12))
    return f'<!DOCTYPE x [<!ENTITY e0 "lol">{entities}]><x MotionPhoto="1">&e11;</x>'.encode()


@pytest.mark.parametrize(
    "packet",
    [
        b'<rdf hdrgm:Version="1.0" MotionPhoto=""/>',
        bomb(),
        bomb().decode().encode("utf-16"),
        b"<a>" * 20000 + b"MotionPhoto" + b"</a>" * 20000,
        b"<a MotionPhoto='\xff\xfe'/>",
        b"MotionPhoto",
    ],
    ids=["no namespace", "bomb", "bomb in UTF-16", "deep", "no UTF-8", "no XML"],
)
def test_xmp_that_cannot_be_parsed_safely_is_dropped_quickly(packet):
    started = time.perf_counter()
    after, note = xmp_tools.cleaned(packet)
    assert time.perf_counter() - started < 2
    assert (after, "gain map" in (note or "gain map")) == ((None, True) if note else (packet, True))


def test_a_document_type_is_never_parsed():
    for packet in (b'<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>', b'<!DOCTYPE a SYSTEM "file:///etc/passwd"><a/>'):
        with pytest.raises(InvalidInput, match="expected no document type"):
            xmp_tools.parse_xmp(packet)
    assert xmp_tools.parse_xmp(b"<a/>") == {}


def test_damaged_packets_raise_nothing(rng):
    for _ in range(300):
        data = bytearray(PACKET[: rng.integers(1, len(PACKET) + 1)])
        for at in rng.integers(0, len(data), 3):
            data[at] = rng.integers(0, 256)
        xmp_tools.cleaned(bytes(data))
        with suppress(InvalidInput):
            xmp_tools.parse_xmp(bytes(data))
        xmp_tools.resized(bytes(data), (3, 4))


def test_a_results_xmp_has_its_own_size_and_no_missing_data(tmp_path):
    packet = PACKET.replace(
        b"xmp:Rating", b'tiff:ImageWidth="4000" xmlns:tiff="http://ns.adobe.com/tiff/1.0/" xmp:Rating'
    )
    out = BytesIO()
    Image.fromarray(smooth(48, 64)).save(out, "JPEG", xmp=packet)
    (tmp_path / "a.jpg").write_bytes(out.getvalue())
    photo = read(tmp_path / "a.jpg")
    assert photo.metadata.notes == ("XMP about a gain map, depth or video removed: the result has none",)
    back = read(write(tmp_path / "b.jpg", np.ascontiguousarray(photo.rgb[:10, :20]), like=photo))
    assert b'tiff:ImageWidth="20"' in back.metadata.xmp
    assert back.metadata.notes == ()


def test_a_description_is_added_to_a_packet():
    added = xmp_tools.with_description(PACKET, {"wideopen": xmp_tools.OURS}, {"wideopen:Version": "1"})
    assert properties(added, xmp_tools.OURS) == {"Version": "1"}
    assert properties(added, "http://ns.adobe.com/xap/1.0/") == {"Rating": "4"}
    alone = xmp_tools.with_description(None, {"wideopen": xmp_tools.OURS}, {"wideopen:Version": "1"})
    assert properties(alone, xmp_tools.OURS) == {"Version": "1"}
