"""Photos that move: the video inside a motion photo, and the one beside a live photo.

Inside: Google's MicroVideo (``GCamera:MicroVideoOffset``, bytes from the end), Motion Photo 1.0 (a container
directory whose item with semantic ``MotionPhoto`` has a length; in HEIC the ``mpvd`` box), and Samsung's own
trailer (a marker before the video). Beside: Apple's MOV with the photo's content identifier.
"""

from __future__ import annotations

import mmap
import os
import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final, Protocol
from xml.etree.ElementTree import Element

from vision.imaging.text import finite
from vision.imaging.xmp import parse_tree

_CAMERA: Final = "{http://ns.google.com/photos/1.0/camera/}"
_ITEM: Final = "{http://ns.google.com/photos/1.0/container/item/}"
_SAMSUNG: Final = b"MotionPhoto_Data"
_IDENTIFIER: Final = b"com.apple.quicktime.content.identifier"
_JPEG: Final = b"\xff\xd8"
_JPEG_END: Final = b"\xff\xd9"
#: A JPEG's EXIF data stands before its picture, in a segment of 64 kB at most; other formats have no order.
_HEAD: Final = 1 << 20
_APPLE: Final = b"Apple iOS\x00\x00\x01MM"
_UUID: Final = re.compile(rb"[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}")
#: Seconds since 1904, QuickTime's clock, to 1970.
_EPOCH: Final = 2_082_844_800
_MOST_BOXES: Final = 1000
#: Live photos take three seconds; a longer video beside a photo is a video.
_LONGEST: Final = 10.0


class _Bytes(Protocol):
    """Bytes or a mapped file."""

    def __len__(self) -> int: ...
    def __getitem__(self, part: slice, /) -> bytes: ...
    def find(self, sub: bytes, start: int = ..., end: int = ..., /) -> int: ...


@dataclass(frozen=True, slots=True)
class Part:
    """Where a video lies in a file: first byte and number of bytes."""

    offset: int
    length: int


@dataclass(frozen=True, slots=True)
class Movie:
    """What the head of a QuickTime or MP4 file says."""

    identifier: str = ""
    created: datetime | None = None
    seconds: float | None = None


def embedded_video(data: bytes, xmp: bytes = b"") -> Part | None:
    """The video inside a motion photo; None when there is none. Never raises."""
    for start, length in (*_by_xmp(xmp, len(data)), *_by_box(data), *_by_samsung(data)):
        if 0 < start < len(data) and _is_video(data, start):
            return Part(start, min(length, len(data) - start))
    return None


def _is_video(data: bytes, start: int) -> bool:
    return data[start + 4 : start + 8] == b"ftyp" and len(data) - start > 64


def _by_xmp(xmp: bytes, size: int) -> Iterator[tuple[int, int]]:
    if b"MicroVideo" not in xmp and b"MotionPhoto" not in xmp:
        return
    try:
        root = parse_tree(xmp)
    except ValueError:
        return
    for element in root.iter():
        if _value(element, f"{_ITEM}Semantic") == "MotionPhoto":
            length = int(finite(_value(element, f"{_ITEM}Length")) or 0)
            yield size - length, length
    for element in root.iter():
        back = int(finite(_value(element, f"{_CAMERA}MicroVideoOffset")) or 0)
        if back:
            yield size - back, back


def _value(element: Element, name: str) -> str:
    return element.get(name) or (element.findtext(name) or "").strip()


def _by_box(data: bytes) -> Iterator[tuple[int, int]]:
    """HEIC keeps the video in a box of its own."""
    if data[4:8] == b"ftyp":
        yield from (
            (start, end - start) for kind, start, end in _boxes(data, 0, len(data)) if kind == b"mpvd"
        )


def _by_samsung(data: bytes) -> Iterator[tuple[int, int]]:
    """The marker may stand in pictures by chance; that a video follows is looked at by the caller."""
    if data.startswith(_JPEG) and data.endswith(_JPEG_END):
        return  # nothing follows the picture
    at = data.rfind(_SAMSUNG)
    while at > 0:
        start = at + len(_SAMSUNG)
        yield start, _length_of_boxes(data, start)
        at = data.rfind(_SAMSUNG, 0, at)
        if len(data) - at > 64 << 20:
            return


