"""A folder of small pictures, fake engines behind the ports, and the way from one to the other."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from ingest import tasks
from ingest.tests.engines import Engines
from ingest.tests.pictures import Album
from library import engines as library_engines
from library.tests.conftest import member, member_client, owner, owner_client  # noqa: F401 - fixtures
from vision.tests.small_models import build_clip_folder


@pytest.fixture(autouse=True)
def _own_folders(tmp_path: Path, settings: Any) -> None:
    """Renditions of one test are not those of another, and no installed model is found by chance."""
    settings.DATA_DIR = tmp_path / "data"
    settings.THUMBNAIL_DIR = tmp_path / "data" / "renditions"
    settings.MODEL_CACHE_DIR = tmp_path / "data" / "models"
    settings.PHOTOS_DIR = ()
    settings.CLIP_ONNX_DIR = None
    settings.FILES_WORKERS = 1
    settings.PREVIEW_SIZE = 512
    settings.SETTLE_SECONDS = 0
    tasks._last_stale_check = 0.0


@pytest.fixture
def album(tmp_path: Path) -> Album:
    """A folder of originals."""
    return Album(tmp_path / "photos")


@pytest.fixture
def engines(monkeypatch: pytest.MonkeyPatch) -> Engines:
    """Fakes behind all the ports, in place of the engines of this process."""
    fakes = Engines()
    monkeypatch.setattr(library_engines, "_registry", lambda config: fakes)
    return fakes


@pytest.fixture(scope="session")
def clip_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny CLIP in the layout of the public exports."""
    return build_clip_folder(tmp_path_factory.mktemp("clip") / "tiny")


@pytest.fixture
def real_registry() -> Iterator[Callable[[], Any]]:
    """The real engines, forgotten afterwards."""
    yield library_engines.registry
    library_engines._registry.cache_clear()
