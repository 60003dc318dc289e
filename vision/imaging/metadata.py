"""What a photo says about itself: EXIF, XMP (inside and beside it), IPTC, its name and its file date.

Bad metadata never fails a photo: a field that cannot be read is left out and named in ``warnings``.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, tzinfo
from typing import Final

from vision.imaging.embedded import Embedded, read_embedded
from vision.imaging.gazetteer import PlaceNames, names_at
from vision.imaging.motion import Part, burst_identifier, embedded_video, live_identifier
from vision.imaging.picasa import PicasaEntry
from vision.imaging.places import Place, place_of
from vision.imaging.regions import NamedPerson, of_picasa, people_in, without_doubles
from vision.imaging.taken import DateSources, OffsetSource, TakenSource, choose_taken
from vision.imaging.takeout import TakeoutNote
from vision.imaging.text import clean_text, finite, json_value
from vision.imaging.xmp import Properties, parse_tree, properties_of
from vision.imaging.zones import zone_at

#: EXIF tags kept as they are, by their standard names.
_KEPT: Final = """
    ExposureTime FNumber ExposureProgram ISOSpeedRatings ExposureBiasValue MaxApertureValue MeteringMode
    LightSource Flash FocalLength FocalLengthIn35mmFilm WhiteBalance DigitalZoomRatio SceneCaptureType
    ExposureMode ColorSpace BrightnessValue SubjectDistance Software Artist Copyright HostComputer LensMake
    LensModel LensSpecification BodySerialNumber ImageUniqueID DateTime DateTimeOriginal DateTimeDigitized
    OffsetTimeOriginal GPSImgDirection GPSSpeed GPSHPositioningError GPSDateStamp GPSTimeStamp
