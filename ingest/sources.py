"""The places where the bytes of a photo lie, and which of them speaks for it.

Copies have names and dates of their own, and the photo's may come from those. Which copy is read first is
chance; so the eldest speaks, whichever is read, and also when it is found last.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from django.db.models import QuerySet

from ingest import ledger
from ingest.models import StepRun
from library.models import Photo, PhotoFile, RootViewer
from library.storage import original_path
from vision.imaging.dates import Moment, parse_file_name
from vision.imaging.kinds import burst_key, is_screenshot
from vision.imaging.text import clean_text

#: Programs that keep no time give their files the first moment of 1970 (or, by a zone, hours after it).
_NO_TIME_NS = 86_400 * 10**9


@dataclass(frozen=True, slots=True)
class Place:
    """A file of a photo: its row, its absolute path, its time of change and size as they are recorded.

    ``closed``: its root is for some people only.
    """

    file_id: int
    path: bytes
    mtime_ns: int
    size: int
    closed: bool = False

    @property
    def seniority(self) -> tuple[bool, bool, int, bytes]:
        """The place for which this is lowest speaks. What lies in closed roots must not tell on open ones."""
        return self.closed, self.mtime_ns < _NO_TIME_NS, self.mtime_ns, self.path

    @property
    def name(self) -> str:
        """The file's name as text."""
        return clean_text(os.path.basename(self.path))  # noqa: PTH119 - bytes


@dataclass(frozen=True, slots=True)
class Source:
    """A photo to be read, and its places in the order they are tried: the first speaks for it."""

    photo_id: int
    places: Sequence[Place]

    @property
    def beside(self) -> list[bytes]:
        """The paths beside which other programs' notes count: no closed ones if there are open ones."""
        opened = [place.path for place in self.places if not place.closed]
        return opened or [place.path for place in self.places]


def sources(photo_ids: Iterable[int]) -> list[Source]:
    """The photos with the places that are there, in two queries."""
    places: dict[int, list[Place]] = {pk: [] for pk in photo_ids}
    closed = set(RootViewer.objects.values_list("root", flat=True))
    for file in PhotoFile.objects.present().filter(photo__in=places).select_related("root"):
        found = Place(file.pk, original_path(file), file.mtime_ns, file.size, file.root_id in closed)
        places[file.photo_id].append(found)
    return [Source(pk, sorted(found, key=lambda place: place.seniority)) for pk, found in places.items()]


def tell_otherwise(photos: Iterable[Photo], joined: Collection[int]) -> set[int]:
    """Those of the photos for which one of these files (their ids) speaks now, and says something else."""
    by_id = {photo.pk: photo for photo in photos}
    found: set[int] = set()
    for source in sources(by_id):
        photo, before = by_id[source.photo_id], [one for one in source.places if one.file_id not in joined]
        if (
            before
            and before[0] != source.places[0]
            and _told(before[0], photo) != _told(source.places[0], photo)
        ):
            found.add(photo.pk)
    return found


def _told(place: Place, photo: Photo) -> tuple[Moment | None, str, bool, int]:
    """What a photo may take over from its file."""
    dated_by_file = photo.taken_source == Photo.TakenSource.FILE
    screenshot = is_screenshot(place.name, file_format="", size=(0, 0), exif={}, has_camera=False)
    return (
        parse_file_name(place.name),
        burst_key(place.name),
        screenshot,
        place.mtime_ns if dated_by_file else 0,
    )


def hear_again(photo_ids: Iterable[int]) -> None:
    """Have photos read again because their places say something else; their bytes are believed to be known.

    The entry in the ledger tells this from photos whose bytes may be others: those are pending, too, while
    what is known of their last reading still stands.
    """
    known = Photo.objects.filter(pk__in=photo_ids, sha256__isnull=False)
    runs = StepRun.objects.filter(photo__in=known, step=StepRun.Step.PREPROCESSING)
    runs.exclude(photo__state__in=Photo.FILES_LANE_STATES).update(status=StepRun.Status.PENDING)
    ledger.read_again(known.exclude(state__in=Photo.FILES_LANE_STATES))


def waits_to_be_heard(photo_id: int) -> bool:
    """Whether a pending photo is so because of its places alone."""
    return _to_be_heard(photo_id).exists()


def distrust_bytes(photo_id: int) -> None:
    """A file of the photo holds other bytes now: it waits for more than names and notes."""
    _to_be_heard(photo_id).update(status=StepRun.Status.DONE)


def _to_be_heard(photo_id: int) -> QuerySet[StepRun]:
    step, status = StepRun.Step.PREPROCESSING, StepRun.Status.PENDING
    return StepRun.objects.filter(photo=photo_id, step=step, status=status)
