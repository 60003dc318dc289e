"""Run both lanes in this process, for scripts and for ``--no-serve``: the whole library, then an end."""

from __future__ import annotations

from collections.abc import Callable

from ingest.files_lane import FilesLane, file_threads
from ingest.queues import anything_waits
from ingest.runner import ModelsLane
from library.models import Photo


def drain(*, should_stop: Callable[[], bool], on_progress: Callable[[], object] = bool) -> None:
    """Work until nothing is left: first the files, so that everything is visible, then the models.

    ``on_progress`` is called whenever something was entered in the books.
    """
    check_stale = True
    while not should_stop():
        FilesLane(threads=file_threads(), should_stop=should_stop, on_progress=on_progress).run()
        models = ModelsLane(should_stop=should_stop, on_progress=on_progress, check_stale=check_stale)
        done = models.run()
        check_stale = False
        if not done and not anything_waits((*Photo.FILES_LANE_STATES, *Photo.MODELS_LANE_STATES)):
            return
