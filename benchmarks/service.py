"""The service at twice its capacity: what is accepted, how long it takes, what memory does; scenes of 12 megapixels.

One `wideopen serve` on all cores, and in this process clients that send prepared bytes, so that they cost little. First
each kind of request alone, then as many at a time as workers (the capacity), then requests that arrive at twice that
rate, whether or not the earlier are answered: renders with given maps and with the network, photos analysed, scenes
rendered, damaged files, clients that leave after a moment.
"""

import argparse
import asyncio
import json
import os
import random
import re
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path

from provenance import ROOT, write_result
from scene import make_scene

COMMAND = [sys.executable, "-c", "from wideopen.cli import main; main()", "serve"]
WORKERS, WAITING = os.cpu_count() or 1, 8
SMALL = (192, 144)  # width, height
MIX = {"render": 0.55, "network": 0.1, "scene": 0.2, "analyze": 0.05, "damaged": 0.07, "leaving": 0.03}
BOUNDARY = "service-benchmark"


def form(**fields: bytes) -> bytes:
    """A multipart body; a field's value is a file, but for settings."""
    body = b""
    for name, value in fields.items():
        file = "" if name in ("lens", "maps", "output") else f'; filename="{name}"'
        body += (
            f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"{file}\r\n\r\n'.encode() + value + b"\r\n"
        )
    return body + f"--{BOUNDARY}--\r\n".encode()


def message(
    path: str, body: bytes, kind: str = f"multipart/form-data; boundary={BOUNDARY}", method: str = "POST"
) -> bytes:
    """A whole HTTP request."""
    head = f"{method} {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Type: {kind}\r\n"
    return f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body


def scene_message(scene: str, blur: str = "3%") -> bytes:
    """One rendering of an analysed scene."""
    return message(f"/v1/scenes/{scene}/render", json.dumps({"lens": {"blur": blur}}).encode(), "application/json")


async def send(port: int, request: bytes, *, leave_s: float | None = None) -> tuple[int, float, bytes]:
    """(status, seconds, body of the answer); 499 for a client that left after `leave_s`."""
    begin = time.perf_counter()
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(request)
        answer = await asyncio.wait_for(reader.read(), leave_s)
    except TimeoutError:
        return 499, time.perf_counter() - begin, b""
    finally:
        writer.close()
    head, _, body = answer.partition(b"\r\n\r\n")
    return int(head.split(b" ")[1]), time.perf_counter() - begin, body


@contextmanager
def server(*options: str):
    """Yield (port, pid) of a service that is ready."""
    with tempfile.TemporaryDirectory() as folder:
        command = [*COMMAND, "--port", "0", "--offline", "--depth", "planar", "--folder", folder, *options]
        with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
            port = 0
            for line in process.stderr or ():
                if '"listening"' in line:
                    port = json.loads(line)["port"]
                if '"ready"' in line:
                    break
            drain = subprocess.Popen(["cat"], stdin=process.stderr, stdout=subprocess.DEVNULL)
            try:
                yield port, process.pid
            finally:
                process.terminate()
                process.wait()
                drain.wait()


def resident_mb(pid: int) -> tuple[float, list[float]]:
    """Resident memory of the server and of each of its workers."""
    tasks = Path(f"/proc/{pid}/task").iterdir()
    children = [int(child) for task in tasks for child in (task / "children").read_text().split()]
    workers = [child for child in children if b"spawn_main" in Path(f"/proc/{child}/cmdline").read_bytes()]
    page = os.sysconf("SC_PAGE_SIZE")
    sizes = [int(Path(f"/proc/{one}/statm").read_text().split()[1]) * page / 1e6 for one in (pid, *workers)]
    return round(sizes[0], 1), [round(size, 1) for size in sizes[1:]]