"""
KEPT_TAGS: Final = tuple(_KEPT.split())

#: Keywords as paths, and what stands between their steps: Lightroom, digiKam, Microsoft.
_PATHS: Final = (
    ("lr:hierarchicalSubject", "|"),
    ("digiKam:TagsList", "/"),
    ("MicrosoftPhoto:LastKeywordXMP", "/"),
)

#: What cameras write into every picture when nobody described it.
_NO_DESCRIPTION: Final = frozenset(
    {
        "olympus digital camera",
        "minolta digital camera",
        "konica minolta digital camera",
        "kodak digital still camera",
        "sony dsc",
        "digital camera",
        "default",
        "binary comment",
    }
)
_MAX_WARNINGS: Final = 20


@dataclass(frozen=True, slots=True)
class PhotoMetadata:
    """Fields that are unknown are None or empty.

    ``taken_at`` is aware and in UTC; ``taken_local`` is the clock on the wall (naive); ``offset_minutes`` is
    None when nothing tells it (then ``taken_at`` was reckoned in the fallback time zone). ``exif`` is made of
    text, numbers and lists only. Every string is free of NULs and lone surrogates. ``people`` are those whom
    other programs named. ``video`` is the stretch of the file that is the video of a motion photo; the
    identifiers are Apple's, shared with the video of a live photo and within a burst. ``place_names`` (city,
    region, country) were written by somebody, or else follow from the position.
    """

    taken_at: datetime | None = None
    taken_local: datetime | None = None
    offset_minutes: int | None = None
    taken_source: TakenSource | None = None
    offset_source: OffsetSource | None = None
    latitude: float | None = None
    longitude: float | None = None
    altitude: float | None = None
    place_names: PlaceNames = ("", "", "")
    camera_make: str = ""
    camera_model: str = ""
    lens: str = ""
    orientation: int = 1
    rating: int | None = None
    title: str = ""
    description: str = ""
    keywords: tuple[str, ...] = ()
    people: tuple[NamedPerson, ...] = ()
    video: Part | None = None
    live_identifier: str = ""
    burst_identifier: str = ""
    user_comment: bytes | str = ""
    exif: Mapping[str, object] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()


def sidecar_names(name: bytes) -> list[bytes]:
    """File names, in order of precedence, under which the sidecar of ``photo.jpg`` may lie beside it."""
    stem = os.path.splitext(name)[0]  # noqa: PTH122 - bytes, which need not be UTF-8
    bases = [name] if stem == name else [name, stem]
    return [base + suffix for suffix in (b".xmp", b".XMP") for base in bases]


def read_metadata(
    data: bytes,
    *,
    extension: str = "",
    file_name: str | bytes = "",
    sidecar: bytes | None = None,
    file_mtime: float | None = None,
    fallback_timezone: tzinfo = UTC,
    now: datetime | None = None,
    takeout: TakeoutNote | None = None,
    picasa: PicasaEntry | None = None,
    upright: tuple[int, int] | None = None,
) -> PhotoMetadata:
    """Read all metadata of the bytes of a file; never raises for any bytes.

    ``sidecar`` is the content of its XMP file: what it says outranks what is embedded. ``file_mtime`` is in
    seconds since 1970; ``fallback_timezone`` is where clocks hung whose offset is unknown; ``now`` bounds
    what is plausible. ``takeout`` and ``picasa`` are what Google's and Picasa's files say of it; ``upright``
    is its width and height in pixels as it is seen, for face regions.
    """
    takeout, picasa = takeout or TakeoutNote(), picasa or PicasaEntry()
    embedded = read_embedded(data, extension)
    warnings = list(embedded.warnings)
    frame = _Frame(_orientation(embedded.exif), upright)
    inside, people = _packet(embedded.xmp, "XMP", frame, warnings)
    beside, people_beside = _packet(sidecar or b"", "sidecar", frame, warnings)
    google = {"correction" if takeout.place_corrected else "other": takeout.place}
    place = place_of(embedded.exif, inside, beside, warnings, **google)
    zone = zone_at(place.latitude, place.longitude) if place else None
    dates = DateSources(embedded, inside, beside, os.fsdecode(file_name), file_mtime, takeout.taken, zone)
    taken = choose_taken(dates, fallback=fallback_timezone, now=now or datetime.now(UTC), warnings=warnings)
    words = _Words(embedded, inside, beside, takeout, picasa)
    people = [*people_beside, *people, *of_picasa(picasa.faces)]
    people += [NamedPerson(name, None, "takeout") for name in takeout.people]
    return PhotoMetadata(
        taken_at=taken.at if taken else None,
        taken_local=taken.local if taken else None,
        offset_minutes=taken.offset if taken else None,
        taken_source=taken.source if taken else None,
        offset_source=taken.offset_source if taken else None,
        latitude=place.latitude if place else None,
        longitude=place.longitude if place else None,
        altitude=place.altitude if place else None,
        place_names=_place_names(words.place(), place),
        camera_make=words.first(("tiff:Make",), "Make", limit=100),
        camera_model=words.first(("tiff:Model",), "Model", limit=100),
        lens=words.first(("exifEX:LensModel", "aux:Lens"), "LensModel", limit=200),
        orientation=frame.orientation,
        rating=words.rating(),
        title=words.title(),
        description=words.description(),
        keywords=words.keywords(),
        people=tuple(without_doubles(people)),
        video=embedded_video(data, embedded.xmp),
        live_identifier=live_identifier(data),
        burst_identifier=burst_identifier(data) or _of(inside, ("GCamera:BurstID",)),
        user_comment=_comment(embedded.exif),
        exif=_kept(embedded.exif),
        warnings=tuple(clean_text(warning, 300) for warning in warnings[:_MAX_WARNINGS]),
    )


@dataclass(frozen=True, slots=True)
class _Frame:
    """How the stored rows are turned to be seen, and the size then."""

    orientation: int
    upright: tuple[int, int] | None


def _packet(
    packet: bytes, label: str, frame: _Frame, warnings: list[str]
) -> tuple[Properties, list[NamedPerson]]:
    """Properties and people of an XMP packet."""
    if not packet.strip(b"\x00 \r\n\t"):
        return {}, []
    try:
        root = parse_tree(packet)
        people = people_in(root, orientation=frame.orientation, upright=frame.upright)
        return properties_of(root), people
    except ValueError as error:
        warnings.append(f"{label}: {error}")
    except RecursionError:
        warnings.append(f"{label}: nested too deeply")
    return {}, []


def _place_names(written: PlaceNames, place: Place | None) -> PlaceNames:
    """As somebody wrote them; where they left out the city, as the position has them."""
    if written[0] or place is None:
        return written
    found = names_at(place.latitude, place.longitude)
    return found if any(found) else written


def _comment(exif: Mapping[str, object]) -> bytes | str:
    value = exif.get("UserComment")
    return value if isinstance(value, bytes | str) else ""


def orientation_of(data: bytes, extension: str) -> int:
    """How the stored rows of a file are turned to be seen, as in EXIF (1..8); 1 when nothing says so."""
    return _orientation(read_embedded(data, extension).exif)


def _orientation(exif: Mapping[str, object]) -> int:
    value = exif.get("Orientation")
    return value if isinstance(value, int) and 1 <= value <= 8 else 1


def _kept(exif: Mapping[str, object]) -> dict[str, object]:
    values = {name: json_value(exif.get(name)) for name in KEPT_TAGS}
    return {name: value for name, value in values.items() if value is not None}


@dataclass(frozen=True, slots=True)
class _Words:
    """Text of a photo, from the sidecar first, then from Google Photos and Picasa, then from the picture."""

    embedded: Embedded
    inside: Properties
    beside: Properties
    takeout: TakeoutNote
    picasa: PicasaEntry

    def first(self, xmp_names: Iterable[str], tag: str, *, limit: int) -> str:
        """EXIF before embedded XMP: for facts about the camera."""
        names = tuple(xmp_names)
        texts = (_of(self.beside, names), clean_text(self.embedded.exif.get(tag)), _of(self.inside, names))
        return next((text[:limit].strip() for text in texts if text), "")

    def title(self) -> str:
        """XMP, IPTC object name, Windows' XPTitle."""
        return (
            _of(self.beside, ("dc:title",))
            or _of(self.inside, ("dc:title",))
            or self._iptc((2, 5))
            or self._windows("XPTitle")
        )

    def description(self) -> str:
        """XMP, IPTC caption, EXIF, without what cameras fill in by themselves."""
        texts = (
            _of(self.beside, ("dc:description",)),
            self.takeout.description,
            self.picasa.caption,
            _of(self.inside, ("dc:description",)),
            self._iptc((2, 120)),
            clean_text(self.embedded.exif.get("ImageDescription")),
        )
        return next((text for text in texts if text and text.lower() not in _NO_DESCRIPTION), "")

    def keywords(self) -> tuple[str, ...]:
        """All of them, each once whatever its case, in order of appearance."""
        found = [
            *self.beside.get("dc:subject", ()),
            *self.inside.get("dc:subject", ()),
            *_steps(self.beside),
            *_steps(self.inside),
            *self.picasa.keywords,
            *(["favourite"] if self.takeout.favourite or self.picasa.starred else []),
            *(clean_text(word, 200) for word in self.embedded.iptc.get((2, 25), [])),
            *self._windows("XPKeywords").split(";"),
        ]
        unique: dict[str, str] = {}
        for word in (word.strip() for word in found):
            unique.setdefault(word.casefold(), word)
        unique.pop("", None)
        return tuple(unique.values())

    def place(self) -> PlaceNames:
        """City, region and country where the photo was taken."""
        return (
            self._place("photoshop:City", (2, 90)),
            self._place("photoshop:State", (2, 95)),
            self._place("photoshop:Country", (2, 101)),
        )

    def _place(self, name: str, key: tuple[int, int]) -> str:
        return (_of(self.beside, (name,)) or _of(self.inside, (name,)) or self._iptc(key))[:200]

    def rating(self) -> int | None:
        """0 to 5 stars; -1 (rejected, in XMP) counts 0."""
        for value in (
            _of(self.beside, ("xmp:Rating",)),
            _of(self.inside, ("xmp:Rating",)),
            self.embedded.exif.get("Rating"),
        ):
            stars = finite(value)
            if stars is not None and -1 <= stars <= 5:
                return max(0, round(stars))
        return None

    def _iptc(self, key: tuple[int, int]) -> str:
        values = self.embedded.iptc.get(key)
        return clean_text(values[0]) if values else ""

    def _windows(self, tag: str) -> str:
        """Windows Explorer writes UTF-16 into tags of its own."""
        value = self.embedded.exif.get(tag)
        return clean_text(value.decode("utf-16-le", "ignore")) if isinstance(value, bytes) else ""


def _of(properties: Properties, names: Iterable[str]) -> str:
    return next((properties[name][0] for name in names if properties.get(name)), "")


def _steps(properties: Properties) -> list[str]:
    """Every step of the hierarchical keywords: who files under *Places|Italy|Rome* looks for any of them."""
    paths = [path.split(mark) for name, mark in _PATHS for path in properties.get(name, ())]
    return [step.strip()[:200] for path in paths if not path[0].startswith("_Digikam_") for step in path]
