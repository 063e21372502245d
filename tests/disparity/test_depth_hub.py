"""Downloading models from a local hub that serves tiny files; nothing leaves this machine."""

import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import SimpleNamespace
from typing import ClassVar

import numpy as np
import pytest

from tiny_depth import tiny_onnx
from wideopen.disparity import hub
from wideopen.disparity.predict import predict_depth
from wideopen.errors import WeightsError
from wideopen.timing import Steps

REPO = hub.ROWS[hub.DEFAULT].onnx.repo
COMMIT = hub.ROWS[hub.DEFAULT].onnx.revision
FILES = {
    "config.json": b'{"model_type": "depth_anything"}',
    "preprocessor_config.json": b'{"size": 28}',
    "onnx/model.onnx": tiny_onnx(),
    "onnx/model_fp16.onnx": bytes(100),
    "model.safetensors": bytes(200_000),
    "pytorch_model.bin": b"a pickle",
    "modeling.py": b"raise SystemExit",
}


class FakeHub(BaseHTTPRequestHandler):
    """The two requests that a download makes: the list of files, and a file."""

    files = FILES
    asked: ClassVar[list[str]] = []

    def do_HEAD(self):
        self.answer()

    def do_GET(self):
        self.answer()

    def answer(self):
        self.asked.append(self.path)
        path = self.path.split("?")[0]
        if path.startswith(f"/api/models/{REPO}/tree/{COMMIT}"):
            listing = [{"type": "file", "path": n, "size": len(b), "oid": f"{i:040x}"} for i, (n, b) in self.numbered()]
            self.send(json.dumps(listing).encode(), "application/json")
        elif path.removeprefix(f"/{REPO}/resolve/{COMMIT}/") in self.files:
            self.send(self.files[path.removeprefix(f"/{REPO}/resolve/{COMMIT}/")], "application/octet-stream")
        else:
            self.send_response(404)
            self.send_header("X-Error-Code", "EntryNotFound" if REPO in path else "RepoNotFound")
            self.send_header("Content-Length", "0")
            self.end_headers()

    def numbered(self):
        return enumerate(self.files.items())

    def send(self, body, kind):
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("X-Repo-Commit", COMMIT)
        self.send_header("ETag", f'"{hash(body) & 0xFFFFFFFF:08x}"')
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body)

    def log_message(self, *_):
        pass


@pytest.fixture
def fake_hub(tmp_path, monkeypatch):
    """The hub's library, talking to a server here, with an empty cache."""
    from huggingface_hub import constants

    class Handler(FakeHub):
        asked: ClassVar[list[str]] = []

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    address = f"http://127.0.0.1:{server.server_address[1]}"
    monkeypatch.setattr(constants, "ENDPOINT", address)
    monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", address + "/{repo_id}/resolve/{revision}/{filename}")
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    yield Handler
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_model_is_downloaded_once_with_progress_and_nothing_else_of_it(fake_hub, capfd):
    events = []
    assert hub.on_disk("depth-anything-v2-small") is None

    class Recorder(Steps):
        def note(self, line):
            assert "downloading depth model depth-anything-v2-small (" in line
            events.append("starts")

        def download(self, done, total):
            events.append((done, total))

    folder = hub.fetch("depth-anything-v2-small", step=Recorder())
    assert events.pop(0) == "starts"
    files = ("config.json", "onnx/model.onnx", "preprocessor_config.json")
    found = {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*.*")}
    assert found == {name: FILES[name] for name in files}
    assert events[-1][0] == events[-1][1] >= len(FILES["onnx/model.onnx"])
    assert [done for done, _ in events] == sorted(done for done, _ in events)
    requests = len(fake_hub.asked)
    assert hub.fetch("depth-anything-v2-small") == hub.on_disk("depth-anything-v2-small") == folder
    assert hub.fetch("depth-anything-v2-small", offline=True) == folder
    depth = predict_depth(np.zeros((40, 40, 3), np.uint8), model="depth-anything-v2-small")
    assert (depth.name, depth.values.shape) == ("depth-anything-v2-small", (28, 28))
    assert len(fake_hub.asked) == requests
    assert capfd.readouterr() == ("", "")


def test_a_hub_id_is_downloaded_in_onnx_if_it_has_that_and_the_cpu_runs_it(fake_hub):
    model = f"{REPO}@{COMMIT}"
    assert {path.suffix for path in hub.fetch(model, device="cuda").rglob("*.*")} == {".json", ".safetensors"}
    assert hub.on_disk(model).name == COMMIT  # what is there is used
    assert hub.on_disk("depth-anything-v2-small") is None
    assert (hub.fetch("depth-anything-v2-small") / "onnx" / "model.onnx").is_file()


@pytest.mark.parametrize("files", [("config.json", "model.safetensors"), ("config.json", "onnx/model.onnx")])
def test_a_hub_id_may_have_one_form_only(fake_hub, monkeypatch, files):
    monkeypatch.setattr(fake_hub, "files", {name: FILES[name] for name in files})
    folder = hub.fetch(f"{REPO}@{COMMIT}")
    assert {path.relative_to(folder).as_posix() for path in folder.rglob("*.*")} == set(files)


def test_a_moving_revision_is_found_in_the_cache(fake_hub, tmp_path):
    repo = tmp_path / "cache" / "models--some--model"
    (repo / "refs").mkdir(parents=True)
    (repo / "refs" / "main").write_text("abc")
    assert hub.on_disk("some/model") is None
    (repo / "snapshots" / "abc").mkdir(parents=True)
    (repo / "snapshots" / "abc" / "model.onnx").touch()
    assert hub.on_disk("some/model").name == "abc"


def test_a_cache_that_cannot_be_written_is_reported(fake_hub, monkeypatch, tmp_path):
    from huggingface_hub import constants

    (tmp_path / "file").touch()
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "file" / "cache"))
    with pytest.raises(WeightsError, match=r"depth-anything-v2-small .*: cannot be downloaded \(.*Not a directory"):
        hub.fetch("depth-anything-v2-small")


