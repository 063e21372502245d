"""Tasks that the tests run in workers; quick to import, because spawned processes import it."""

import os
import signal
import time


def do_or_misbehave(task):
    """Photos named for it hang, kill their worker half-way through the file, or raise what is nobody's fault."""
    from wideopen.batch.work import render_task
    from wideopen.files.atomic import atomic_file

    name = task.photo.rpartition("/")[2]
    if name.startswith("hangs"):
        time.sleep(600)
    if name.startswith("kills"):
        from pathlib import Path

        with atomic_file(Path(task.out)) as file:
            file.write(b"half")
            file.flush()
            os.kill(os.getpid(), signal.SIGKILL)
    if name.startswith("late"):  # the result is there, but nobody hears of it
        render_task(task)
        os.kill(os.getpid(), signal.SIGKILL)
    if name.startswith("full"):
        import resource

        soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (100, hard))
        try:
            return render_task(task)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    if name.startswith("bug"):
        raise LookupError("unforeseen")
    return render_task(task)
