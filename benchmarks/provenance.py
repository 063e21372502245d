"""Where a benchmark's figures come from, where the checkout is, and how results are written."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from wideopen.evals.provenance import provenance
from wideopen.evals.report import finite

ROOT = Path(__file__).resolve().parents[1]
__all__ = ["ROOT", "provenance", "write_result"]


def write_result(path: Path, found: Mapping[str, Any]) -> dict[str, Any]:
    """Write what a benchmark found as JSON behind this run's command, commit, date, machine and versions; return it."""
    origin = provenance()
    content: dict[str, Any] = finite({**origin, **found, **origin})  # `found` may be of an earlier run in part
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    return content
