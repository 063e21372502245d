"""A tiny set in each benchmark's layout, made of noise: enough to be found, checked and judged."""

import json

import numpy as np
from PIL import Image

RNG = np.random.default_rng(11)
WIDTH, HEIGHT = 40, 30


def picture(path, size=(WIDTH, HEIGHT)):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(RNG.integers(0, 255, (size[1], size[0], 3)).astype(np.uint8)).save(path)


def grey(path, size=(WIDTH, HEIGHT)):
    path.parent.mkdir(parents=True, exist_ok=True)
    values = np.zeros((size[1], size[0]), np.uint8)
    values[size[1] // 3 :, size[0] // 3 :] = 255
    Image.fromarray(values).save(path)


def exr(path, values):
    from wideopen.files.optional import encode_exr

    path.parent.mkdir(parents=True, exist_ok=True)
    rgb = np.ascontiguousarray(np.broadcast_to(values, (HEIGHT, WIDTH, 3)), np.float32)
    path.write_bytes(b"".join(encode_exr(rgb, (0.64, 0.33, 0.3, 0.6, 0.15, 0.06, 0.3127, 0.329))))


def ebb_val294(root):
    for number in range(4399, 4694):  # one more than the set: its training photos lie in the same folders
        for kind in ("original", "bokeh"):
            picture(root / "Training" / kind / f"{number}.jpg", (16, 12))


def ebb400(root):
    for number in range(400):
        for kind in ("in", "gt"):
            picture(root / "test" / kind / f"{number}.jpg", (16, 12))


def realbokeh(root, scenes=2):
    for scene in range(scenes):
        names = [f"gt/{scene}/{scene}_f{av}.JPG" for av in ("2.0", "4.0", "8.0")]
        picture(root / f"test/in/{scene}_f22.JPG")
        for name in names:
            picture(root / "test" / name)
        data = {
            "id": scene,
            "source_image": f"in/{scene}_f22.JPG",
            "target_images": names,
            "target_avs": [2.0, 4.0, 8.0],
        }
        (root / "test/metadata").mkdir(exist_ok=True)
        (root / f"test/metadata/{scene}.json").write_text(json.dumps(data))


def blb(root, scenes=10):
    depth = np.where(np.arange(WIDTH)[None, :, None] < 20, 1.0, 4.0) * np.ones((HEIGHT, 1, 1))
    for scene in range(scenes):
        folder = root / str(277 + scene)
        exr(folder / "image.exr", RNG.random((HEIGHT, WIDTH, 3)))
        exr(folder / "depth.exr", depth)
        for k in range(5):
            for f in range(10):
                exr(folder / f"bokeh_{k:02}_{f:02}.exr", RNG.random((HEIGHT, WIDTH, 3)) * 2)
        info = {"blur_parameters": [2, 4, 6, 8, 10], "some focuses": list(np.linspace(0.25, 1.0, 10)), "scene": scene}
        (folder / "info.json").write_text(json.dumps(info))


def ours(count):
    def make(root):
        for number in range(count):
            picture(root / "sharp" / f"{number}.png", (16, 12))
            picture(root / "bokeh" / f"{number}.png", (16, 12))

    return make


def mattes(photos, alphas, count, suffix=".png"):
    def make(root):
        for number in range(count):
            picture(root / photos / f"{number}.jpg", (16, 12))
            grey(root / alphas / f"{number}{suffix}", (16, 12))

    return make


MAKERS = {
    "ebb-val294": ebb_val294,
    "ebb400": ebb400,
    "realbokeh": realbokeh,
    "blb": blb,
    "lf-bokeh": ours(200),
    "lf-refocus": ours(400),
    "modest": ours(3),
    "wax": ours(20),
    "real": ours(3),
    "lens-clamped": ours(20),
    "lens-true": ours(20),
    "lens-hdr": ours(20),
    "composites": ours(3),
    "composites-hdr": ours(3),
    "p3m-500-p": mattes("validation/P3M-500-P/blurred_image", "validation/P3M-500-P/mask", 500),
    "p3m-500-np": mattes("validation/P3M-500-NP/original_image", "validation/P3M-500-NP/mask", 500),
    "aim-500": mattes("original", "mask", 500),
    "ppm-100": mattes("image", "matte", 100, ".jpg"),
    "rwp-636": mattes("image", "alpha", 636),
}
COUNTS = {"realbokeh": 6, "blb": 500, "modest": 3, "real": 3, "composites": 3, "composites-hdr": 3}
