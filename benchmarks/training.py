"""Images a second of the matting network's training: the loader alone, the network alone, and both together.

A loader is fast enough where "both" is as fast as "network": the accelerator is never waited for. On a CPU the two
share the cores, so there "both" says how long training takes. DATA as for `wideopen train matting`; half of the photos
are kept in memory, the other half read when they are drawn, which is timed apart. Without DATA the photos are drawn.
What the loader made ahead before a measurement begins is used up first.
"""

import argparse
import tempfile
import time
from pathlib import Path

import cv2
import numpy as np

from provenance import ROOT, write_result
from wideopen.memory import keep_freed_memory

AHEAD = 4  # batches that each worker makes ahead


def draw_photos(folder: Path, count: int, size: int) -> Path:
    """Write `count` drawn people before noise, with mattes, `size` pixels high, into a folder, which is returned."""
    rng = np.random.default_rng(11)
    for kind in ("rgb", "alpha"):
        (folder / kind).mkdir(parents=True)
    y, x = np.mgrid[0:size, 0 : size * 3 // 4].astype(np.float32) / size
    for number in range(count):
        head = np.hypot(x - rng.uniform(0.3, 0.45), y - rng.uniform(0.3, 0.4)) - 0.13
        body = np.hypot((x - 0.375) / 1.2, y - 1.0) - 0.42
        matte = np.clip(0.5 - 100 * np.minimum(head, body), 0, 1)[..., None]
        noise = [cv2.resize(rng.random((12 * n, 9 * n, 3), np.float32), x.shape[::-1]) for n in (1, 9)]
        photo = matte * (0.3 + 0.5 * noise[1]) + (1 - matte) * noise[0]
        for kind, image in (("rgb", photo), ("alpha", matte)):
            cv2.imwrite(str(folder / kind / f"{number:04}.png"), np.rint(255 * image).astype(np.uint8))
    return folder


def rate(step, count: int, images: int, warm_up: int = 2) -> float:
    """Images a second of `count` calls of `step` after some that warm up."""
    for _ in range(warm_up):
        step()
    start = time.perf_counter()
    for _ in range(count):
        step()
    return round(count * images / (time.perf_counter() - start), 2)


def main() -> None:
    """Measure, print a table, and write benchmarks/results/training.json."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path, nargs="?")
    parser.add_argument("--backgrounds", type=Path)
    parser.add_argument("--preset", default="mobile")
    parser.add_argument("--size", type=int, default=512)
    parser.add_argument("--batch", type=int, default=6)
    parser.add_argument("--workers", type=int, default=0)
    parser.add_argument("--photos", type=int, default=120, help="that many are loaded")
    parser.add_argument("--batches", type=int, default=12)
    parser.add_argument("--out", type=Path, default=ROOT / "benchmarks" / "results" / "training.json")
    asked = parser.parse_args()
    keep_freed_memory()
    import torch

    from wideopen.train.augment import Stock
    from wideopen.train.finish import finish
    from wideopen.train.matting import Batches
    from wideopen.train.photos import entries_in, load_backgrounds, load_photos
    from wideopen.train.settings import TrainRun
    from wideopen.train.trainer import Trainer, make_fabric

    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:  # loaders may still write there
        data = asked.data or draw_photos(Path(folder) / "drawn", asked.photos, 2 * asked.size)
        entries = [entry for entry in entries_in([data]) if entry.part == "train"]
        entries = entries[:: max(1, len(entries) // asked.photos)][: asked.photos]
        whole = load_photos(entries, 2 * asked.size, Path(folder))
        half = sum(photo.nbytes for photo in whole) / 2
        some = load_photos(entries, 2 * asked.size, Path(folder), budget_bytes=half)
        start = time.perf_counter()
        read = [some[i] for i in range(len(some)) if i not in some.kept][:40]
        read_ms = round(1000 * (time.perf_counter() - start) / max(1, len(read)), 1)
        scenes = load_backgrounds(asked.backgrounds, 2 * asked.size)

        run = TrainRun(
            data=(data,),
            out=Path(folder),
            steps=1000,
            preset=asked.preset,
            size=asked.size,
            batch=asked.batch,
            workers=asked.workers,
            tensorboard=False,
        )
        fabric = make_fabric(run)
        trainer = Trainer(run, fabric)
        in_memory, from_disk = (Batches(Stock(photos, scenes), photos, run).start_at(0) for photos in (whole, some))
        still = fabric.to_device(next(in_memory))

        def learn(batch) -> None:
            trainer.train_step([finish(run, *fabric.to_device(batch))])
            if fabric.device.type == "cuda":
                torch.cuda.synchronize()

        measured = {
            "network": lambda: learn(still),
            "loader": lambda: next(in_memory),
            "both": lambda: learn(next(in_memory)),
            "loader, half read from disk": lambda: next(from_disk),
        }
        rates = {}
        for name, step in measured.items():
            warm_up = 2 + (0 if name == "network" else AHEAD * asked.workers)
            rates[name] = rate(step, asked.batches, asked.batch, warm_up)
            print(f"{name:30}{rates[name]:8.2f} images/s", flush=True)
    print(f"a photo read from disk takes {read_ms} ms")
    found = {
        "data": "given" if asked.data else "drawn",
        "device": torch.cuda.get_device_name() if fabric.device.type == "cuda" else str(fabric.device),
        "preset": asked.preset,
        "size": asked.size,
        "batch": asked.batch,
        "workers": asked.workers,
        "images_per_s": rates,
        "read_ms": read_ms,
    }
    write_result(asked.out, found)
    print(f"written to {asked.out}")


if __name__ == "__main__":
    main()
