"""What killed workers and failing disks leave in the renditions folder is found and made good."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from ingest import repair, verify
from ingest.leftovers import partial_folder
from ingest.tests.engines import Engines
from ingest.tests.pictures import Album
from library.models import Photo
from library.storage import rendition_path

pytestmark = pytest.mark.django_db


@pytest.fixture
def library(album: Album, engines: Engines) -> Album:
    for number in range(4):
        album.put(f"{number}.jpg", number)
    album.take_in()
    return album


def _partials(settings: Any) -> list[Path]:
    return [
        path for path in Path(settings.THUMBNAIL_DIR).rglob("*") if path.is_file() and path.suffix != ".jpg"
    ]


def test_what_a_killed_worker_was_writing_is_removed_by_the_next(library: Album, settings: Any) -> None:
    """kill -9 between the first byte and the renaming, as a real process does it."""
    script = (
        "import os, signal, pathlib, sys\n"
        "import django; django.setup()\n"
        "from ingest.steps import preprocessing\n"
        "pathlib.Path.replace = lambda *_: os.kill(os.getpid(), signal.SIGKILL)\n"
        "preprocessing._write(pathlib.Path(sys.argv[1]), b'half a picture')\n"
    )
    target = rendition_path("ab" * 32, "preview")
    environment = os.environ | {
        "DJANGO_SETTINGS_MODULE": "photos_project.settings",
        "DATA_DIR": str(settings.DATA_DIR),
        "THUMBNAIL_DIR": str(settings.THUMBNAIL_DIR),
    }
    done = subprocess.run([sys.executable, "-c", script, str(target)], env=environment, check=False)
    assert done.returncode == -signal.SIGKILL
    assert len(_partials(settings)) == 1
    library.process()
    assert _partials(settings) == []


def test_what_a_living_worker_is_writing_is_left_alone(library: Album, settings: Any) -> None:
    own = partial_folder() / "x.tmp"
    own.parent.mkdir(parents=True, exist_ok=True)
    own.write_bytes(b"half")
    library.process()
    assert own.exists()


@pytest.mark.parametrize("kind", ["thumbnail", "preview"])
@pytest.mark.parametrize("keep", [None, 0, 0.5])
def test_lost_and_cut_renditions_are_found_and_repaired(
    library: Album, kind: Any, keep: float | None
) -> None:
    path = rendition_path(library.photo("1.jpg").sha256 or "", kind)
    whole = path.read_bytes()
    if keep is None:
        path.unlink()
    else:
        path.write_bytes(whole[: int(len(whole) * keep)])
    assert [finding.check for finding in verify.verify().faults] == [
        "rendition_missing" if keep is None else "rendition_broken"
    ]
    assert repair.reopen_without_renditions() == 1
    library.process()
    assert verify.verify().findings == []
    assert path.read_bytes() == whole


def test_previews_that_vanish_or_break_during_the_work_are_made_again(album: Album, engines: Engines) -> None:
    for number in range(6):
        album.put(f"{number}.jpg", number)
    album.scan()
    album.read()
    previews = [rendition_path(photo.sha256 or "", "preview") for photo in Photo.objects.order_by("pk")]
    previews[0].unlink()
    os.truncate(previews[1], previews[1].stat().st_size // 2)
    os.truncate(previews[2], 0)
    album.process()
    assert set(Photo.objects.values_list("state", flat=True)) == {"completed"}
    assert verify.verify().findings == []
