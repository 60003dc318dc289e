"""A process group that has lost its supervisor ends, also when it hangs.

The kernel sends SIGTERM to the leader when the supervisor is killed (``photos_project.supervisor``), and the
leader ends its own. But a cluster whose worker was killed holding the lock of its queue waits for ever, one
whose leader was killed just before waits for tasks, and nobody is left to lose patience with them. They would
hold their memory until the next start.
"""

from __future__ import annotations

import os
import signal
import threading
import time

EVERY_SECONDS = 1.0


def end_without_parent(patience: float) -> bool:
    """Kill this process's whole group ``patience`` seconds after the parent of any of its processes is gone.

    To be called by the leader of the group before it forks: False, and nothing happens, in any other process.
    Each process has a thread that asks for its parent; a program that is started (exec) has none.
    """
    if os.getpid() != os.getpgrp():
        return False
    forking = os.getppid()

    def note() -> None:
        """Asked in the child, the parent could be dead already, and another one be watched."""
        nonlocal forking
        forking = os.getpid()

    def watch() -> None:
        threading.Thread(target=_wait, args=(forking, patience), name="orphans", daemon=True).start()

    watch()
    os.register_at_fork(before=note, after_in_child=watch)
    return True


def _wait(parent: int, patience: float) -> None:
    while os.getppid() == parent:
        time.sleep(EVERY_SECONDS)
    time.sleep(patience)
    os.killpg(os.getpgrp(), signal.SIGKILL)