def _length_of_boxes(data: bytes, start: int) -> int:
    """Up to Samsung's directory, which is no box."""
    end = start
    for kind, _, after in _boxes(data, start, len(data)):
        if not kind.isalnum():
            break
        end = after
    return end - start


def _boxes(data: _Bytes, start: int, end: int) -> Iterator[tuple[bytes, int, int]]:
    """The ISO base media boxes in a stretch: kind, first byte of the content, first byte after."""
    for _ in range(_MOST_BOXES):
        if start + 8 > end:
            return
        size, kind = struct.unpack(">I4s", data[start : start + 8])
        head = 8
        if size == 1 and start + 16 <= end:
            (size,), head = struct.unpack(">Q", data[start + 8 : start + 16]), 16
        elif size == 0:
            size = end - start
        if size < head or start + size > end:
            return
        yield kind, start + head, start + size
        start += size


def read_movie(path: bytes) -> Movie | None:
    """The head of a video file; None when it is none or cannot be read. Its pictures are not touched."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError:
        return None
    try:
        with mmap.mmap(descriptor, 0, access=mmap.ACCESS_READ) as mapped:
            return _movie(mapped)
    except (OSError, ValueError, struct.error):
        return None
    finally:
        os.close(descriptor)


def _movie(data: _Bytes) -> Movie | None:
    found = None
    for kind, start, end in _boxes(data, 0, len(data)):
        if kind == b"moov":
            head = data[start : min(end, start + (4 << 20))]
            found = _movie_head(head)
    return found


def _movie_head(head: bytes) -> Movie:
    created, seconds = None, None
    for kind, start, end in _boxes(head, 0, len(head)):
        if kind == b"mvhd":
            created, seconds = _times(head[start:end])
    identifier = b""
    if _IDENTIFIER in head:
        # The value stands in the item list behind the list of keys, the only one of this form.
        match = _UUID.search(head, head.index(_IDENTIFIER))
        identifier = match[0] if match else b""
    return Movie(identifier.decode().upper(), created, seconds)


def _times(body: bytes) -> tuple[datetime | None, float | None]:
    """When it was made and how long it is (ISO/IEC 14496-12, 8.2.2)."""
    if body[:1] == b"\x01":
        made, _, scale, length = struct.unpack(">QQIQ", body[4:32])
    else:
        made, _, scale, length = struct.unpack(">IIII", body[4:20])
    try:
        created = datetime.fromtimestamp(made - _EPOCH, UTC) if made > _EPOCH else None
    except (ValueError, OverflowError, OSError):
        created = None
    return created, length / scale if scale else None


def live_identifier(data: bytes) -> str:
    """Apple's identifier that photo and video of a live photo share (MakerNote, tag 0x0011)."""
    return _apple_text(data, 0x0011)


def burst_identifier(data: bytes) -> str:
    """Apple's identifier that the photos of a burst share (MakerNote, tag 0x000b)."""
    return _apple_text(data, 0x000B)


def _apple_text(data: bytes, wanted: int) -> str:
    """A text of Apple's block: a big-endian TIFF directory after 14 bytes; offsets count from the block.

    The block is found by its mark, so that it does not matter which container holds the EXIF data.
    """
    block = data.find(_APPLE, 0, _HEAD if data.startswith(_JPEG) else len(data))
    if block < 0:
        return ""
    note = data[block : block + (1 << 16)]
    try:
        (count,) = struct.unpack_from(">H", note, 14)
        for at in range(16, 16 + 12 * min(count, 200), 12):
            tag, kind, length, value = struct.unpack_from(">HHII", note, at)
            if tag == wanted and kind == 2:
                match = _UUID.match(note[value : value + min(length, 64)])
                return match[0].decode().upper() if match else ""
    except struct.error:
        return ""
    return ""


def belongs(movie: Movie, identifier: str, taken: datetime | None, *, offset_known: bool) -> bool:
    """Whether a video of the same name is the photo's: by identifier or, where one has none, by time.

    A camera's clock without an offset may be any quarter of an hour away from the video's, which is in UTC.
    """
    if movie.seconds is not None and movie.seconds > _LONGEST:
        return False
    if movie.identifier and identifier:
        return movie.identifier == identifier
    if movie.created is None or taken is None:
        return False
    apart = movie.created - taken
    if not offset_known and abs(apart) < timedelta(hours=26):
        apart -= timedelta(minutes=15) * round(apart / timedelta(minutes=15))
    return abs(apart) <= timedelta(seconds=5)
