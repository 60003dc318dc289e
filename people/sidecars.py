"""Write who is in the photos as XMP sidecars into a copy of the folders, never beside the originals."""

from __future__ import annotations

import os
import tempfile
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from django.conf import settings

from library.models import Photo, PhotoFile, Root
from library.storage import here, original_path, root_path
from people.boxes import box_of
from people.models import Face, ImportedName
from vision.errors import VisionError
from vision.imaging.files import read_original
from vision.imaging.metadata import orientation_of
from vision.imaging.region_writer import sidecar_of, written_here
from vision.imaging.regions import NamedPerson

PART: Final = 500


class OutputRefused(Exception):  # noqa: N818 - an answer to a person
    """Sidecars are not written there; the text says why."""


@dataclass(slots=True)
class Written:
    """What came of it; ``problems`` name files."""

    written: int = 0
    unchanged: int = 0
    foreign: int = 0
    problems: list[str] = field(default_factory=list)

    def as_data(self) -> dict[str, Any]:
        """All of it, for JSON."""
        return {
            "written": self.written,
            "unchanged": self.unchanged,
            "foreign": self.foreign,
            "problems": self.problems,
        }


def write_sidecars(
    *, output: Path, root: Root, guesses: bool = False, on_progress: Callable[[int], object] = bool
) -> Written:
    """Write ``<path below the root>.xmp`` into ``output`` for every photo of the root with somebody in it.

    Names that only models gave are left out, unless ``guesses``. A sidecar that another program wrote is left
    alone and counted as foreign. ``on_progress`` is told the number of files. Raises OutputRefused for a
    folder inside a root, also through a link.
    """
    _refuse_originals(output)
    result = Written()
    done = 0
    for files in _parts(root):
        people = _people([file.photo_id for file in files], guesses=guesses)
        for file in files:
            if named := people.get(file.photo_id):
                _write(output, file, named, result)
        done += len(files)
        on_progress(done)
    return result


def _parts(root: Root) -> Iterator[list[PhotoFile]]:
    last = 0
    files = PhotoFile.objects.present().filter(root=root).select_related("photo", "root").order_by("pk")
    while part := list(files.filter(pk__gt=last)[:PART]):
        yield part
        last = part[-1].pk


def _people(photo_ids: Sequence[int], *, guesses: bool) -> dict[int, list[NamedPerson]]:
    faces = Face.objects.filter(photo__in=photo_ids, person__isnull=False).select_related("person")
    if not guesses:
        faces = faces.exclude(person_source=Face.Source.MODEL_GUESS)
    people: dict[int, list[NamedPerson]] = defaultdict(list)
    for face in faces.defer("embedding", "landmarks").order_by("x", "pk"):
        if face.person is not None:
            people[face.photo_id].append(NamedPerson(face.person.name, box_of(face), "mwg"))
    alone = ImportedName.objects.filter(photo__in=photo_ids, face__isnull=True, person__removed=False)
    for name in alone.select_related("person__merged_into").order_by("pk"):
        person = name.person.merged_into or name.person
        if person.name not in {one.name for one in people[name.photo_id]}:
            people[name.photo_id].append(NamedPerson(person.name, None, "mwg"))
    return people


def _write(output: Path, file: PhotoFile, people: Sequence[NamedPerson], result: Written) -> None:
    path = output / os.fsdecode(bytes(file.relative_path) + b".xmp")
    try:
        _refuse_originals(path.parent)
        packet = sidecar_of(people, orientation=_orientation(file), upright=_size(file.photo))
        known = path.read_bytes() if path.is_file() and not path.is_symlink() else b""
        if known == packet:
            result.unchanged += 1
        elif path.is_symlink() or (known and not written_here(known)):
            result.foreign += 1
        else:
            path.parent.mkdir(parents=True, exist_ok=True)
            _replace(path, packet)
            result.written += 1
    except (OSError, VisionError, OutputRefused) as error:
        result.problems.append(f"{file.display_path}: {error}")


def _replace(path: Path, packet: bytes) -> None:
    """All of it or nothing."""
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=".heirloom-", suffix=".tmp")
    try:
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(packet)
        Path(name).chmod(0o644)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def _orientation(file: PhotoFile) -> int:
    """How the rows of the original lie; it is opened for reading only."""
    return orientation_of(read_original(original_path(file)).data, Path(file.name).suffix.lstrip("."))


def _size(photo: Photo) -> tuple[int, int]:
    return photo.width or 1, photo.height or 1


def _refuse_originals(folder: Path) -> None:
    """Neither a folder of originals nor anything below one, whichever way it is spelt."""
    real = os.fsencode(os.path.realpath(folder))
    roots = [root_path(root) for root in Root.objects.order_by("pk")]
    for original in (*roots, *(here(os.fsencode(path)) for path in settings.PHOTOS_DIR)):
        inside = os.path.realpath(original)
        if real == inside or real.startswith(inside.rstrip(b"/") + b"/"):
            raise OutputRefused(
                f"{folder} is in the folder of originals {os.fsdecode(original)}. Nothing is ever written "
                "there: make a copy, and name that."
            )
