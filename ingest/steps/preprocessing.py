"""Preprocessing: read the original once, and make everything of it that needs the original's bytes.

Runs in threads of the files lane, so nothing here touches the database.
"""

from __future__ import annotations

import os
import time
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from django.conf import settings

from ingest.leftovers import partial_folder
from ingest.sources import Place, Source
from library.storage import rendition_path
from vision.errors import ImageRejected, VisionError
from vision.imaging.companions import Companions, companions_of
from vision.imaging.files import Original, OriginalChanged, read_original, write_atomic
from vision.imaging.folders import look_into
from vision.imaging.formats import extension_of
from vision.imaging.gazetteer import PlaceNames
from vision.imaging.kinds import burst_key, is_screenshot
from vision.imaging.metadata import PhotoMetadata, read_metadata
from vision.imaging.motion import Part, belongs, read_movie
from vision.imaging.open import Picture, read_picture
from vision.imaging.regions import NamedPerson
from vision.imaging.renditions import Renditions, make_renditions

#: Raise it when what preprocessing makes changes: every photo is read again then.
VERSION = 2
LIVE_EXTENSIONS = (".MOV", ".mov", ".MP4", ".mp4", ".m4v")


class RenditionsNotWritten(OSError):
    """Our own disk is full or closed to us: no photo's fault, so the lane stops instead of failing them."""


@dataclass(frozen=True, slots=True)
class ReadFile:
    """What reading gave: the bytes with their hash, or the reason why there are none."""

    source: Source
    file_id: int | None = None
    path: bytes = b""
    original: Original | None = None
    error: str = ""
    seconds: float = 0.0
    companions: Companions = field(default_factory=Companions)

    def without_data(self) -> ReadFile:
        """The same for whoever does not need the bytes: a batch of them would fill the memory."""
        return replace(self, original=self.original.without_data()) if self.original else self

    @property
    def sha256(self) -> str | None:
        """Hash of the content, when it was read."""
        return self.original.sha256 if self.original else None

    @property
    def place(self) -> Place | None:
        """Where it was read."""
        return next((place for place in self.source.places if place.file_id == self.file_id), None)

    @property
    def speaker(self) -> Place:
        """The place whose name and date count, whichever was read; its time of change as it is now."""
        speaker = self.source.places[0]
        if speaker.file_id == self.file_id and self.original:
            return replace(speaker, mtime_ns=self.original.mtime_ns)
        return speaker


@dataclass(frozen=True, slots=True)
class Preprocessed:
    """Fields of the photo row, or the decoder's reason; how long it took; what goes into other tables.

    ``people`` are named by other programs; ``video`` is a stretch of the file, ``live_video`` a file beside.
    """

    fields: dict[str, Any]
    error: str
    milliseconds: int
    people: tuple[NamedPerson, ...] = ()
    place_names: PlaceNames = ("", "", "")
    video: Part | None = None
    live_video: bytes | None = None


def engine_id() -> str:
    """Written into the ledger. Other sizes of preview or thumbnail are another engine."""
    return f"preprocessing/{VERSION}@{settings.PREVIEW_SIZE}+{settings.THUMBNAIL_SIZE}"


def read(source: Source) -> ReadFile:
    """Read the first file of the photo that can be read."""
    started = time.perf_counter()
    errors = []
    for place in source.places:
        try:
            original = read_original(place.path, max_bytes=settings.MAX_FILE_SIZE)
        except OSError as error:
            errors.append(f"{_shown(place.path)}: {error.strerror}")
        except (ImageRejected, OriginalChanged) as error:
            errors.append(f"{_shown(place.path)}: {error}")
        else:
            beside = companions_of(source.beside)
            seconds = time.perf_counter() - started
            return ReadFile(source, place.file_id, place.path, original, seconds=seconds, companions=beside)
    reason = "; ".join(errors) or "No file of this photo is there any more."
    return ReadFile(source, error=reason, seconds=time.perf_counter() - started)


