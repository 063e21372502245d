"""Worker processes that load the models once and render photo after photo; batch, service and studio share them.

`size`: how many fit this machine; `pool`: runs tasks in them, after the models and kernels are loaded;
`store`: folders that expire when unused. Processes are spawned, never forked: OpenMP does not survive a fork.
"""

from wideopen.workers.pool import Finished, TaskFuture, WarmUp, Workers
from wideopen.workers.size import PoolSize, pool_size
from wideopen.workers.store import ExpiringStore, FolderSteps, StoreEntry, WorkCancelled, ask_to_stop, current_step

__all__ = [
    "ExpiringStore", "Finished", "FolderSteps", "PoolSize", "StoreEntry", "TaskFuture", "WarmUp", "WorkCancelled",
    "Workers", "ask_to_stop", "current_step", "pool_size",
]  # fmt: skip
