"""Every example in docs/service.md runs, against a real server."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hostile_uploads import uploads
from PIL import Image
from service_process import encoded, matte_bytes, small_rgb

from wideopen.service.problems import KINDS

PAGE = (Path(__file__).parents[2] / "docs" / "service.md").read_text(encoding="utf-8")
URL = "http://127.0.0.1:8000"
BLOCKS = re.findall(r"^```(sh|python)\n(.*?)^```$", PAGE, flags=re.MULTILINE | re.DOTALL)
CALLS = [text for kind, text in BLOCKS if kind == "sh" and "curl" in text and "token" not in text]


@pytest.fixture
def folder(tmp_path):
    portrait = np.asarray(Image.fromarray(small_rgb()).resize((96, 72)))
    (tmp_path / "portrait.jpg").write_bytes(encoded(portrait, "JPEG"))
    (tmp_path / "matte.png").write_bytes(matte_bytes((72, 96)))
    return tmp_path


@pytest.mark.parametrize("text", CALLS, ids=range(len(CALLS)))
def test_curl_examples_of_the_page_work(server, folder, text):
    script = text.replace(URL, server.url).replace("curl -sS", "curl -sS --fail-with-body")
    before = set(folder.iterdir())
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script], cwd=folder, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr + done.stdout
    made = set(folder.iterdir()) - before
    assert {path.name for path in made} == set(re.findall(r"-o (\S+)", text))
    for path in made:
        if path.suffix:
            with Image.open(path) as picture:
                assert picture.size == (96, 72)


def test_the_python_example_of_the_page_works(server, folder):
    (text,) = (text for kind, text in BLOCKS if kind == "python")
    done = subprocess.run(
        [sys.executable, "-c", text.replace(URL, server.url)], cwd=folder, check=True, capture_output=True, text=True
    )
    assert "415 /problems/not-a-photo" in done.stdout
    assert len(list(folder.glob("blur-*.jpg"))) == 3


def test_every_route_has_an_example(http):
    for path in http.get("/openapi.json").json()["paths"]:
        assert path.replace("{id}", "$id") in "".join(CALLS)


def test_the_page_names_every_kind_of_problem():
    for slug, (status, _) in KINDS.items():
        row = next(line for line in PAGE.splitlines() if f"`/problems/{slug}`" in line)
        assert row.startswith(f"| {status} |")


def test_the_table_of_hostile_input_names_every_kind():
    part = PAGE.split("## Hostile input")[1]
    for upload in uploads():
        words = upload.what.split()[1:] if upload.what.split()[0] in ("JPEG", "PNG", "WebP", "TIFF", "HEIC") else []
        assert " ".join(words) in part


def test_the_command_shows_its_help_without_the_service_being_imported():
    script = "import sys; from wideopen.cli import run; run(['serve', '--help']); print('fastapi' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True, env=_wide())
    assert done.stdout.rstrip().endswith("False")
    for option in set(re.findall(r"--[a-z-]+[a-z]", PAGE)) - {"--json", "--build"}:
        assert option in done.stdout


def _wide():
    return os.environ | {"COLUMNS": "200", "TERM": "dumb", "NO_COLOR": "1"}


def test_the_openapi_examples_are_accepted(http, folder):
    page = http.get("/openapi.json").json()
    content = page["paths"]["/v1/render"]["post"]["requestBody"]["content"]["multipart/form-data"]
    values = content["examples"]["settings"]["value"]
    form = {name: (None, json.dumps(value)) for name, value in values.items()}
    photo = (folder / "portrait.jpg").read_bytes()
    assert http.post("/v1/render", files=form | {"photo": ("p", photo)}).status_code == 200
    scene = http.post("/v1/analyze", files={"photo": ("p", photo)}).headers["location"]
    content = page["paths"]["/v1/scenes/{id}/render"]["post"]["requestBody"]["content"]["application/json"]
    for example in content["examples"].values():
        assert http.post(scene, json=example["value"]).status_code == 200
