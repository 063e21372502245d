"""Hostile uploads, names, settings, bodies and connections: each is answered, or dropped, and the server goes on."""

import contextlib
import socket
from dataclasses import replace

import pytest
from hostile_uploads import NAMES, as_json, settings, uploads
from service_process import matte_bytes, photo_bytes

UPLOADS = uploads()
BOUNDARY = b"boundary"


@pytest.fixture(autouse=True)
def _goes_on(server, http):
    """Whatever was sent, the same process and the same worker are there afterwards, with nothing left to do."""
    before = server.workers()
    yield
    assert http.get("/healthz").status_code == 200
    assert server.workers() == before
    assert server.process.poll() is None
    assert not any(line["event"] in ("bug", "worker died", "text") for line in server.lines), server.lines


@pytest.mark.parametrize("upload", UPLOADS, ids=[upload.what.replace(" ", "_") for upload in UPLOADS])
def test_hostile_uploads_are_rendered_or_refused(http, upload):
    found = []
    for data in upload.files:
        files = {"photo": ("x", data), "matte": ("m", matte_bytes())}
        if "strips" in upload.what:
            del files["matte"]  # its aspect is another
        answer = http.post("/v1/render", files=files)
        found.append(answer.status_code)
        assert answer.status_code == 200 or answer.headers["content-type"] == "application/problem+json"
    assert set(found) <= upload.right, found


def test_hostile_maps_are_refused_as_photos_are(http):
    for upload in UPLOADS:
        if "zip" in upload.what or "no photos" in upload.what or "bombs" in upload.what:
            for data in upload.files:
                files = {"photo": ("x", photo_bytes()), "matte": ("m", data)}
                assert http.post("/v1/render", files=files).status_code in (415, 422)


@pytest.mark.parametrize("name", NAMES)
def test_names_are_never_used(http, server, name):
    boundary = b"--" + BOUNDARY
    raw = name.encode().replace(b'"', b"%22")
    head = boundary + b'\r\nContent-Disposition: form-data; name="%s"; filename="%s"\r\n\r\n'
    body = head % (b"photo", raw) + photo_bytes() + b"\r\n" + head % (b"matte", raw) + matte_bytes() + b"\r\n"
    content_type = {"Content-Type": f"multipart/form-data; boundary={BOUNDARY.decode()}"}
    answer = http.post("/v1/render", content=body + boundary + b"--\r\n", headers=content_type)
    assert answer.status_code == 200
    assert name[:20] not in str(server.lines) or len(name) < 5


@pytest.mark.parametrize(("field", "text"), settings())
def test_settings_are_refused(http, field, text):
    files = {"photo": ("x", photo_bytes()), "matte": ("m", matte_bytes()), field: (None, as_json(text))}
    answer = http.post("/v1/render", files=files)
    assert answer.status_code in (400, 422)
    assert len(answer.json()["detail"]) < 600


@pytest.mark.parametrize(
    "path",
    ["/v1/scenes/..%2f..%2fetc/render", "/v1/scenes/%2e%2e/render", "/v1/scenes/x%00y/render", "/%2e%2e/etc/passwd"],
)
def test_paths_out_of_the_folder_are_not_found(http, path):
    assert http.post(path, json={}).status_code == 404


def multipart(*parts, boundary=BOUNDARY):
    return b"".join(b"--" + boundary + b"\r\n" + part + b"\r\n" for part in parts) + b"--" + boundary + b"--\r\n"


FIELD = b'Content-Disposition: form-data; name="%s"\r\n\r\n%s'
BODIES = {
    "no multipart at all": b"hello",
    "another boundary": multipart(FIELD % (b"photo", b"x"), boundary=b"other"),
    "no end": multipart(FIELD % (b"photo", b"x"))[:-20],
    "a part without a name": multipart(b"Content-Disposition: form-data\r\n\r\nx"),
    "a part without headers": multipart(b"\r\nx"),
    "a thousand fields": multipart(*[FIELD % (b"f%d" % number, b"x") for number in range(1000)]),
    "a field of 100 kB": multipart(FIELD % (b"lens", b" " * 100_000)),
    "a part's header of 1 MB": multipart(b"X: " + b"x" * 1_000_000 + b"\r\n\r\nx"),
    "ten thousand headers in a part": multipart(b"X: x\r\n" * 10_000 + b"\r\nx"),
}


@pytest.mark.parametrize("body", BODIES.values(), ids=list(BODIES))
def test_invalid_forms_are_refused(http, body):
    content_type = {"Content-Type": f"multipart/form-data; boundary={BOUNDARY.decode()}"}
    answer = http.post("/v1/render", content=body, headers=content_type)
    assert answer.status_code in (400, 422)
    assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize(
    ("content_type", "status"),
    [
        ("multipart/form-data", 400),
        ("multipart/form-data; boundary=", 400),
        ("multipart/form-data; boundary=" + "x" * 5000, 400),
        ("text/plain", 415),
        ("application/x-www-form-urlencoded", 415),
        ("", 415),
    ],
)
def test_wrong_content_types_are_refused(http, content_type, status):
    body = multipart(FIELD % (b"photo", b"x"))
    answer = http.post("/v1/render", content=body, headers={"Content-Type": content_type})
    assert answer.status_code == status


HEAD = b"POST /v1/render HTTP/1.1\r\nHost: localhost\r\nContent-Type: multipart/form-data; boundary=boundary\r\n"


BEGUN = b'--boundary\r\nContent-Disposition: form-data; name="photo"; filename="x"\r\n\r\n'


