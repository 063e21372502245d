"""Order under load, tokens, time-outs and clients that leave: the app in this process, its workers replaced."""

import asyncio
import base64
import contextlib
import sys
import types

import httpx
import pytest
from fastapi import FastAPI, Request
from service_process import photo_bytes

from wideopen.errors import InvalidInput, WorkerDied
from wideopen.service import ServeSettings, service
from wideopen.service.app import make_app
from wideopen.service.photo_files import Accepted, accepted_by

TOKEN = "a-token-of-some-length"  # noqa: S105
REPORT = {"seconds": {"render": 0.1}, "size": [48, 36]}


class Puppet:
    """Stands in for a service's workers: each call waits for `go`, then writes what was asked for."""

    def __init__(self):
        self.go = asyncio.Event()
        self.running = asyncio.Semaphore(0)
        self.started, self.stopped = 0, 0
        self.raises = None

    async def __call__(self, _function, out, *_):
        self.started += 1
        self.running.release()
        try:
            await self.go.wait()
        except asyncio.CancelledError:
            self.stopped += 1
            raise
        if self.raises:
            raise self.raises
        out.write_bytes(b"rendered")
        return REPORT


@contextlib.asynccontextmanager
async def serving(tmp_path, **config):
    """Yield (http client, puppet, service) of an app without worker processes."""
    app = make_app(ServeSettings(folder=tmp_path, **{"workers": 1} | config))
    service = app.state.service
    service.use(tmp_path)
    service.ready = True
    service.call = puppet = Puppet()
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as http:
        yield http, puppet, service
        await asyncio.gather(*service._afterwards)
    assert [path.name for path in tmp_path.iterdir()] == ["scenes"]  # nothing of any job is left


def post(http):
    return asyncio.ensure_future(http.post("/v1/render", files={"photo": ("a", photo_bytes())}))


def test_requests_beyond_the_queue_get_503_and_those_inside_are_done(tmp_path):
    async def scenario():
        async with serving(tmp_path, workers=2, waiting=3, uploads=50) as (http, puppet, service):
            first = [post(http) for _ in range(2)]
            for _ in first:
                await puppet.running.acquire()
            waiting = [post(http) for _ in range(3)]
            while service.queue.waiting < 3:
                await asyncio.sleep(0)
            refused = [await post(http) for _ in range(4)]
            assert {answer.status_code for answer in refused} == {503}
            assert all(int(answer.headers["retry-after"]) >= 1 for answer in refused)
            assert puppet.started == 2
            puppet.go.set()
            assert {(await answer).content for answer in first + waiting} == {b"rendered"}
            assert (service.queue.running, service.queue.waiting) == (0, 0)

    asyncio.run(scenario())


def test_until_it_is_ready_photos_get_503_with_retry_after(tmp_path):
    async def scenario():
        async with serving(tmp_path) as (http, puppet, service):
            service.ready = False
            for path in ("/v1/render", "/v1/analyze"):
                answer = await http.post(path, files={"photo": ("a", photo_bytes())})
                assert (answer.status_code, answer.json()["type"]) == (503, "/problems/starting")
                assert int(answer.headers["retry-after"]) >= 1
            assert (await http.get("/healthz")).status_code == 200
            assert (await http.get("/readyz")).status_code == 503
            assert puppet.started == 0
            service.ready = True
            puppet.go.set()
            assert (await post(http)).status_code == 200

    asyncio.run(scenario())


def test_bodies_beyond_the_bound_on_uploads_are_not_kept(tmp_path):
    async def scenario():
        async with serving(tmp_path, uploads=1, workers=1) as (http, puppet, service):
            service.uploads = 1  # one is on its way
            assert (await post(http)).status_code == 503
            service.uploads = 0
            puppet.go.set()
            assert (await post(http)).status_code == 200

    asyncio.run(scenario())


