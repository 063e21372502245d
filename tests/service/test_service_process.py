"""Workers that die, clients that leave and a service that is stopped: real processes, real signals."""

import json
import os
import signal
import socket
import threading
import time
from pathlib import Path

import httpx
import numpy as np
import pytest
from service_process import encoded, matte_bytes, photo_bytes, running

LONG = {"quality": "exact", "planes": 256, "blur": "25%"}


@pytest.fixture(scope="module")
def long_form():
    """A request that takes seconds: many planes and a large blur."""
    noise = np.random.default_rng(0).integers(0, 255, (1000, 1500, 3), np.uint8)
    return {
        "photo": ("p", encoded(noise, "JPEG")),
        "matte": ("m", matte_bytes((1000, 1500))),
        "lens": (None, json.dumps(LONG)),
    }


def metric(http, line):
    return line in http.get("/metrics").text


def wait_for(http, line):
    end = time.monotonic() + 60  # never reached unless the line was missed
    while not metric(http, line):
        assert time.monotonic() < end, http.get("/metrics").text


LEFT = 'wideopen_requests_total{route="/v1/render",status="499"}'


def left(http):
    """How many clients have left so far."""
    line = next((line for line in http.get("/metrics").text.splitlines() if line.startswith(LEFT)), "0.0")
    return float(line.split()[-1])


def ticks(pid):
    """Processor time that a process used, in hundredths of a second."""
    return int(Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()[11])


def in_thread(function, *arguments, **options):
    """Start `function`; returns what waits for its result."""
    found = []
    thread = threading.Thread(target=lambda: found.append(function(*arguments, **options)))
    thread.start()

    def result():
        thread.join()
        return found[0]

    return result


def quick(http):
    files = {"photo": ("p", photo_bytes()), "matte": ("m", matte_bytes())}
    return http.post("/v1/render", files=files).status_code


def test_a_worker_that_dies_fails_only_its_request(server, http, long_form):
    (worker,) = server.workers()
    before = ticks(worker)
    answer = in_thread(httpx.post, f"{server.url}/v1/render", files=long_form, timeout=90)
    while ticks(worker) < before + 20:  # it is at work: one killed before it has the job costs nothing but time
        pass
    os.kill(worker, signal.SIGKILL)
    assert answer().json() == {
        "type": "/problems/worker-died",
        "title": "The work ended unexpectedly",
        "status": 500,
        "detail": "work: its worker process died; the service goes on",
    }
    assert quick(http) == 200
    assert metric(http, 'wideopen_worker_deaths_total{why="died"} 1.0')


def test_work_whose_client_leaves_is_stopped(server, http, long_form):
    left_before = left(http)
    request = httpx.Request("POST", f"{server.url}/v1/render", files=long_form)
    head = "".join(f"{name}: {value}\r\n" for name, value in request.headers.items())
    with socket.create_connection(("127.0.0.1", server.port)) as connection:
        connection.sendall(f"POST /v1/render HTTP/1.1\r\n{head}\r\n".encode() + request.read())
        wait_for(http, "wideopen_queue_running 1.0")
    wait_for(http, f"{LEFT} {left_before + 1}")
    wait_for(http, "wideopen_queue_running 0.0")
    assert quick(http) == 200
    assert [path.name for path in server.folder.glob("wideopen-serve-*/*")] == ["scenes"]


def test_stopping_finishes_running_requests_and_leaves_no_files(long_form, tmp_path):
    with running("--workers", "1", "--folder", str(tmp_path), "--depth", "planar") as server:
        answer = in_thread(httpx.post, f"{server.url}/v1/render", files=long_form, timeout=60)
        with httpx.Client(base_url=server.url) as http:
            wait_for(http, "wideopen_queue_running 1.0")
        server.process.send_signal(signal.SIGTERM)
        assert answer().status_code == 200
        assert server.process.wait() == 0
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"{server.url}/healthz")
