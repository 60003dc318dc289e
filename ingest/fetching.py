"""Fetching the light profile in the background while ``quickstart`` already works on the photos."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from pathlib import Path

from django.conf import settings

from ingest import ledger
from ingest.pipeline import todays_engines
from ingest.tasks import wake
from library.engines import engine_config, registry
from vision.config import EngineConfig
from vision.errors import EngineUnavailable
from vision.weights import Model, WeightFile, select, state
from vision.weights_download import Downloader, DownloadFailed
from vision.weights_reach import sources_answer

#: A network that is there answers well within this; without one, this is how long the word about it takes.
ANSWER_SECONDS = 1.5
RETRY_SECONDS = 900.0


class _Stopped(Exception):  # noqa: N818
    """Told to stop; what has come stays for the next start."""


def wanted_models() -> list[Model]:
    """What of the light profile is not there and would be used with today's settings."""
    config = engine_config()
    cache = Path(settings.MODEL_CACHE_DIR)
    return [
        model for model in select("light") if _would_be_used(model, config) and not _is_ready(model, cache)
    ]


def _would_be_used(model: Model, config: EngineConfig) -> bool:
    if model.engine == "clip":
        return config.embedder == "onnx_clip" and registry().engine_id("embedder") is None
    if model.engine == "yunet_sface":
        chosen = config.face_engine in ("auto", "yunet_sface") and config.face_model_dir is None
        return chosen and not (registry().engine_id("faces") or "").startswith("insightface")
    return True


def _is_ready(model: Model, cache: Path) -> bool:
    try:
        return state(model, cache) == "ready"
    except EngineUnavailable:
        return False


class BackgroundFetch:
    """Fetches models in a thread of its own; everything it has to say comes out of ``look``.

    The thread touches no database. Without a network one line says so, and it is tried again now and then.
    """

    def __init__(self, say: Callable[[str], object], *, retry_seconds: float = RETRY_SECONDS) -> None:
        self._say = say
        self._retry_seconds = retry_seconds
        self._news: queue.SimpleQueue[str | Model] = queue.SimpleQueue()
        self._stop = threading.Event()
        self._words = ""
        self._told: set[str] = set()
        self._thread: threading.Thread | None = None

    def start(self, models: list[Model]) -> None:
        """Say what is to come, with sizes and licences, and begin."""
        if not models:
            return
        self._say("Models are fetched in the background (DOWNLOAD_MODELS=0 turns it off):")
        for model in models:
            self._say(f"  {model.title}. {model.size_in_words}. {model.licence_in_words}.")
        self._words = "fetching models"
        self._thread = threading.Thread(target=self._run, args=(models,), name="weights", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End soon; a thread that waits for the network ends with the process."""
        self._stop.set()

    @property
    def words(self) -> str:
        """What is being fetched and how far it is; empty when nothing is."""
        return self._words

    def look(self) -> None:
        """Tell the news; photos are looked at with a model as soon as it has come."""
        while not self._news.empty():
            news = self._news.get()
            if isinstance(news, str):
                self._say(news)
            else:
                self._say(f"{news.title}: it is here, and is used from now on.")
                ledger.reopen_stale(todays_engines())
                wake("models")

    def _run(self, models: list[Model]) -> None:
        """Until everything is there, or told to stop; what does not come is asked for again now and then."""
        told = False
        try:
            while models and not self._stop.is_set():
                if sources_answer(models, settings.MODEL_MIRRORS, seconds=ANSWER_SECONDS):
                    models = self._fetch(models)
                elif not told:
                    self._news.put(
                        "No network for fetching models: what needs them waits, everything else goes on. "
                        "`manage.py download_models` tells how to bring them."
                    )
                    told = True
                self._words = ""
                if models:
                    self._stop.wait(self._retry_seconds)
        finally:
            self._words = ""

    def _fetch(self, models: list[Model]) -> list[Model]:
        """Fetch these; returns those that did not come, each told about once a reason."""
        downloader = Downloader(
            Path(settings.MODEL_CACHE_DIR), settings.MODEL_MIRRORS, progress=self._show, sleep=self._sleep
        )
        left = []
        for model in models:
            try:
                downloader.get(model)
            except _Stopped:
                return []
            except (DownloadFailed, EngineUnavailable) as error:
                left.append(model)
                if str(error) not in self._told:
                    self._told.add(str(error))
                    self._news.put(f"{error}\n`{model.command}` goes on there.")
            else:
                self._news.put(model)
        return left

    def _show(self, file: WeightFile, done: int, total: int | None) -> None:
        if self._stop.is_set():
            raise _Stopped
        share = f", {done / total:.0%}" if total else ""
        self._words = f"fetching {file.path}{share}"

    def _sleep(self, seconds: float) -> None:
        if self._stop.wait(seconds):
            raise _Stopped
