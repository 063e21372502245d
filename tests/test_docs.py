"""The documentation builds without a warning, matches the program, and requests nothing from other hosts."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """The folder of the built site; warnings are errors (mkdocs.yml: strict)."""
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--quiet", "--site-dir", folder]
    env = {**os.environ, "NO_MKDOCS_2_WARNING": "1"}
    done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


def test_every_page_is_built(site):
    for page in (ROOT / "docs").rglob("*.md"):
        assert (site / page.relative_to(ROOT / "docs").with_suffix(".html")).is_file(), page


def test_the_api_page_has_signatures_and_docstrings(site):
    page = (site / "api.html").read_text(encoding="utf-8")
    assert "Find the matte, the disparity and the sheets of a photo" in page
    assert "focus_disparity" in page


def test_pages_load_nothing_from_other_hosts(site):
    scripts = r'<(?:script|img|iframe)[^>]+src="(https?:[^"]+)'
    styles = r'<link[^>]+rel="?(?:stylesheet|preload|preconnect)[^>]*href="(https?:[^"]+)'
    loads = re.compile(f"{scripts}|{styles}")
    found = {page.name: loads.findall(page.read_text(encoding="utf-8")) for page in site.rglob("*.html")}
    assert len(found) > 10
    assert {name: hits for name, hits in found.items() if hits} == {}


def test_the_command_reference_is_the_programs():
    script = ROOT / "scripts" / "cli_reference.py"
    done = subprocess.run([sys.executable, script, "--check"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
