"""Where a benchmark's figures come from, and where the checkout is."""

from pathlib import Path

from wideopen.evals.provenance import machine, provenance

ROOT = Path(__file__).resolve().parents[1]
__all__ = ["ROOT", "machine", "provenance"]
