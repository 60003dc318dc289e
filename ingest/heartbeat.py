"""The sign of life of the workers of one cluster: the time of change of a file beside its supervisor.

A file, since a sign that went through the database would stop with it, and workers that wait for the database
are not dead. An idle cluster beats through a task that its broker makes (``ingest.broker``), a busy one
through a thread beside the work; a worker that hangs in the middle of it is left to the time limit of tasks.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

FILE_VARIABLE = "HEIRLOOM_BEAT_FILE"
EVERY_SECONDS = 5.0
#: How long a cluster is given to end. The batch in hand is finished first; docker-compose.yml waits longer.
STOP_SECONDS = 30.0


def is_watched() -> bool:
    """Whether a supervisor waits for signs of life of this process."""
    return bool(os.environ.get(FILE_VARIABLE))


def beat() -> None:
    """Give a sign of life. Nothing happens in a process that no supervisor watches."""
    file = os.environ.get(FILE_VARIABLE)
    if file:
        Path(file).touch()


@contextmanager
def beating() -> Iterator[None]:
    """Give signs of life while the block runs. The thread touches neither the database nor a model."""
    if not is_watched():
        yield
        return
    done = threading.Event()

    def go_on() -> None:
        beat()
        while not done.wait(EVERY_SECONDS):
            beat()

    thread = threading.Thread(target=go_on, name="heartbeat", daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()