def test_offline_sends_no_request(fake_hub):
    with pytest.raises(WeightsError, match="not on disk, and offline") as caught:
        hub.fetch("depth-anything-v2-small", offline=True)
    assert "99 MB, licence Apache-2.0" in str(caught.value)
    assert fake_hub.asked == []


def test_the_environment_can_say_offline(fake_hub, monkeypatch):
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(WeightsError, match="not on disk, and offline"):
        hub.fetch("depth-anything-v2-small")
    assert fake_hub.asked == []


def test_a_model_that_is_not_on_the_hub_is_refused(fake_hub):
    with pytest.raises(WeightsError, match=r"expected a model no/such on the hub, at main, found none"):
        hub.fetch("no/such")


def test_a_model_of_pickles_only_is_refused(fake_hub, monkeypatch):
    monkeypatch.setattr(
        fake_hub, "files", {k: v for k, v in FILES.items() if not k.endswith((".safetensors", ".onnx"))}
    )
    with pytest.raises(WeightsError, match=r"expected onnx/model\.onnx or \.safetensors on the hub, found neither"):
        hub.fetch(f"{REPO}@{COMMIT}")


def test_an_unreachable_hub_is_reported_at_once(fake_hub, monkeypatch):
    """Within one request: the hub's own retries take half a minute."""
    from huggingface_hub import constants

    nobody = "http://127.0.0.1:9"  # the discard port: refuses
    monkeypatch.setattr(constants, "ENDPOINT", nobody)
    monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", nobody + "/{repo_id}/resolve/{revision}/{filename}")
    # the hub's own clock alone: threads that other tests left may sleep
    impatient = SimpleNamespace(**vars(time) | {"sleep": lambda _: pytest.fail("waited to try again")})
    monkeypatch.setattr("huggingface_hub.utils._http.time", impatient)
    monkeypatch.setattr(Steps, "note", lambda *_: pytest.fail("said that it downloads"))
    with pytest.raises(WeightsError, match="cannot be downloaded") as caught:
        hub.fetch("dpt")
    assert "\n" not in str(caught.value)


def test_a_download_that_breaks_off_is_reported(fake_hub, monkeypatch):
    monkeypatch.setattr(FakeHub, "numbered", lambda _: enumerate({**FILES, "onnx/model.onnx_data": b"12"}.items()))
    with pytest.raises(WeightsError, match="depth model depth-anything-v2-small"):
        hub.fetch("depth-anything-v2-small")
