"""A model folder that is whole or not there: made aside, renamed when it is right."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from vision.errors import VisionError


class ExportRefused(VisionError):  # noqa: N818
    """A model folder was not written: it would be wrong, or something is in its place. Says why."""


@contextmanager
def staged_folder(target: Path) -> Iterator[Path]:
    """An empty folder beside ``target``, which gets that name at the end; after an error nothing is left.

    Raises ExportRefused when there is something at ``target``, or the folder cannot be written.
    """
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise ExportRefused(f"{target} exists already. Name a new folder, or delete that one.")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        work = Path(tempfile.mkdtemp(prefix=f".{target.name}.", suffix=".part", dir=target.parent))
    except OSError as error:
        raise ExportRefused(f"{target} cannot be written: {error}.") from error
    try:
        yield work
        work.chmod(0o755)  # mkdtemp lets in nobody else, but the workers may run as another user
        work.replace(target)
    except OSError as error:
        raise ExportRefused(f"{target} cannot be written: {error}.") from error
    finally:
        shutil.rmtree(work, ignore_errors=True)
