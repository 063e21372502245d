"""ICC profiles: parsed, or refused with BadProfileError; what is parsed can decode and encode a photo."""

import numpy as np

from wideopen.arrays import transfer
from wideopen.arrays.transfer.reference import is_invertible
from wideopen.color import ADOBE_RGB, SRGB, Encoding, SampledCurve
from wideopen.files.containers.icc import BadProfileError, build_profile, parse_profile

CODES = np.arange(256, dtype=np.uint8).repeat(3).reshape(1, 256, 3)


def seeds():
    """Profiles with parametric, gamma and sampled curves, and a grey one."""
    yield build_profile(SRGB)
    yield build_profile(ADOBE_RGB)
    yield build_profile(Encoding("Sampled", (SampledCurve((0.0, 0.1, 0.4, 1.0)),) * 3, SRGB.to_srgb))
    yield build_profile(SRGB).replace(b"RGB XYZ ", b"GRAYXYZ ").replace(b"rTRC", b"kTRC")


def check(data: bytes) -> None:
    """What is called for the profile of every photo."""
    try:
        profile = parse_profile(data)
    except BadProfileError:
        return
    assert profile.name.isprintable()
    if profile.encoding is None or not is_invertible(profile.encoding, 8):
        return
    light = transfer.decode(CODES, profile.encoding, bit_depth=8, backend="reference")
    assert np.isfinite(light).all()
    back = transfer.encode(light, profile.encoding, bit_depth=8, backend="reference")
    assert (back == CODES).all()
    parse_profile(build_profile(profile.encoding))
