"""When photos were taken: corrections by people, and offsets borrowed from the camera's other photos."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

from django.conf import settings
from django.db import connection, transaction
from django.utils import timezone

from library.models import AuditEvent, Photo, TimeCorrection
from vision.imaging.dates import Moment, is_plausible

FIELDS: Final = ("taken_at", "taken_local", "taken_offset_minutes", "taken_source", "taken_offset_source")
#: Sources that tell an instant; the others tell what the clock on the wall showed.
_INSTANTS: Final = ("gps", "file", "takeout")
#: How far apart two photos of a camera may be for its clock to be taken as one: within this, people seldom
#: fly and set it.
NEIGHBOUR_HOURS: Final = 12

# Targets are photos of this batch without an offset of their own, and such photos around those of the batch
# that have one. ``taken_local`` holds the clock on the wall as if it were UTC.
_BORROW: Final = """
WITH batch AS (
    SELECT * FROM library_photo WHERE id = ANY(%(ids)s) AND camera_model <> '' AND taken_local IS NOT NULL
), target AS (
    SELECT id FROM batch
    UNION
    SELECT other.id FROM batch JOIN library_photo other
        ON other.camera_make = batch.camera_make AND other.camera_model = batch.camera_model
        AND other.camera_model <> ''
        AND other.taken_local >= batch.taken_local - %(span)s::interval
        AND other.taken_local <= batch.taken_local + %(span)s::interval
    WHERE batch.taken_offset_source NOT IN ('', 'camera')
), borrowed AS (
    SELECT photo.id, near.taken_offset_minutes
    FROM library_photo photo
    JOIN target ON target.id = photo.id
    CROSS JOIN LATERAL (
        SELECT lender.taken_offset_minutes
        FROM library_photo lender
        WHERE lender.camera_make = photo.camera_make AND lender.camera_model = photo.camera_model
            AND lender.camera_model <> ''
            AND lender.taken_local >= photo.taken_local - %(span)s::interval
            AND lender.taken_local <= photo.taken_local + %(span)s::interval
            AND lender.taken_offset_source NOT IN ('', 'camera') AND lender.taken_offset_minutes IS NOT NULL
            AND lender.exif -> 'BodySerialNumber' IS NOT DISTINCT FROM photo.exif -> 'BodySerialNumber'
        ORDER BY abs(extract(epoch FROM lender.taken_local - photo.taken_local)), lender.id
        LIMIT 1
    ) near
    WHERE photo.taken_offset_source IN ('', 'camera') AND photo.taken_source IN ('exif', 'xmp', 'iptc')
)
UPDATE library_photo photo
SET taken_offset_minutes = borrowed.taken_offset_minutes,
    taken_offset_source = 'camera',
    taken_at = photo.taken_local - make_interval(mins => borrowed.taken_offset_minutes)
