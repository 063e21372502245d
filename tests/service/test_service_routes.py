"""The routes, against a real server process with a real worker."""

import io
import json

import numpy as np
import pytest
from PIL import Image
from service_process import SMALL, encoded, matte_bytes, photo_bytes, small_rgb

from wideopen import Lens, analyze, read, render
from wideopen.files import write
from wideopen.service.client import Client, ServiceError

LENS = {"blur": "5%", "grain": "off"}


def form(**fields):
    """Files and settings as httpx takes them."""
    return {
        name: (None, json.dumps(value), "application/json") if isinstance(value, dict) else (name, value)
        for name, value in fields.items()
    }


def post(http, route="/v1/render", accept="image/*", **fields):
    return http.post(route, files=form(**fields), headers={"Accept": accept})


def pixels(data):
    return np.asarray(Image.open(io.BytesIO(data)).convert("RGB")).astype(int)


@pytest.fixture(scope="module")
def client(server):
    with Client(server.url) as found:
        yield found


@pytest.fixture(scope="module")
def photo():
    return photo_bytes("PNG")


def test_render_makes_the_picture_that_the_library_makes(http, photo, tmp_path):
    answer = post(http, photo=photo, matte=matte_bytes(), lens=LENS)
    assert (answer.status_code, answer.headers["content-type"]) == (200, "image/png")
    file = tmp_path / "photo.png"
    file.write_bytes(photo)
    matte = np.asarray(Image.open(io.BytesIO(matte_bytes())), np.float32) / 255
    scene = analyze(read(file), matte=matte, depth="planar")  # as the service was started
    focus, focus_range = scene.focus_on_subject()
    image = render(scene, Lens(focus_disparity=focus, focus_range=focus_range, max_radius=0.05, grain=0.0))
    want = write(tmp_path / "want.png", image, like=read(file)).read_bytes()
    assert np.array_equal(pixels(answer.content), pixels(want))
    assert np.abs(pixels(answer.content) - small_rgb()).max() > 20  # it is blurred


def test_an_analysed_scene_renders_the_same_bytes_cold_and_warm(client, photo):
    at_once = client.render(photo, matte=matte_bytes(), lens=LENS).image
    with client.analyze(photo, matte=matte_bytes()) as scene:
        assert scene.found["matte"] == "given"
        assert scene.found["size"] == [*SMALL[::-1]]
        cold, warm = scene.render(LENS).image, scene.render(LENS).image
        assert scene.render({**LENS, "blur": "2%"}).image != cold
    assert at_once == cold == warm


def test_removing_a_removed_scene_is_not_an_error(client, photo):
    scene = client.analyze(photo, matte=matte_bytes())
    scene.remove()
    scene.remove()
    with pytest.raises(ServiceError, match="no such scene") as caught:
        scene.render()
    assert (caught.value.status, caught.value.kind) == (404, "/problems/no-such-scene")


