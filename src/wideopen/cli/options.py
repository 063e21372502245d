"""Options that several commands share; their names and meanings are fixed."""

from pathlib import Path
from typing import Annotated

import typer

Photos = Annotated[list[Path], typer.Argument(help="Photos: JPEG, PNG, TIFF, WebP, HEIC, AVIF.", show_default=False)]
OnePhoto = Annotated[Path, typer.Argument(help="Photo: JPEG, PNG, TIFF, WebP, HEIC, AVIF.", show_default=False)]
Look = Annotated[str, typer.Option("--look", help="thin-lens (physical) or paper (its equations as printed).")]
Blur = Annotated[
    str, typer.Option("--blur", help="Blur radius at disparity difference 1: pixels (40px) or of the long side (2.5%).")
]
Focus = Annotated[str, typer.Option("--focus", help="subject, X,Y (pixels, as displayed), or d=0.8 (a disparity).")]
FocusRange = Annotated[
    float | None,
    typer.Option(
        "--focus-range",
        help="Disparity half-width that stays sharp. Default: the subject's own, or 0 for a point.",
    ),
]
Planes = Annotated[int, typer.Option("--planes", help="Number of planes, 2 to 256.")]
Aperture = Annotated[
    str,
    typer.Option(
        "--aperture",
        help="disk, polygon:6 (sides), polygon:6@15 (degrees) or polygon:6@15~0.4 (sides bulging, 0 to 1).",
    ),
]
CatEye = Annotated[
    float,
    typer.Option("--cat-eye", help="0 to 1: how much the lens's barrel cuts the disks of light towards the corners."),
]
Highlights = Annotated[float, typer.Option("--highlights", help="Radiance given back to clipped lights; 0 = none.")]
Quality = Annotated[str, typer.Option("--quality", help="exact, or fast: large radii at a lower resolution.")]
Grain = Annotated[
    str,
    typer.Option(
        "--grain", help="Grain put back into what is blurred: auto (as the photo's), off, or 8-bit codes (3.5)."
    ),
]
FilterDisparity = Annotated[
    bool,
    typer.Option("--filter-disparity/--no-filter-disparity", help="Clean disparity along the matte's edge."),
]
OutputQuality = Annotated[
    int | None,
    typer.Option(
        "--output-quality",
        help="1 to 100, of JPEG, WebP, HEIC, AVIF and JPEG XL. Default for JPEG: as the photo's, or 95.",
    ),
]
OutputBits = Annotated[
    int | None,
    typer.Option("--output-bits", help="Bits per channel: 8, 10, 16 or 32 (floats). Default: as the photo's."),
]
KeepDepth = Annotated[
    bool, typer.Option("--keep-depth", help="Keep matte and disparity with the result, to focus it again later.")
]
Matte = Annotated[
    Path | None, typer.Option("--matte", help="The subject's matte, grey 8 or 16 bit, instead of a predicted one.")
]
Disparity = Annotated[
    Path | None,
    typer.Option(
        "--disparity", help="Grey 8/16-bit PNG or TIFF, or float .npy in [0, 1]; the largest value is nearest."
    ),
]
DepthM = Annotated[Path | None, typer.Option("--depth-m", help="Depth in metres, float .npy; disparity = 1 / depth.")]
Depth = Annotated[
    str,
    typer.Option(
        "--depth",
        help="Where disparity comes from: auto (the photo's own, else a network, else the matte), embedded, planar, or "
        "a model: dpt, depth-anything-v2-small, ... (wideopen info lists them), a folder, a hub id.",
    ),
]
Offline = Annotated[bool, typer.Option("--offline", help="Never download a model.")]
Matting = Annotated[
    str,
    typer.Option(
        "--matting",
        help="Where the matte comes from: auto (the portrait matte inside the photo, else mobile), embedded, or a "
        "network: paper, mobile, a weight file, or rembg:NAME.",
    ),
]
MattingSize = Annotated[
    int | None, typer.Option("--matting-size", help="Long side for the matting network, pixels. Default: its own.")
]
MattingStages = Annotated[
    int | None, typer.Option("--matting-stages", help="Times the matting network runs (T). Default: its own, 3.")
]
MattingEdges = Annotated[
    bool,
    typer.Option("--matting-edges/--no-matting-edges", help="Let the matte's outline follow the photo's own edges."),
]
MattingTiles = Annotated[
    bool,
    typer.Option("--matting-tiles/--no-matting-tiles", help="Run the network once more, on tiles along the outline."),
]
MattingRefiner = Annotated[
    str | None,
    typer.Option("--matting-refiner", help="A VitMatte that redoes the outline: a folder or hub id on disk."),
]
Mattes = Annotated[
    Path | None,
    typer.Option("--mattes", help="Folder with a matte for each photo, by its name: NAME.png, .tif or .npy."),
]
MattingBackend = Annotated[
    str, typer.Option("--matting-backend", help="What runs it: auto, torch, or onnx (onnxruntime, CPU).")
]
Device = Annotated[str, typer.Option("--device", help="Where networks run: auto, cpu or cuda.")]
Backend = Annotated[str, typer.Option("--backend", help="What renders: auto, triton, numba, torch or reference.")]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace an existing output (never the original).")]
Json = Annotated[bool, typer.Option("--json", help="Print one line of JSON per photo instead of text.")]
MaxMegapixels = Annotated[float, typer.Option("--max-megapixels", help="Refuse larger photos.")]
MAX_MEGAPIXELS = 150.0
