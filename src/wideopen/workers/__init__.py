"""Worker processes that load the models once and then do photo after photo.

`size` says how many fit this machine, `start` what each does before its first task, `pool` runs tasks in them.
Batch and service share this. Processes are spawned, never forked: OpenMP does not survive a fork.
"""

from wideopen.workers.pool import Finished, Task, Workers
from wideopen.workers.size import PoolSize, pool_size
from wideopen.workers.start import WarmUp

__all__ = ["Finished", "PoolSize", "Task", "WarmUp", "Workers", "pool_size"]