def test_work_that_takes_too_long_is_504_and_stopped(tmp_path, monkeypatch):
    monkeypatch.setattr(service, "GRACE_S", 0.05)

    async def scenario():
        async with serving(tmp_path, request_timeout=0.05) as (http, puppet, service):
            answer = await post(http)
            assert (answer.status_code, answer.json()["type"]) == (504, "/problems/timed-out")
            await asyncio.gather(*service._afterwards)
            assert puppet.stopped == 1
            assert service.queue.running == 0

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("raised", "status", "detail"),
    [
        (InvalidInput("photo.jpg: expected, found"), 422, "photo.jpg: expected, found"),
        (WorkerDied("SIGSEGV"), 500, "work: its worker process died; the service goes on"),
        (RuntimeError("secret of /home"), 500, "The service's log says more."),
    ],
)
def test_errors_of_workers_are_reported_without_internals(tmp_path, raised, status, detail):
    async def scenario():
        async with serving(tmp_path) as (http, puppet, _):
            puppet.go.set()
            puppet.raises = raised
            answer = await post(http)
            assert (answer.status_code, answer.json()["detail"]) == (status, detail)
            puppet.raises = None
            assert (await post(http)).status_code == 200

    asyncio.run(scenario())


@pytest.mark.parametrize("given", [None, "", "Bearer", "Bearer wrong", f"Basic {TOKEN}", f"Bearer {TOKEN}x"])
def test_with_a_token_nothing_is_done_without_it(tmp_path, given):
    headers = {} if given is None else {"Authorization": given}

    async def scenario():
        async with serving(tmp_path, token=TOKEN) as (http, puppet, _):
            for method, path in (("POST", "/v1/render"), ("POST", "/v1/analyze"), ("POST", "/v1/scenes/x/render")):
                answer = await http.request(method, path, headers=headers)
                assert (answer.status_code, answer.headers["www-authenticate"]) == (401, "Bearer")
            for method, path in (("DELETE", "/v1/scenes/x"), ("GET", "/v1/info"), ("GET", "/metrics")):
                assert (await http.request(method, path, headers=headers)).status_code == 401
            assert (await http.get("/healthz", headers=headers)).status_code == 200
            assert puppet.started == 0

    asyncio.run(scenario())


def test_with_the_token_it_works(tmp_path):
    async def scenario():
        async with serving(tmp_path, token=TOKEN) as (http, puppet, _):
            puppet.go.set()
            http.headers["Authorization"] = f"Bearer {TOKEN}"
            assert (await post(http)).status_code == 200

    asyncio.run(scenario())


BASIC = base64.b64encode(f"wideopen:{TOKEN}".encode()).decode()


@pytest.mark.parametrize(
    ("given", "status"),
    [
        ("", 401),
        ("Basic !", 401),
        ("Basic " + base64.b64encode(b"wideopen:wrong").decode(), 401),
        (f"Digest {BASIC}", 401),
        (f"Basic {BASIC}", 200),
        (f"Bearer {TOKEN}", 200),
    ],
)
def test_the_studio_asks_for_a_login_if_there_is_a_token(tmp_path, monkeypatch, given, status):
    """With a stand-in for the studio: whatever is mounted there."""
    page = FastAPI()
    page.get("/")(lambda: "the studio")
    launch = types.ModuleType("wideopen.studio.launch")
    launch.mount = lambda app, path, *_, **__: app.mount(path, page)
    monkeypatch.setitem(sys.modules, "wideopen.studio.launch", launch)

    async def scenario():
        async with serving(tmp_path, token=TOKEN, studio=True) as (http, _, _):
            answer = await http.get("/studio/", headers={"Authorization": given} if given else {})
            assert answer.status_code == status
            assert (status == 401) == ("www-authenticate" in answer.headers)

    asyncio.run(scenario())


@pytest.mark.parametrize("token", ["short", "with spaces in it here", "café-with-sixteen"])
def test_an_invalid_or_short_token_is_refused(token):
    with pytest.raises(InvalidInput, match="token"):
        ServeSettings(token=token)
    assert TOKEN not in repr(ServeSettings(token=TOKEN))


def accepted(header):
    headers = [] if header is None else [(b"accept", header.encode())]
    return accepted_by(Request({"type": "http", "headers": headers}))


def test_accept_headers_choose_image_or_form():
    assert accepted(None) == accepted("*/*") == accepted("image/*") == Accepted(parts=False)
    assert accepted("image/jpeg;q=0.1, image/png;q=0.2").format == "png"
    assert accepted("image/png, multipart/form-data").parts is False
    assert accepted("image/png;q=0.5, multipart/form-data").parts is True