FROM borrowed
WHERE photo.id = borrowed.id AND photo.taken_offset_minutes IS DISTINCT FROM borrowed.taken_offset_minutes
"""


def borrow_offsets(*, photo_ids: Collection[int]) -> int:
    """Give photos whose offset nobody wrote down that of the nearest photo of the same camera.

    Both these photos and their neighbours are looked at, so the order of reading does not matter. Returns
    how many changed. The caller sees to it that nobody else writes about many photos meanwhile.
    """
    if not photo_ids:
        return 0
    with connection.cursor() as cursor:
        cursor.execute(_BORROW, {"ids": list(photo_ids), "span": f"{NEIGHBOUR_HOURS} hours"})
        return int(cursor.rowcount)


@transaction.atomic
def correct_times(
    *,
    photo_ids: Iterable[int],
    actor_id: int | None,
    taken_local: datetime | None = None,
    shift: timedelta = timedelta(),
    offset_minutes: int | None = None,
) -> int:
    """Correct the clock of photos: set it (``taken_local``, as if it were UTC), move it, set its offset.

    The correction holds over every new reading; ``undo_corrections`` takes it back. Photos without a date are
    only corrected by setting one. Returns how many changed. Raises ValueError for a time before photography
    or to come.
    """
    changed = 0
    for photo in Photo.objects.select_for_update().filter(pk__in=list(photo_ids)).order_by("pk"):
        correction = _correction_of(photo)
        local = taken_local or (photo.taken_local + shift if photo.taken_local and shift else None)
        if local is not None and not is_plausible(Moment(local.replace(tzinfo=None)), timezone.now()):
            raise ValueError(f"Photo {photo.pk} cannot have been taken in {local.year}.")
        if local is None and offset_minutes is None:
            continue
        correction.taken_local = local or correction.taken_local
        if offset_minutes is not None:
            correction.offset_minutes = offset_minutes
        correction.by_id = actor_id
        correction.save()
        before = _values(photo)
        _overlay(photo, correction)
        _audit(photo, "correct_time", actor_id, before)
        changed += 1
    return changed


@transaction.atomic
def undo_corrections(*, photo_ids: Iterable[int], actor_id: int | None) -> int:
    """Go back to what the files said. Returns how many photos had a correction."""
    corrections = TimeCorrection.objects.filter(photo__in=list(photo_ids)).order_by("photo")
    undone = 0
    for correction in corrections.select_for_update().select_related("photo"):
        photo = correction.photo
        before = _values(photo)
        _restore(photo, correction.read)
        photo.save(update_fields=FIELDS)
        _audit(photo, "undo_correct_time", actor_id, before)
        correction.delete()
        undone += 1
    return undone


def reapply_corrections(*, photo_ids: Collection[int]) -> None:
    """After a new reading: remember what the files say now, and put the corrections over it again."""
    for correction in TimeCorrection.objects.filter(photo__in=photo_ids).select_related("photo"):
        correction.read = _values(correction.photo)
        correction.save()
        _overlay(correction.photo, correction)


def _correction_of(photo: Photo) -> TimeCorrection:
    known = TimeCorrection.objects.filter(photo=photo).first()
    return known or TimeCorrection(photo=photo, read=_values(photo))


def _overlay(photo: Photo, correction: TimeCorrection) -> None:
    """The corrected values, worked out from what was read."""
    _restore(photo, correction.read)
    if correction.offset_minutes is not None:
        photo.taken_offset_minutes = correction.offset_minutes
        photo.taken_offset_source = Photo.OffsetSource.PERSON
    ahead = timedelta(minutes=photo.taken_offset_minutes or 0)
    if correction.taken_local is not None:
        photo.taken_local, photo.taken_source = correction.taken_local, Photo.TakenSource.PERSON
    elif photo.taken_source in _INSTANTS and photo.taken_at and correction.offset_minutes is not None:
        photo.taken_local = photo.taken_at + ahead
    if photo.taken_local is not None:
        wall = photo.taken_local.astimezone(UTC)
        if photo.taken_offset_minutes is None:
            photo.taken_at = wall.replace(tzinfo=ZoneInfo(settings.TIME_ZONE)).astimezone(UTC)
        else:
            photo.taken_at = wall - ahead
    photo.save(update_fields=FIELDS)


def _values(photo: Photo) -> dict[str, Any]:
    found = {name: getattr(photo, name) for name in FIELDS}
    return {
        name: value.isoformat() if isinstance(value, datetime) else value for name, value in found.items()
    }


def _restore(photo: Photo, values: dict[str, Any]) -> None:
    for name in FIELDS:
        value = values.get(name)
        if name in ("taken_at", "taken_local") and value:
            value = datetime.fromisoformat(value)
        setattr(photo, name, value)


def _audit(photo: Photo, action: str, actor_id: int | None, before: dict[str, Any]) -> None:
    AuditEvent.objects.create(
        actor_id=actor_id,
        action=action,
        object_type="photo",
        object_id=photo.pk,
        before=before,
        after=_values(photo),
    )
