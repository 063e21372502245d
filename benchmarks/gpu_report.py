"""Collect the results of gpu.sh's parts in gpu.json, print a table, and exit 1 if a part failed.

python benchmarks/gpu_report.py FOLDER
"""

import json
import sys
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

RESULTS = ("render", "others", "training_mobile", "training_paper")


def tests_of(report: Path) -> dict[str, Any]:
    """Return how many tests passed, the names of those that failed, and the largest errors that were noted."""
    cases = list(ET.parse(report).iter("testcase"))  # noqa: S314  (pytest wrote it a moment ago)
    failed = [c.get("name") for c in cases if c.find("failure") is not None or c.find("error") is not None]
    skipped = sum(c.find("skipped") is not None for c in cases)
    errors = {
        str(case.get("name")).split("[")[-1].rstrip("]"): json.loads(str(noted.get("value")))
        for case in cases
        for noted in case.iter("property")
    }
    largest = {name: [max(e) for e in zip(*found.values(), strict=True)] for name, found in errors.items()}
    return {
        "passed": len(cases) - len(failed) - skipped,
        "skipped": skipped,
        "failed": failed,
        "largest_errors_thin_lens_paper": largest,
    }


def collect(folder: Path) -> dict[str, Any]:
    """Return everything that is in the folder; provenance and device stand once."""
    parts = [line.split() for line in (folder / "parts.txt").read_text("utf-8").splitlines()]
    found: dict[str, Any] = {}
    for name in RESULTS:
        if (folder / f"{name}.json").is_file():
            result = json.loads((folder / f"{name}.json").read_text("utf-8"))
            for key in ("command", "commit", "date", "machine", "versions", "gpu"):
                if key in result:
                    found[key] = (
                        {**found.get(key, {}), **taken} if isinstance(taken := result.pop(key), dict) else taken
                    )
            found[name] = result
    if (folder / "kernels.xml").is_file():
        found["kernels"] = tests_of(folder / "kernels.xml")
    found["command"] = " ".join(["gpu.sh", *(name for name, *_ in parts)])  # in place of its parts' own
    found["parts"] = [{"part": name, "status": int(status), "seconds": int(s)} for name, status, s in parts]
    return found


def lines(found: dict[str, Any]) -> list[str]:
    """Return the table."""
    table = []
    if "kernels" in found:
        kernels = found["kernels"]
        table.append(f"kernels: {kernels['passed']} passed, {len(kernels['failed'])} failed {kernels['failed'][:3]}")
    for row in found.get("render", {}).get("rows", []):
        beside = f", {row['share_of_floor']:.0%} of the floor" if "share_of_floor" in row else ""
        table.append(f"{size(row)} {row['look']:9} {row['quality']:5} {1e3 * row['median_s']:8.2f} ms{beside}")
    for kind in ("one_plane", "whole"):
        for row in found.get("others", {}).get(kind, []):
            label = f"one plane, {row['radius_px']} px" if kind == "one_plane" else f"{row['planes']} planes"
            times = (f"{k[:-2]} {1e3 * t:.2f}" for k, t in row.items() if k.endswith("_s") and t is not None)
            table.append(f"{size(row)} {label}, ms: {', '.join(times)}")
    for name in RESULTS[2:]:
        if name in found:
            rates = (f"{kind} {rate}" for kind, rate in found[name]["images_per_s"].items())
            table.append(f"{name}, images/s: {', '.join(rates)}")
    table += [f"FAILED: {part['part']}, status {part['status']}" for part in found["parts"] if part["status"]]
    return table


def size(row: dict[str, Any]) -> str:
    """Return width and height in a column."""
    return "{:>5} x {:<5}".format(*row["size"])


def main() -> None:
    """Write gpu.json, print the table."""
    folder = Path(sys.argv[1])
    found = collect(folder)
    (folder / "gpu.json").write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    print("\n".join(lines(found)))
    sys.exit(any(part["status"] for part in found["parts"]))


if __name__ == "__main__":
    main()
