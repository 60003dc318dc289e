"""Photos whose time is wrong together: by the clock of one camera, or because they lie in one folder."""

from __future__ import annotations

from datetime import timedelta

from library.models import Photo, PhotoFile, PhotoQuerySet

#: A page that somebody waits for corrects no more at once.
AT_ONCE = 1000


class TooMany(Exception):  # noqa: N818 - an answer to a person
    """More photos than can be corrected while somebody waits; says what helps."""


def photos_in(photo: Photo, scope: str) -> PhotoQuerySet:
    """The photos that are meant, this one among them.

    ``camera``: all of its camera, told by maker, model and, where it is written down, serial number; ``day``:
    those of that camera on its day; ``folder``: all in the folder of its first file that is there, without
    those below. Otherwise, and where there is no camera, day or file, the photo alone.
    """
    if scope == "camera" and photo.camera_model:
        return _of_camera(photo)
    if scope == "day" and photo.camera_model and photo.taken_local:
        day = photo.taken_local.replace(hour=0, minute=0, second=0, microsecond=0)
        return _of_camera(photo).filter(taken_local__gte=day, taken_local__lt=day + timedelta(days=1))
    file = photo.files.present().order_by("pk").first() if scope == "folder" else None
    if file is None:
        return Photo.objects.filter(pk=photo.pk)
    folder = bytes(file.relative_path).rpartition(b"/")[0]
    beside = PhotoFile.objects.present().filter(root=file.root_id).in_folder(folder, deep=False)
    return Photo.objects.filter(pk__in=beside.values("photo"))


def _of_camera(photo: Photo) -> PhotoQuerySet:
    same = Photo.objects.filter(camera_make=photo.camera_make, camera_model=photo.camera_model)
    serial = photo.exif.get("BodySerialNumber")
    return (
        same.filter(exif__BodySerialNumber=serial)
        if serial
        else same.exclude(exif__has_key="BodySerialNumber")
    )


def ids_in(photo: Photo, scope: str) -> list[int]:
    """Their keys. Raises TooMany."""
    ids = list(photos_in(photo, scope).order_by("pk").values_list("pk", flat=True)[: AT_ONCE + 1])
    if len(ids) > AT_ONCE:
        raise TooMany(
            f"These are more than {AT_ONCE:,} photos: choose fewer here, or correct them in the admin."
        )
    return ids
