"""Worker processes that load the models once and render photo after photo; batch, service and studio share them.

`size`: how many fit this machine; `warm_up`: what each loads before its first task; `pool` runs tasks in them;
`store`: folders that expire when unused. Processes are spawned, never forked: OpenMP does not survive a fork.
"""

from wideopen.workers.pool import Finished, TaskFuture, Workers
from wideopen.workers.size import PoolSize, pool_size
from wideopen.workers.store import ExpiringStore, FolderSteps, StoreEntry, WorkCancelled, ask_to_stop, current_step
from wideopen.workers.warm_up import WarmUp

__all__ = [
    "ExpiringStore", "Finished", "FolderSteps", "PoolSize", "StoreEntry", "TaskFuture", "WarmUp", "WorkCancelled",
    "Workers", "ask_to_stop", "current_step", "pool_size",
]  # fmt: skip