def test_parts_hold_report_image_and_both_maps(client, photo):
    parts = client.render(photo, lens=LENS, matte=matte_bytes(), parts=True)
    assert parts.image == client.render(photo, lens=LENS, matte=matte_bytes()).image
    assert parts.report["matte"] == "given"
    assert parts.report["disparity"] == "planar"
    assert not any("wideopen-serve" in note for note in parts.report["notes"])
    matte = np.asarray(Image.open(io.BytesIO(parts.matte)))
    assert np.array_equal(matte // 257, np.asarray(Image.open(io.BytesIO(matte_bytes()))))
    assert np.asarray(Image.open(io.BytesIO(parts.disparity))).shape == SMALL


def test_a_form_begins_with_its_boundary_as_browsers_require(http, photo):
    answer = post(http, accept="multipart/form-data", photo=photo, matte=matte_bytes())
    boundary = answer.headers["content-type"].partition("boundary=")[2].encode()
    assert answer.content.startswith(b"--" + boundary + b"\r\nContent-Disposition: form-data")
    assert answer.content.endswith(b"\r\n--" + boundary + b"--\r\n")
    assert answer.content.count(b"\r\n--" + boundary) == 4


def test_the_network_predicts_a_matte_when_none_is_given(client):
    portrait = encoded(np.asarray(Image.fromarray(small_rgb()).resize((192, 144))), "JPEG")
    parts = client.render(portrait, parts=True)
    assert parts.report["matte"] == "predicted by mobile"
    assert parts.report["size"] == [192, 144]
    hinted = client.render(portrait, matte_hint=matte_bytes(), parts=True)
    assert hinted.report["matte"] == "predicted by mobile from a hint"


@pytest.mark.parametrize(
    ("accept", "output", "kind"),
    [
        ("image/webp", {}, "image/webp"),
        ("*/*", {"format": "tiff"}, "image/tiff"),
        ("text/html, image/avif;q=0.5, image/png;q=0.9", {}, "image/png"),
        ("image/*", {}, "image/jpeg"),
    ],
)
def test_accept_or_the_form_chooses_the_format(http, accept, output, kind):
    answer = post(http, accept=accept, photo=photo_bytes(), matte=matte_bytes(), output=output)
    assert (answer.status_code, answer.headers["content-type"]) == (200, kind)
    assert Image.MIME[Image.open(io.BytesIO(answer.content)).format] == kind


@pytest.mark.parametrize("accept", ["text/html", "application/json", "image/png;q=0", "image/png;q=x"])
def test_other_kinds_of_results_are_not_acceptable(http, accept):
    answer = post(http, accept=accept, photo=photo_bytes(), matte=matte_bytes())
    assert answer.status_code == 406


@pytest.mark.parametrize(
    ("fields", "status", "expected"),
    [
        ({"lens": {"blurr": "3%"}}, 422, "lens.blurr"),
        ({"lens": {"blur": "90%"}}, 422, "lens.blur"),
        ({"lens": {"planes": "32"}}, 422, "lens.planes"),
        ({"lens": {"look": "paper", "focus_range": 0.1}}, 422, "focus_range"),
        ({"lens": {"focus": "999,5"}}, 422, "48 x 36"),
        ({"maps": {"matting": "/etc/passwd"}}, 422, "maps.matting"),
        ({"maps": {"depth": "https://example.org/model"}}, 422, "maps.depth"),
        ({"maps": {"depth": "embedded"}}, 422, "photo.jpg: expected depth inside"),
        ({"output": {"bits": 16}}, 422, "8 bits in JPEG"),
        ({"output": {"format": "png", "quality": 90}}, 422, "lossless"),
        ({"output": {"format": "png", "keep_depth": True}}, 422, "keep_depth"),
        ({"matte": encoded(np.zeros((36, 36), np.uint8), "PNG")}, 422, "matte.png"),
        ({"photo": b"MZ no photo"}, 415, "photo"),
        ({"other": b"x"}, 422, "other"),
    ],
)
def test_invalid_fields_are_refused_in_one_line(http, fields, status, expected):
    answer = post(http, **({"photo": photo_bytes()} | fields))
    problem = answer.json()
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json")
    assert expected in problem["detail"]
    assert "wideopen-serve" not in problem["detail"]  # part of every folder of ours
    assert "\n" not in problem["detail"]
    assert problem["status"] == status


def test_a_photo_of_too_many_pixels_is_refused_before_it_is_decoded(http):
    large = encoded(np.zeros((1500, 1500, 3), np.uint8), "PNG")
    assert "at most 2 megapixels" in post(http, photo=large).json()["detail"]
    answer = post(http, photo=photo_bytes(), matte=encoded(np.zeros((1500, 2000), np.uint8), "PNG"))
    assert "at most 2 megapixels" in answer.json()["detail"]


def test_a_form_without_a_photo_is_refused(http):
    assert http.post("/v1/render", files={"matte": ("m", matte_bytes())}).status_code == 422
    assert http.post("/v1/render", data={"photo": "file:///etc/passwd"}).status_code == 415
    assert http.post("/v1/render", files={"photo": (None, "file:///etc/passwd")}).status_code == 422


def test_two_files_of_one_field_are_refused(http):
    files = [("photo", ("a.jpg", photo_bytes())), ("photo", ("b.jpg", photo_bytes()))]
    assert "one field 'photo', found 2" in http.post("/v1/render", files=files).json()["detail"]


def test_settings_may_come_as_files_the_way_browsers_send_them(http):
    files = {"photo": ("a", photo_bytes()), "lens": ("blob", b'{"blur": "1%"}', "application/json")}
    assert http.post("/v1/render", files=files | {"matte": ("m", matte_bytes())}).status_code == 200


def test_state_and_metrics_are_served(http, client):
    assert http.get("/healthz").json() == {"healthy": True}
    assert http.get("/readyz").json() == {"ready": True}
    assert client.info()["max_megapixels"] == 2
    page = http.get("/metrics").text
    assert 'wideopen_requests_total{route="/healthz",status="200"}' in page
    assert "wideopen_workers_memory_bytes" in page


def test_the_log_names_neither_photos_nor_paths(http, server):
    name = "Aunt Gertrude at the lake.jpg"
    files = {"photo": (name, photo_bytes()), "matte": ("m", matte_bytes())}
    answer = http.post("/v1/render?who=gertrude", files=files)
    line = server.logged(request=answer.headers["x-request-id"])
    assert (line["route"], line["status"], line["size"]) == ("/v1/render", 200, [48, 36])
    assert "ertrude" not in json.dumps(server.lines)


def test_no_page_elsewhere_reaches_a_loopback_service_by_a_name_of_its_own(http):
    assert http.get("/v1/info", headers={"Host": "evil.example:80"}).status_code == 400
