"""Tasks that the tests run in worker processes; quick to import, because spawned processes import it."""

import os
import signal
import threading
import time

STARTED = []


class CountStarts:
    """A warm-up that counts how often it ran in its process."""

    def __call__(self):
        STARTED.append(os.getpid())


class NoteTimes:
    """A warm-up of half a second that writes when it began and ended."""

    def __init__(self, folder):
        self.folder = folder

    def __call__(self):
        (self.folder / f"{os.getpid()}.begin").write_text(str(time.monotonic()))
        time.sleep(0.5)
        end = self.folder / f"{os.getpid()}.part"
        end.write_text(str(time.monotonic()))
        end.rename(end.with_suffix(".end"))


class Refuse:
    """A warm-up that fails as missing weights do."""

    def __call__(self):
        from wideopen.errors import WeightsError

        raise WeightsError("no weights here")


class Die:
    """A warm-up that ends its process."""

    def __call__(self):
        os._exit(3)


def starts(_=None):
    return list(STARTED)


def double(x):
    return 2 * x


def fresh_pages_of_a_second_array():
    """How many pages the system gives for an array of 80 MB when another one has just been freed."""
    import resource

    import numpy as np

    np.ones(10_000_000)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    np.ones(10_000_000)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before


def fail(message):
    from wideopen.errors import InvalidInput

    raise InvalidInput(message)


def hang():
    time.sleep(600)


def hang_after_touching(path):
    path.touch()
    time.sleep(600)


def die(signal_number=signal.SIGKILL):
    os.kill(os.getpid(), signal_number)
    threading.Event().wait()


def thread_counts():
    import cv2
    import numba
    import torch

    return cv2.getNumThreads(), numba.get_num_threads(), torch.get_num_threads()
