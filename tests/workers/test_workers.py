"""Worker processes: a task that fails, hangs or kills its worker affects no other."""

import os
import platform
import signal
import subprocess
import sys
import time
from concurrent.futures import CancelledError, wait
from pathlib import Path

import pytest
import worker_tasks as tasks

from wideopen.errors import InvalidInput, WorkerDied, WorkerTimeout
from wideopen.workers import PoolSize, Workers, pool_size

ONE, TWO = PoolSize(workers=1, threads=1), PoolSize(workers=2, threads=1)
LONG_S = 300  # ends a test that would hang; never reached


@pytest.fixture(scope="module")
def pool():
    with Workers(TWO, tasks.CountStarts()) as workers:
        yield workers


def test_a_result_comes_with_its_workers_memory(pool):
    done = pool.submit(tasks.double, 21).result(timeout=LONG_S)
    assert done.value == 42
    assert 1 < done.memory_mb <= done.peak_mb * 1.01
    assert done.worker != os.getpid()


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc has the settings")
def test_a_worker_reuses_freed_memory(pool):
    assert pool.submit(tasks.fresh_pages_of_a_second_array).result(timeout=LONG_S).value < 10


def test_each_worker_starts_once_for_many_tasks(pool):
    done = [pool.submit(tasks.starts).result(timeout=LONG_S) for _ in range(12)]
    assert {tuple(one.value) for one in done} == {(one.worker,) for one in done}


def test_errors_of_a_task_are_raised(pool):
    future = pool.submit(tasks.fail, "nothing in it")
    with pytest.raises(InvalidInput, match="nothing in it"):
        future.result(timeout=LONG_S)


def test_a_killed_worker_loses_only_its_task(pool):
    dying = pool.submit(tasks.die)
    others = [pool.submit(tasks.double, n) for n in range(5)]
    assert [one.result(timeout=LONG_S).value for one in others] == [0, 2, 4, 6, 8]
    with pytest.raises(WorkerDied, match="SIGKILL"):
        dying.result(timeout=LONG_S)


def test_a_hanging_task_is_ended_in_time_and_affects_no_other(pool):
    hanging = pool.submit(tasks.hang, timeout_s=0.3)
    others = [pool.submit(tasks.double, n) for n in range(5)]
    assert [one.result(timeout=LONG_S).value for one in others] == [0, 2, 4, 6, 8]
    with pytest.raises(WorkerTimeout, match=r"0\.3 s"):
        hanging.result(timeout=LONG_S)


def test_threads_are_shared_out(pool):
    done = pool.submit(tasks.thread_counts).result(timeout=LONG_S)
    assert set(done.value) == {1}


def test_workers_lost_while_idle_are_replaced_and_no_task_notices(pool):
    """pebble's pool ends then, a moment later, also for tasks that were just handed to it."""
    for _ in range(3):
        os.kill(pool.submit(tasks.double, 1).result(timeout=LONG_S).worker, signal.SIGKILL)
        done = [pool.submit(tasks.double, n) for n in range(20)]
        assert [one.result(timeout=LONG_S).value for one in done] == list(range(0, 40, 2))


def test_a_cancelled_task_ends_and_the_next_is_done(pool, tmp_path):
    running = pool.submit(tasks.hang_after_touching, tmp_path / "begun")
    while not (tmp_path / "begun").exists():
        wait([running], timeout=0.05)
    assert running.cancel()
    with pytest.raises(CancelledError):
        running.result(timeout=LONG_S)
    assert pool.submit(tasks.double, 3).result(timeout=LONG_S).value == 6


def test_one_worker_warms_up_alone_and_the_others_after_it(tmp_path):
    three = PoolSize(workers=3, threads=1)
    with Workers(three, tasks.NoteTimes(tmp_path)) as workers:
        first = workers.submit(tasks.double, 1).result(timeout=LONG_S).worker
        while len(list(tmp_path.glob("*.end"))) < 3:
            time.sleep(0.05)
    begins = sorted((float(file.read_text()), file.stem) for file in tmp_path.glob("*.begin"))
    assert begins[0][1] == str(first)
    end = float((tmp_path / f"{first}.end").read_text())
    assert all(begin >= end for begin, _ in begins[1:])


def test_each_task_reports_why_the_warm_up_failed():
    with Workers(ONE, tasks.Refuse()) as workers:
        for _ in range(2):
            assert str(workers.submit(tasks.double, 1).exception(timeout=LONG_S)) == "no weights here"


def test_workers_that_cannot_start_are_not_tried_for_ever():
    with Workers(ONE, tasks.Die()) as workers, pytest.raises(WorkerDied, match="as soon as they start"):
        workers.submit(tasks.double, 1).result(timeout=LONG_S)


def test_stopping_cancels_running_tasks_and_refuses_more(tmp_path):
    workers = Workers(ONE)
    running = workers.submit(tasks.hang_after_touching, tmp_path / "begun")
    while not (tmp_path / "begun").exists():
        wait([running], timeout=0.05)
    workers.stop()
    workers.stop()
    with pytest.raises(CancelledError):
        running.result(timeout=LONG_S)
    with pytest.raises(WorkerDied, match="stopped"):
        workers.submit(tasks.double, 1).result(timeout=LONG_S)


PARENT = """
import sys, time
from pathlib import Path
import worker_tasks as tasks
from wideopen.workers import PoolSize, Workers
if __name__ == "__main__":
    with Workers(PoolSize(workers=1, threads=1)) as workers:
        print(workers.submit(tasks.double, 1).result().worker, flush=True)
        workers.submit(tasks.hang).result()
"""


def test_workers_end_with_a_killed_parent(tmp_path):
    script = tmp_path / "parent.py"
    script.write_text(PARENT, encoding="utf-8")
    paths = os.pathsep.join([str(Path(__file__).parent), os.environ.get("PYTHONPATH", "")])
    with subprocess.Popen(
        [sys.executable, script],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env={**os.environ, "PYTHONPATH": paths},
    ) as parent:
        assert int(parent.stdout.readline()) != parent.pid
        parent.kill()
        rest, _ = parent.communicate(timeout=LONG_S)  # ends when the worker, which holds the pipe too, is gone
    assert rest == ""


def test_a_pool_fits_cores_and_memory():
    assert pool_size(cores=2, memory_mb=20_000) == PoolSize(workers=2, threads=1)
    assert pool_size(cores=16, memory_mb=8_000, worker_mb=1_600) == PoolSize(workers=4, threads=4)
    assert pool_size(cores=4, memory_mb=100) == PoolSize(workers=1, threads=4)
    assert pool_size(3, cores=2, memory_mb=100) == PoolSize(workers=3, threads=1)
    assert pool_size().workers >= 1
    with pytest.raises(InvalidInput, match="--workers: expected at least 1, found 0"):
        pool_size(0)


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs /proc")
def test_a_process_does_not_count_the_peak_of_the_one_that_started_it():
    ballast = bytearray(b"x" * (300 * 2**20))
    code = "from wideopen.memory import memory_of_this_process as m; print(*m())"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    now, peak = map(float, done.stdout.split())
    assert len(ballast) / 2**20 > peak >= now > 5
