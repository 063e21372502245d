"""A real server process for tests, and pictures to send to it."""

import io
import json
import subprocess
import sys
import threading
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import skimage.data
from PIL import Image

COMMAND = [sys.executable, "-c", "from wideopen.cli import main; main()", "serve"]
SMALL = (36, 48)  # (H, W) of the photos sent


class Server:
    """A running `wideopen serve`."""

    def __init__(self, process):
        self.process = process
        self.lines = []
        """What it logged so far, parsed."""
        self._news = threading.Condition()
        self._reader = threading.Thread(target=self._follow)
        self._reader.start()
        self.port = self.logged(event="listening")["port"]
        self.url = f"http://127.0.0.1:{self.port}"
        self.logged(event="ready")

    def _follow(self):
        for text in self.process.stderr:
            line = json.loads(text) if text.startswith("{") else {"event": "text", "text": text}
            with self._news:
                self.lines.append(line)
                self._news.notify_all()
        with self._news:
            self.lines.append({"event": "end"})
            self._news.notify_all()

    def logged(self, **fields):
        """The first line with these fields; waits for it. Fails when the server ends without it."""

        def found():
            return next((line for line in self.lines if line.items() >= fields.items()), None)

        with self._news:
            self._news.wait_for(lambda: found() or self.lines[-1:] == [{"event": "end"}], timeout=400)
            assert found(), self.lines
            return found()

    def ended(self):
        """Its exit code, once it has ended."""
        code = self.process.wait()
        self._reader.join()
        self.process.stderr.close()
        return code

    def workers(self):
        """Process ids of its workers, from its children."""
        tasks = Path(f"/proc/{self.process.pid}/task").iterdir()
        children = [int(pid) for task in tasks for pid in (task / "children").read_text(encoding="ascii").split()]
        return [pid for pid in children if b"spawn_main" in Path(f"/proc/{pid}/cmdline").read_bytes()]


@contextmanager
def running(*options):
    """Start `wideopen serve OPTIONS` on a free port and wait until it is ready."""
    process = subprocess.Popen(
        [*COMMAND, "--port", "0", "--offline", *options], stderr=subprocess.PIPE, text=True, encoding="utf-8"
    )
    try:
        server = Server(process)
        yield server
    finally:
        process.terminate()
        process.wait()
    server.ended()


def small_rgb():
    """The astronaut's head, SMALL, uint8."""
    photo = Image.fromarray(skimage.data.astronaut()[:384]).resize(SMALL[::-1], Image.Resampling.BOX)
    return np.asarray(photo)


def encoded(array, kind, **options):
    """A picture file as bytes."""
    out = io.BytesIO()
    if kind in ("HEIF", "AVIF"):
        import pillow_heif

        pillow_heif.register_heif_opener()
    Image.fromarray(array).save(out, kind, **options)
    return out.getvalue()


def photo_bytes(kind="JPEG"):
    """The small photo as a file."""
    return encoded(small_rgb(), kind)


def matte_bytes(size=SMALL):
    """A grey matte of `size` (H, W): a block in the middle."""
    matte = np.zeros(size, np.uint8)
    matte[size[0] // 4 :, size[1] // 3 : 2 * size[1] // 3] = 255
    return encoded(matte, "PNG")
