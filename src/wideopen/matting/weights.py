"""Files of matting weights: the two that are shipped, which are checked against their SHA-256, and a user's own."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

from wideopen.errors import InvalidInput, WeightsError
from wideopen.matting.inference import PRESETS, SHIPPED, MattingConfig

FOLDER = Path(__file__).with_name("weights")
SHA256 = {
    "mobile": "ba717aa9538afcdc1b38b56970772534c5323fe06438f6a005de70683bf3c2c6",
    "paper": "61565f3d45c29cd4d311bd300c92cdd9fbcecd237210d8e347b0657c0d6f63b1",
}
LICENCE = "Apache-2.0"  # of the shipped weights


def locate(weights: str | Path) -> Path:
    """The file of a shipped name, or of a path that ends in .onnx or .safetensors."""
    if str(weights) in SHA256:
        return FOLDER / f"{weights}.onnx"
    path = Path(weights)
    if path.suffix not in (".onnx", ".safetensors"):
        names = ", ".join(SHIPPED)
        raise WeightsError(f"matting weights: expected {names}, a .onnx or a .safetensors file, found {str(weights)!r}")
    return path


def read_file(weights: str | Path) -> bytes:
    """The bytes of a weights file; those of a shipped one are checked. Raises WeightsError."""
    path = locate(weights)
    try:
        data = path.read_bytes()
    except OSError as error:
        raise WeightsError(f"matting weights: expected a file {path}, found none ({error.strerror})") from error
    expected = SHA256.get(str(weights))
    if expected is not None and (found := hashlib.sha256(data).hexdigest()) != expected:
        raise WeightsError(f"matting weights {path}: expected SHA-256 {expected}, found {found}")
    return data


def config_of(weights: str | Path, metadata: Mapping[str, str]) -> MattingConfig:
    """The configuration stored in a file; its preset must be a known one."""
    preset = metadata.get("preset")
    if preset not in PRESETS:
        expected = ", ".join(PRESETS)
        raise WeightsError(f"matting weights {weights}: expected metadata preset {expected}, found {preset!r}")
    try:
        fields = json.loads(metadata.get("config", "{}"))
        lists = {k: tuple(v) if isinstance(v, list) else v for k, v in fields.items()}
        return MattingConfig(**{**asdict(PRESETS[preset]), **lists})
    except (ValueError, TypeError, InvalidInput) as error:
        raise WeightsError(f"matting weights {weights}: configuration unknown here ({error})") from error


def describe() -> list[str]:
    """One line per shipped file: name, file, size and licence, or that it is missing."""
    lines = []
    for name in SHIPPED:
        path = locate(name)
        found = f"{path.stat().st_size / 1e6:.1f} MB, {LICENCE}" if path.is_file() else "is missing"
        lines.append(f"{name:10} {path.name} {found}")
    return lines
