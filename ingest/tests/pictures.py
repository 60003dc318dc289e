"""Originals for tests: small, photo-like, and watched."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ingest.console import PRIORITIES
from ingest.files_lane import FilesLane
from ingest.foreground import drain
from ingest.models import ScanSession, StepRun
from ingest.roots import register_folder, scan
from ingest.runner import never
from library.models import Photo, PhotoFile
from library.storage import rendition_path
from vision.imaging.open import load_rgb
from vision.tests.imaging_support import encoded, noise, oriented, quarters

NO_JPEG = b"\xff\xd8\xff\xe0 this is no picture"


def jpeg(seed: int = 0, size: tuple[int, int] = (96, 64)) -> bytes:
    """A small picture; another seed is another picture."""
    return encoded(noise(*size, seed=seed), quality=80)


def turned(orientation: int) -> bytes:
    """96 x 64 pixels when upright."""
    return oriented(quarters(), orientation)


class Album:
    """A folder of originals, scanned and processed through the public doors."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self._clock = 1_600_000_000_000_000_000

    def put(self, name: str, content: bytes | int = 0) -> Path:
        """Write a file with a time of change of its own; a number stands for the picture of that seed."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(jpeg(content) if isinstance(content, int) else content)
        self._clock += 1_000_000_000
        os.utime(path, ns=(self._clock, self._clock))
        return path

    def scan(self, subfolder: str = "", *, priority: str = "normal", **options: Any) -> ScanSession:
        target = register_folder(str(self.folder / subfolder))
        return scan(target, priority=PRIORITIES[priority], **options)

    def read(self) -> None:
        """Run the files lane."""
        FilesLane().run()

    def process(self) -> None:
        """Run both lanes to their end."""
        drain(should_stop=never)

    def take_in(self) -> ScanSession:
        """Scan and process."""
        session = self.scan()
        self.process()
        return session

    def photo(self, name: str) -> Photo:
        """The photo of a file, as the database has it now."""
        return PhotoFile.objects.get(display_path=name).photo

    def names(self, photo: Photo) -> list[str]:
        """The present files of a photo."""
        return sorted(photo.files.present().values_list("display_path", flat=True))

    def prints(self) -> dict[str, tuple[str, int]]:
        """Hash and time of change of every file."""
        return {
            str(path.relative_to(self.folder)): (
                hashlib.sha256(path.read_bytes()).hexdigest(),
                path.stat().st_mtime_ns,
            )
            for path in sorted(self.folder.rglob("*"))
            if path.is_file()
        }


def fail_on(photo: Photo, error: BaseException) -> Callable[[Any], None]:
    """A hook for a fake engine that raises when this photo's picture is among those looked at."""
    own = float(load_rgb(rendition_path(photo.sha256 or "", "preview")).mean())

    def hook(images: Any) -> None:
        if any(abs(float(image.mean()) - own) < 1e-6 for image in images):
            raise error

    return hook


def steps_of(photo: Photo) -> dict[str, str]:
    """Each step of a photo with its status."""
    return dict(StepRun.objects.filter(photo=photo).values_list("step", "status"))


def attempts_of(photo: Photo) -> dict[str, int]:
    """How often each step was run."""
    return dict(StepRun.objects.filter(photo=photo).values_list("step", "attempts"))


def states() -> dict[str, str]:
    """Each file with the state of its photo."""
    return dict(PhotoFile.objects.values_list("display_path", "photo__state"))
