"""The engine for a cluster: Ray Data with a pool of actors that hold the models.

Each actor runs its photos in a worker process of its own. A photo that hangs or kills its worker therefore costs only
that photo, as on one machine, and Ray does not notice. Ray sends each actor two photos at a time and returns outcomes
as they arrive (back-pressure). If a node is lost, the next round repeats its unfinished photos on the actors that the
cluster then has. Ray never restarts an actor: on a cluster that has shrunk, the actor and the photos queued for it
would wait forever. Only paths, settings and reports pass through Ray, never photos.
"""

import pickle
import warnings
from collections.abc import Iterator
from itertools import islice
from typing import Any

from wideopen.batch import BatchSettings
from wideopen.batch.local import Outcome, Stop, outcome_of, warm_up_of
from wideopen.batch.work import Task, render_task
from wideopen.checks import require
from wideopen.errors import InvalidInput, require_packages
from wideopen.session.open_photo import Job
from wideopen.workers import PoolSize, Workers
from wideopen.workers.size import usable_cores

_ROUND = 20_000  # photos that are submitted to Ray at a time
_IN_FLIGHT = 2  # per actor: one running, one waiting
_MOST_FRUITLESS = 3  # consecutive rounds without an outcome


class RayEngine:
    """Runs tasks on a Ray cluster, or on this machine as a cluster of one."""

    def __init__(self, job: Job, settings: BatchSettings) -> None:
        """Connect to the cluster at `settings.address`; None starts a local one that uses this machine's cores.

        settings.workers: number of actors, by default as many as the cluster has room for. Raises InvalidInput if Ray
        is not installed, cannot be reached, or has no room for an actor.
        """
        require_packages("--engine ray", "cluster", "ray")
        self._warm_up = warm_up_of(job)
        self._settings = settings
        gpus = {"GPU": settings.gpus_per_worker} if settings.gpus_per_worker else {}
        self._needs = {"CPU": settings.cpus_per_worker, **gpus}
        self._trouble = "photos without an outcome"
        _connect(settings.address)
        self._room()  # refuses a cluster without room

    def outcomes(self, tasks: Iterator[Task | None], stop: Stop) -> Iterator[Outcome | None]:
        """As `BatchEngine.outcomes`. A lost node's photos are repeated; a stop cancels the running ones."""
        left: list[Task] = []
        fruitless = 0
        while not stop.soon.is_set():
            left += [task for task in islice(tasks, _ROUND - len(left)) if task is not None]
            if not left:
                return
            waiting = {task.target: task for task in left}
            for outcome in self._round(left):
                if outcome is not None and waiting.pop(outcome.task.target, None) is not None:
                    yield outcome
                if stop.soon.is_set():
                    break
                yield None
            fruitless = fruitless + 1 if len(waiting) == len(left) else 0
            if fruitless >= _MOST_FRUITLESS:
                raise InvalidInput(f"--engine ray: expected working actors, found none ({self._trouble})")
            left = list(waiting.values())
        for task in left:
            yield Outcome(task=task, interrupted=True)

    def end(self) -> None:
        """Disconnect from the cluster; its actors end."""
        import ray

        ray.shutdown()

    def _room(self) -> int:
        """Return the number of actors that the cluster has room for now. Raises InvalidInput if it has none."""
        import ray

        nodes = [node["Resources"] for node in ray.nodes() if node["Alive"]]
        fit = sum(int(min(node.get(name, 0.0) / need for name, need in self._needs.items())) for node in nodes)
        needed = ", ".join(f"{need:g} {name}" for name, need in self._needs.items())
        require(fit >= 1, f"--engine ray: expected a node with {needed} for a worker, found none among {len(nodes)}")
        return min(fit, self._settings.workers or fit)

    def _round(self, tasks: list[Task]) -> Iterator[Outcome]:
        """Yield the outcomes of one Ray dataset; tasks that were lost with a node have none."""
        import ray
        from ray.exceptions import RayError

        actors = min(self._room(), len(tasks))
        threads, timeout_s = max(1, int(self._needs["CPU"])), self._settings.timeout_s
        rows = [{"task": pickle.dumps(task)} for task in tasks]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Ray warns about the only way to set max_restarts
            dataset = ray.data.from_items(rows, override_num_blocks=len(rows)).map(
                _Actor,
                fn_constructor_args=(threads, pickle.dumps(self._warm_up), timeout_s),
                compute=ray.data.ActorPoolStrategy(size=actors, max_tasks_in_flight_per_actor=_IN_FLIGHT),
                num_cpus=self._needs["CPU"],
                num_gpus=self._needs.get("GPU", 0.0),
                ray_remote_args_fn=lambda: {"max_restarts": 0, "max_task_retries": 0},
            )
        try:
            for row in dataset.iter_rows():
                yield pickle.loads(row["outcome"])  # noqa: S301  from our own actors
        except RayError as error:  # a node was lost; the next round repeats its unfinished tasks
            self._trouble = _first_line(error)


class _Actor:
    """Holds one worker process with the models loaded."""

    def __init__(self, threads: int, warm_up: bytes, timeout_s: float | None) -> None:
        self._workers = Workers(PoolSize(workers=1, threads=threads), pickle.loads(warm_up))  # noqa: S301
        self._timeout_s = timeout_s

    def __call__(self, row: dict[str, Any]) -> dict[str, Any]:
        task: Task = pickle.loads(row["task"])  # noqa: S301
        future = self._workers.submit(render_task, task, timeout_s=self._timeout_s)
        return {"outcome": pickle.dumps(outcome_of(task, future))}


def _connect(address: str | None) -> None:
    """Join or start a cluster without terminal output; Ray's messages go to its own logs."""
    import logging

    import ray

    if not ray.is_initialized():
        how: dict[str, Any] = {"address": address} if address else {"num_cpus": usable_cores()}
        try:
            ray.init(**how, include_dashboard=False, log_to_driver=False, logging_level="error")
        except (ConnectionError, RuntimeError, ValueError) as error:
            raise InvalidInput(f"--address: no Ray cluster at {address} ({_first_line(error)})") from error
    context = ray.data.DataContext.get_current()
    for name in ("ray", "ray.data"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
    context.enable_progress_bars = False
    context.max_errored_blocks = -1  # the next round repeats the photos of a lost actor
    context.print_on_execution_start = False


def _first_line(error: Exception) -> str:
    return next(iter(str(error).splitlines()), "") or type(error).__name__