def say(server, *pieces):
    """Send raw pieces; return all that comes back until the server closes."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=30) as connection:
        found = b""
        with contextlib.suppress(ConnectionError):  # it closes on what it has heard enough of
            for piece in pieces:
                connection.sendall(piece)
        with contextlib.suppress(ConnectionError):
            while piece := connection.recv(65536):
                found += piece
        return found


@pytest.mark.parametrize(
    ("what", "sent", "status"),
    [
        ("too long: the rest never comes", HEAD + b"Content-Length: 5000\r\n\r\n--boundary\r\n", b"408"),
        ("larger than allowed", HEAD + b"Content-Length: 99999999999\r\n\r\n", b"413"),
        ("no number", HEAD + b"Content-Length: many\r\n\r\n", b"400"),
        ("negative", HEAD + b"Content-Length: -5\r\n\r\n", b"400"),
        ("beyond any integer", HEAD + b"Content-Length: " + b"9" * 400 + b"\r\n\r\n", b"400"),
        ("two that differ", HEAD + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello", b"400"),
        ("chunks that are none", HEAD + b"Transfer-Encoding: chunked\r\n\r\nzz\r\nhello\r\n", b"400"),
        ("a chunk's end that never comes", HEAD + b"Transfer-Encoding: chunked\r\n\r\nc\r\n--boundary\r\n\r\n", b"408"),
        ("no HTTP", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(200), b"400"),
        ("headers of 2 MB", HEAD + b"X: " + b"x" * 2_000_000 + b"\r\n\r\n", b"400"),
    ],
)
def test_wrong_content_lengths_are_refused(server, what, sent, status):
    answer = say(server, sent)
    assert answer.split(b" ")[1] == status


def test_a_length_too_short_ends_the_body_there(server):
    body = multipart(FIELD % (b"photo", b"x"))
    answer = say(server, HEAD + b"Content-Length: 30\r\n\r\n" + body)
    assert answer.split(b" ")[1] == b"422"  # there is no photo in it
    assert b"HTTP/1.1 400" in answer  # and the rest is no request


def test_a_body_that_grows_beyond_the_limit_is_cut_off(server):
    def endless():
        yield HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + b"%x\r\n%s\r\n" % (len(BEGUN), BEGUN)
        for _ in range(5):
            yield b"100000\r\n" + bytes(0x100000) + b"\r\n"
        yield b"0\r\n\r\n"

    with socket.create_connection(("127.0.0.1", server.port), timeout=30) as connection:
        for piece in endless():
            connection.sendall(piece)
        assert connection.recv(65536).split(b" ")[1] == b"413"


def dribble(server, head, piece):
    """Send a piece every 50 ms until the server answers; returns its answer."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=0.05) as connection:
        connection.sendall(head)
        while True:
            try:
                connection.sendall(piece)
                return connection.recv(65536)
            except TimeoutError:
                continue


def test_a_slow_body_is_given_up_in_the_end(server):
    answer = dribble(server, HEAD + b"Content-Length: 5000\r\n\r\n" + BEGUN, b"x")
    assert answer.split(b" ")[1] == b"408"


def test_slow_bodies_take_no_workers_place(server, http):
    """As many as may upload do so, slowly; a request of JSON alone is answered meanwhile, one more upload is 503."""
    head = HEAD + b"Content-Length: 5000\r\n\r\n--boundary\r\n"
    connections = [socket.create_connection(("127.0.0.1", server.port), timeout=30) for _ in range(4)]
    try:
        for connection in connections:
            connection.sendall(head)
        while "wideopen_uploads 4.0" not in (page := http.get("/metrics").text):
            pass
        assert "wideopen_queue_running 0.0" in page
        answer = http.post("/v1/render", files={"photo": ("x", photo_bytes())})
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
        for connection in connections:
            assert connection.recv(65536).split(b" ")[1] == b"408"
    finally:
        for connection in connections:
            connection.close()


def test_a_gzipped_body_is_not_unpacked(http):
    import gzip

    body = gzip.compress(bytes(50_000_000))
    headers = {"Content-Type": "multipart/form-data; boundary=boundary", "Content-Encoding": "gzip"}
    assert http.post("/v1/render", content=body, headers=headers).status_code == 400


def test_the_original_named_by_an_uploaded_result_is_not_opened(http, tmp_path):
    """A kept result names its original by path and digest; here both are right, and it stays closed."""
    from wideopen import read, write
    from wideopen.files import Keep
    from wideopen.session.open_photo import Job, open_photo
    from wideopen.settings import MapSettings

    photo, result = tmp_path / "secret.jpg", tmp_path / "result.jpg"
    photo.write_bytes(photo_bytes())
    sharp = read(photo)
    ones = sharp.rgb[..., 0] * 0 + 1
    write(result, sharp.rgb * 0, like=sharp, keep=Keep(matte=ones, disparity=ones))
    job = Job(maps=MapSettings(depth="auto", offline=True))
    assert open_photo(result, job).photo.source == photo
    assert open_photo(result, replace(job, originals=False)).photo.source == result
    answer = http.post(
        "/v1/render", files={"photo": ("x", result.read_bytes())}, headers={"Accept": "multipart/form-data"}
    )
    assert answer.status_code == 200
    assert b"no original is named" in answer.content


def test_hostile_requests_leave_nothing_on_disk(server, http):
    while "wideopen_queue_running 0.0" not in http.get("/metrics").text:
        pass
    assert [path.name for path in server.folder.glob("wideopen-serve-*/*")] == ["scenes"]