def preprocess(found: ReadFile) -> Preprocessed:
    """Decode, write thumbnail and preview, read the metadata."""
    started = time.perf_counter() - found.seconds
    original = found.original
    if original is None:
        return Preprocessed({}, found.error, round(found.seconds * 1000))
    extension = extension_of(found.path)
    try:
        picture = read_picture(
            original.data,
            extension=extension,
            long_edge=settings.PREVIEW_SIZE,
            max_pixels=settings.MAX_PIXELS,
        )
    except VisionError as error:
        return Preprocessed({}, str(error), _milliseconds_since(started))
    renditions = make_renditions(
        picture.image,
        preview_long_edge=settings.PREVIEW_SIZE,
        thumbnail_long_edge=settings.THUMBNAIL_SIZE,
    )
    metadata = _metadata(found, original, (picture.width, picture.height))
    _write(rendition_path(original.sha256, "preview"), renditions.preview)
    _write(rendition_path(original.sha256, "thumbnail"), renditions.thumbnail)
    fields = _fields(picture, renditions, metadata)
    fields["companions"] = sorted(found.companions.digests)
    fields |= _kinds(found.speaker.name, picture, metadata)
    return Preprocessed(
        fields,
        "",
        _milliseconds_since(started),
        people=metadata.people,
        place_names=metadata.place_names,
        video=metadata.video,
        live_video=None if metadata.video else _live_video(found.path, metadata),
    )


def _write(path: Path, data: bytes) -> None:
    try:
        write_atomic(path, data, partial=partial_folder())
    except OSError as error:
        raise RenditionsNotWritten(
            f"{path} cannot be written: {error.strerror}. Is the disk of THUMBNAIL_DIR full, or not writable?"
        ) from error


def _milliseconds_since(started: float) -> int:
    return round((time.perf_counter() - started) * 1000)


def _shown(path: bytes) -> str:
    return path.decode("utf-8", "replace")


def _metadata(found: ReadFile, original: Original, upright: tuple[int, int]) -> PhotoMetadata:
    return read_metadata(
        original.data,
        extension=extension_of(found.path),
        file_name=os.path.basename(found.speaker.path),  # noqa: PTH119 - bytes
        sidecar=found.companions.sidecar,
        file_mtime=found.speaker.mtime_ns / 1e9,
        fallback_timezone=ZoneInfo(settings.TIME_ZONE),
        takeout=found.companions.takeout,
        picasa=found.companions.picasa,
        upright=upright,
    )


def _kinds(name: str, picture: Picture, metadata: PhotoMetadata) -> dict[str, Any]:
    """Whether it is a screenshot, and the burst it belongs to."""
    screenshot = is_screenshot(
        name,
        file_format=picture.format,
        size=(picture.width, picture.height),
        exif={"UserComment": metadata.user_comment},
        has_camera=bool(metadata.camera_model or metadata.camera_make),
    )
    return {"is_screenshot": screenshot, "burst": burst_key(name, metadata.burst_identifier)}


def _live_video(path: bytes, metadata: PhotoMetadata) -> bytes | None:
    """The video of the same name that was taken with the photo, as an absolute path."""
    folder, name = os.path.split(path)
    stem = os.path.splitext(os.fsdecode(name))[0]  # noqa: PTH122 - bytes, which need not be UTF-8
    # Exports in "most compatible" form call the second video so.
    names = [f"{stem}{mark}{extension}" for mark in ("", "_HEVC") for extension in LIVE_EXTENSIONS]
    beside = look_into(folder).find(names)
    movie = read_movie(beside) if beside else None
    if movie is None:
        return None
    known = metadata.offset_minutes is not None
    same = belongs(movie, metadata.live_identifier, metadata.taken_at, offset_known=known)
    return beside if same else None


def _fields(picture: Picture, renditions: Renditions, metadata: PhotoMetadata) -> dict[str, Any]:
    local = metadata.taken_local
    return {
        "width": picture.width,
        "height": picture.height,
        "format": picture.format[:12],
        "taken_at": metadata.taken_at,
        "taken_local": local.replace(tzinfo=UTC) if local else metadata.taken_at,
        "taken_offset_minutes": metadata.offset_minutes,
        "taken_source": metadata.taken_source or "",
        "taken_offset_source": metadata.offset_source or "",
        "latitude": metadata.latitude,
        "longitude": metadata.longitude,
        "altitude": metadata.altitude,
        "camera_make": metadata.camera_make[:100],
        "camera_model": metadata.camera_model[:100],
        "lens": metadata.lens[:200],
        "rating": metadata.rating,
        "title": metadata.title,
        "description": metadata.description,
        "keywords": list(metadata.keywords),
        "exif": dict(metadata.exif),
        "thumbhash": renditions.thumbhash,
        "colours": [asdict(colour) for colour in renditions.colours],
        "error_message": "",
    }
