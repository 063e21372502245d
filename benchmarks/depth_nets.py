"""Time and memory of the depth networks for a photo of 12 megapixels, with random weights.

Weights do not change the time, so none need to be downloaded: each network is made at its true size, saved to a folder,
and run through `predict_depth`, in a process of its own. How well the true weights predict is not measured here.
"""

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from provenance import ROOT, write_result

DINOV2 = {  # hidden size, heads, layers, and the layers that are read
    "depth-anything-v2-small": (384, 6, 12, [3, 6, 9, 12], (48, 96, 192, 384), 64),
    "depth-anything-v2-base": (768, 12, 12, [3, 6, 9, 12], (96, 192, 384, 768), 128),
    "depth-anything-v2-large": (1024, 16, 24, [5, 12, 18, 24], (256, 512, 1024, 1024), 256),
}
NAMES = (*DINOV2, "dpt", "zoedepth", "depth-pro")


def make(name: str):
    """A network of the size of that model, with random weights."""
    import transformers

    if name in DINOV2:
        hidden, heads, layers, read, neck, fusion = DINOV2[name]
        backbone = transformers.Dinov2Config(
            hidden_size=hidden,
            num_attention_heads=heads,
            num_hidden_layers=layers,
            out_indices=read,
            image_size=518,
            patch_size=14,
            reshape_hidden_states=False,
        )
        config = transformers.DepthAnythingConfig(
            backbone_config=backbone, reassemble_hidden_size=hidden, neck_hidden_sizes=neck, fusion_hidden_size=fusion
        )
        return transformers.DepthAnythingForDepthEstimation(config)
    if name == "dpt":
        large = {"hidden_size": 1024, "num_hidden_layers": 24, "num_attention_heads": 16, "intermediate_size": 4096}
        config = transformers.DPTConfig(
            **large, backbone_out_indices=[5, 11, 17, 23], neck_hidden_sizes=[256, 512, 1024, 1024], is_hybrid=False
        )
        return transformers.DPTForDepthEstimation(config)
    if name == "zoedepth":
        heads = [
            {"name": "nyu", "n_bins": 64, "min_depth": 1e-3, "max_depth": 10.0},
            {"name": "kitti", "n_bins": 64, "min_depth": 1e-3, "max_depth": 80.0},
        ]
        config = transformers.ZoeDepthConfig(
            neck_hidden_sizes=[256, 512, 1024, 1024],
            bin_configurations=heads,
            num_patch_transformer_layers=4,
            patch_transformer_hidden_size=128,
            patch_transformer_intermediate_size=1024,
            patch_transformer_num_attention_heads=4,
        )
        return transformers.ZoeDepthForDepthEstimation(config)
    vit = {
        "model_type": "dinov2",
        "hidden_size": 1024,
        "num_hidden_layers": 24,
        "num_attention_heads": 16,
        "patch_size": 16,
        "image_size": 384,
        "use_mask_token": False,
    }
    config = transformers.DepthProConfig(
        image_model_config=vit, patch_model_config=vit, fov_model_config=vit, use_fov_model=True
    )
    return transformers.DepthProForDepthEstimation(config)


def measure(name: str, folder: Path, runs: int) -> dict:
    """Run in a process of its own: seconds of a prediction after the first, and peak memory."""
    import numpy as np

    from wideopen.disparity.predict import predict_depth

    photo = np.random.default_rng(3).integers(0, 256, (3000, 4000, 3), np.uint8)
    seconds = []
    for _ in range(runs + 1):
        start = time.perf_counter()
        depth = predict_depth(photo, model=folder, device="cpu")
        seconds.append(time.perf_counter() - start)
    first, *warm = seconds
    return {
        "model": name,
        "output": list(depth.values.shape),
        "runs": runs,
        "median_s": round(statistics.median(warm), 2),
        "min_s": round(min(warm), 2),
        "max_s": round(max(warm), 2),
        "first_s": round(first, 2),  # with loading
        "peak_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024 * 1.048576),
    }


def main() -> None:
    """Measure, print a table, and write benchmarks/results/depth_nets.json."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--models", nargs="+", default=list(NAMES), choices=NAMES)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--out", type=Path, default=ROOT / "benchmarks" / "results" / "depth_nets.json")
    parser.add_argument("--child", nargs=2, help=argparse.SUPPRESS)
    parser.add_argument("--make", nargs=2, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.make:
        make(asked.make[0]).eval().save_pretrained(asked.make[1])
        return
    if asked.child:
        print(json.dumps(measure(asked.child[0], Path(asked.child[1]), asked.runs)))
        return
    load, rows = round(os.getloadavg()[0], 1), []
    print(f"{'model':26}{'output':>12}{'median s':>10}{'min':>8}{'max':>8}{'first':>8}{'peak MB':>9}")
    for name in asked.models:
        with tempfile.TemporaryDirectory() as folder:
            subprocess.run([sys.executable, __file__, "--make", name, folder], check=True, stderr=subprocess.DEVNULL)
            command = [sys.executable, __file__, "--child", name, folder, "--runs", str(asked.runs)]
            rows.append(row := json.loads(subprocess.check_output(command, text=True)))
        size = f"{row['output'][1]} x {row['output'][0]}"
        times = f"{row['median_s']:10.2f}{row['min_s']:8.2f}{row['max_s']:8.2f}{row['first_s']:8.2f}"
        print(f"{name:26}{size:>12}{times}{row['peak_mb']:9}", flush=True)
    write_result(asked.out, {"load": load, "megapixels": 12, "rows": rows})
    print(f"written to {asked.out}")


if __name__ == "__main__":
    main()