class Load:
    """Prepared requests of each kind against one port."""

    def __init__(self, port: int, folder: Path) -> None:
        import cv2

        make_scene(folder, *SMALL)
        photo, matte = (folder / "photo.jpg").read_bytes(), (folder / "matte.png").read_bytes()
        disparity = cv2.imencode(".png", cv2.imread(str(folder / "disparity.png"), cv2.IMREAD_UNCHANGED))[1].tobytes()
        self.port = port
        self.random = random.Random(8)  # noqa: S311
        self.scenes: list[str] = []
        self.kinds = {
            "render": message(
                "/v1/render", form(photo=photo, matte=matte, disparity=disparity, lens=b'{"blur": "3%"}')
            ),
            "network": message("/v1/render", form(photo=photo)),
            "analyze": message("/v1/analyze", form(photo=photo, matte=matte)),
            "damaged": message("/v1/render", form(photo=photo[: len(photo) // 3])),
        }

    async def one(self, kind: str) -> tuple[str, int, float]:
        """Send a request of `kind`; returns (kind, status, seconds)."""
        if kind == "leaving":
            status, seconds, _ = await send(self.port, self.kinds["network"], leave_s=0.05)
        elif kind == "scene":
            blur = f"{self.random.uniform(1, 5):.2f}%"
            status, seconds, _ = await send(self.port, scene_message(self.random.choice(self.scenes[-4:]), blur))
        else:
            status, seconds, body = await send(self.port, self.kinds[kind])
            if kind == "analyze" and status == 201:
                self.scenes.append(json.loads(body)["id"])
        return kind, status, seconds

    def pick(self) -> str:
        """A kind, as often as MIX says."""
        return self.random.choices(list(MIX), list(MIX.values()))[0]

    async def alone(self, runs: int) -> dict[str, float]:
        """Median seconds of each kind, one request at a time."""
        for _ in range(4):
            await self.one("analyze")
        kinds = [kind for kind in MIX if kind != "leaving"]
        times = {kind: [(await self.one(kind))[2] for _ in range(runs)] for kind in kinds}
        return {kind: round(statistics.median(values), 4) for kind, values in times.items()}

    async def capacity(self, total: int) -> float:
        """Requests a second with one for each worker at a time."""
        left = iter(range(total))

        async def client() -> None:
            for _ in left:
                await self.one(self.pick())

        begin = time.perf_counter()
        await asyncio.gather(*(client() for _ in range(WORKERS)))
        return total / (time.perf_counter() - begin)

    async def soak(self, total: int, rate: float, pid: int) -> tuple[list[tuple[str, int, float]], list[dict]]:
        """All (kind, status, seconds) of `total` requests that arrive `rate` a second, and memory on the way."""
        tasks, memory, begin = [], [], time.perf_counter()
        for number in range(total):
            await asyncio.sleep(max(0.0, begin + number / rate - time.perf_counter()))
            tasks.append(asyncio.create_task(self.one(self.pick())))
            if number % (total // 10) == total // 20:
                own, workers = resident_mb(pid)
                memory.append({"requests": number, "server_mb": own, "workers_mb": workers})
        return list(await asyncio.gather(*tasks)), memory


def share(values: list[float], part: float) -> float:
    """A quantile."""
    return round(sorted(values)[min(len(values) - 1, int(part * len(values)))], 4) if values else 0.0


async def soak(port: int, pid: int, total: int) -> dict:
    """The load test."""
    with tempfile.TemporaryDirectory() as name:
        load = Load(port, Path(name))
        alone = await load.alone(9)
        capacity = await load.capacity(300)
        found, memory = await load.soak(total, 2 * capacity, pid)
        _, _, page = await send(port, message("/metrics", b"", method="GET"))
    taken = [seconds for _, status, seconds in found if status in (200, 201)]
    usual = sum(MIX[kind] * alone[kind] for kind in alone) / sum(MIX[kind] for kind in alone)
    counts: dict[str, int] = {}
    for _, status, _ in found:
        counts[str(status)] = counts.get(str(status), 0) + 1
    deaths = re.findall(rb'wideopen_worker_deaths_total\{why="(\w+)"\} (\S+)', page)
    first, last = (row["server_mb"] + sum(row["workers_mb"]) for row in (memory[0], memory[-1]))
    return {
        "photo": list(SMALL),
        "mix": MIX,
        "workers": WORKERS,
        "waiting": WAITING,
        "alone_s": alone,
        "alone_mean_s": round(usual, 4),
        "capacity_per_s": round(capacity, 1),
        "offered_per_s": round(2 * capacity, 1),
        "requests": total,
        "statuses": dict(sorted(counts.items())),
        "other_5xx": sum(count for status, count in counts.items() if status[0] == "5" and status != "503"),
        "accepted_p50_s": share(taken, 0.5),
        "accepted_p95_s": share(taken, 0.95),
        "limit_p95_s": round(1.5 * usual * WAITING, 4),
        "refused_p95_s": share([seconds for _, status, seconds in found if status == 503], 0.95),
        "worker_deaths": {why.decode(): float(count) for why, count in deaths},
        "memory": memory,
        "memory_growth": round(last / first - 1, 4),
    }


async def large(port: int, runs: int) -> dict:
    """Seconds of 12 megapixels: analysed, and the scene rendered cold and warm."""
    with tempfile.TemporaryDirectory() as name:
        subprocess.run([sys.executable, Path(__file__).with_name("scene.py"), name, "4000", "3000"], check=True)
        photo = (Path(name) / "photo.jpg").read_bytes()
    _, first, body = await send(port, message("/v1/analyze", form(photo=photo)))
    scene = json.loads(body)["id"]
    cold = (await send(port, scene_message(scene)))[1]
    warm = [(await send(port, scene_message(scene, f"{2 + number}%")))[1] for number in range(runs)]
    at_once = [(await send(port, message("/v1/render", form(photo=photo))))[1] for _ in range(2)]
    return {
        "size": [4000, 3000],
        "render_s": round(min(at_once), 3),
        "analyze_s": round(first, 3),
        "scene_cold_s": round(cold, 3),
        "scene_warm_s": round(statistics.median(warm), 3),
    }


def main() -> None:
    """Measure, print, and write benchmarks/results/service.json."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--requests", type=int, default=4000)
    parser.add_argument("--only", choices=("soak", "large"))
    parser.add_argument("--out", type=Path, default=ROOT / "benchmarks" / "results" / "service.json")
    asked = parser.parse_args()
    result = json.loads(asked.out.read_text(encoding="utf-8")) if asked.only and asked.out.exists() else {}
    if asked.only != "large":
        with server("--workers", str(WORKERS), "--waiting", str(WAITING), "--uploads", "64") as (port, pid):
            result["soak"] = asyncio.run(soak(port, pid, asked.requests))
    if asked.only != "soak":
        with server("--workers", "1") as (port, _):
            result["large"] = asyncio.run(large(port, 5))
    write_result(asked.out, result)
    print(json.dumps({key: value for key, value in result.items() if key in ("soak", "large")}, indent=1))


if __name__ == "__main__":
    main()
