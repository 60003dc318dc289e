"""The video inside a motion photo and beside a live photo."""

from __future__ import annotations

import os
import struct
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from vision.imaging.metadata import read_metadata
from vision.imaging.motion import (
    Movie,
    Part,
    belongs,
    burst_identifier,
    embedded_video,
    live_identifier,
    read_movie,
)
from vision.tests.imaging_support import ASSETS, encoded, noise, quarters

SHOT = "9A6F1F60-1B7C-4C3D-8F0E-0123456789AB"
MADE = datetime(2019, 7, 4, 12, 34, 56, tzinfo=UTC)


def box(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I4s", 8 + len(body), kind) + body


def movie(identifier: str = "", made: datetime | None = MADE, seconds: float = 3) -> bytes:
    """The head of a QuickTime file with a little pretended content."""
    clock = int(made.timestamp()) + 2_082_844_800 if made else 0
    head = box(b"mvhd", struct.pack(">4sIIII", b"", clock, clock, 600, int(seconds * 600)) + bytes(80))
    if identifier:
        key = b"com.apple.quicktime.content.identifier"
        keys = box(b"keys", struct.pack(">II", 0, 1) + struct.pack(">I4s", 8 + len(key), b"mdta") + key)
        data = box(b"data", struct.pack(">II", 1, 0) + identifier.encode())
        head += box(b"meta", keys + box(b"ilst", box(b"\0\0\0\1", data)))
    return box(b"ftyp", b"qt  \0\0\0\0qt  ") + box(b"mdat", bytes(200)) + box(b"moov", head)


def xmp(body: str) -> bytes:
    return (
        '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
        '<rdf:Description xmlns:GCamera="http://ns.google.com/photos/1.0/camera/" '
        'xmlns:Container="http://ns.google.com/photos/1.0/container/" '
        f'xmlns:Item="http://ns.google.com/photos/1.0/container/item/" {body}</rdf:Description>'
        "</rdf:RDF></x:xmpmeta>"
    ).encode()


def directory(length: int) -> bytes:
    return xmp(
        'GCamera:MotionPhoto="1"><Container:Directory><rdf:Seq>'
        '<rdf:li rdf:parseType="Resource"><Container:Item Item:Mime="image/jpeg" Item:Semantic="Primary"/>'
        "</rdf:li>"
        '<rdf:li rdf:parseType="Resource"><Container:Item Item:Mime="video/mp4" Item:Semantic="MotionPhoto" '
        f'Item:Length="{length}"/></rdf:li></rdf:Seq></Container:Directory>'
    )


def with_xmp(packet: bytes) -> bytes:
    return encoded(quarters(), xmp=packet)


def motion_photo() -> tuple[bytes, bytes]:
    video = movie()
    return with_xmp(directory(len(video))) + video, video


def apple(live: str = "", burst: str = "", seed: int = 1) -> bytes:
    """A JPEG with Apple's MakerNote."""
    texts = [(tag, text.encode() + b"\0") for tag, text in ((0x0B, burst), (0x11, live)) if text]
    note = b"Apple iOS\0\0\1MM" + struct.pack(">H", len(texts))
    at, values = len(note) + 12 * len(texts) + 4, b""
    for tag, text in texts:
        note += struct.pack(">HHII", tag, 2, len(text), at + len(values))
        values += text
    exif = Image.Exif()
    exif.get_ifd(0x8769)[0x927C] = note + b"\0\0\0\0" + values
    return encoded(noise(96, 64, seed), exif=exif.tobytes())


def found(data: bytes, packet: bytes = b"") -> bytes | None:
    part = embedded_video(data, packet)
    return data[part.offset : part.offset + part.length] if part else None


def test_motion_photos_of_google() -> None:
    data, video = motion_photo()
    part = read_metadata(data).video
    assert part and data[part.offset : part.offset + part.length] == video


def test_micro_videos_of_google() -> None:
    video = movie()
    packet = xmp(f'GCamera:MicroVideo="1" GCamera:MicroVideoOffset="{len(video)}">')
    data = with_xmp(packet) + video
    part = read_metadata(data).video
    assert part and data[part.offset :] == video


def test_motion_photos_of_samsung() -> None:
    video = movie()
    data = encoded(quarters()) + b"MotionPhoto_Data" + video + b"SEFH\x00\x00\x00\x00junkSEFT"
    assert found(data) == video


def test_motion_photos_in_heic() -> None:
    video = movie()
    data = encoded(quarters(), "HEIF") + box(b"mpvd", video)
    assert found(data) == video


@pytest.mark.parametrize(
    ("data", "packet"),
    [
        (encoded(quarters()), b""),
        (encoded(quarters()), directory(100)),
        (encoded(quarters()) + movie(), directory(7)),
        (encoded(quarters()) + movie(), directory(10**9)),
        (encoded(quarters()) + movie(), directory(-5)),
        (encoded(quarters()) + movie(), b"MotionPhoto <broken"),
        (encoded(quarters()) + b"MotionPhoto_Data", b""),
        (b"MotionPhoto_Data" * 9, b""),
    ],
)
def test_what_is_no_video_is_none(data: bytes, packet: bytes) -> None:
    assert embedded_video(data, packet) is None


@given(st.binary(max_size=300))
@settings(max_examples=200, deadline=None)
def test_no_bytes_make_it_raise(data: bytes) -> None:
    embedded_video(b"\0\0\0\x10ftyp" + data)
    embedded_video(data + b"MotionPhoto_Data" + data, b"MotionPhoto" + data)
    live_identifier(b"Apple iOS\0\0\1MM" + data)


def test_identifiers_of_apple() -> None:
    data = apple(SHOT.lower(), "00000000-1111-2222-3333-444444444444")
    assert live_identifier(data) == SHOT
    assert burst_identifier(data) == "00000000-1111-2222-3333-444444444444"
    assert live_identifier(apple()) == live_identifier(b"") == ""


@pytest.mark.parametrize("identifier", ["", SHOT])
def test_the_head_of_a_movie(tmp_path: Path, identifier: str) -> None:
    path = tmp_path / "a.mov"
    path.write_bytes(movie(identifier, seconds=2.5))
    assert read_movie(os.fsencode(path)) == Movie(identifier, MADE, 2.5)


@given(st.binary(max_size=300))
@settings(max_examples=100, deadline=None)
def test_no_file_makes_it_raise(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    path = tmp_path_factory.mktemp("movies") / "a.mov"
    for content in (data, box(b"moov", data), box(b"moov", box(b"mvhd", data))):
        path.write_bytes(content)
        read_movie(os.fsencode(path))


def test_what_is_no_file_is_no_movie(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a.mov")
    assert read_movie(os.fsencode(tmp_path / "a.mov")) is None
    assert read_movie(os.fsencode(tmp_path)) is None
    assert read_movie(os.fsencode(tmp_path / "missing.mov")) is None


OTHER = "00000000-0000-0000-0000-000000000000"


@pytest.mark.parametrize(
    ("clip", "identifier", "apart", "offset_known", "same"),
    [
        (Movie(SHOT, MADE, 3), SHOT, 9000, True, True),
        (Movie(SHOT, MADE, 3), OTHER, 0, True, False),
        (Movie(SHOT, MADE, 30), SHOT, 0, True, False),
        (Movie("", MADE, 3), SHOT, 2, True, True),
        (Movie("", MADE, 3), "", 60, True, False),
        (Movie("", MADE, 3), "", 7200, True, False),
        (Movie("", MADE, 3), "", 7203, False, True),
        (Movie("", MADE, 3), "", 7260, False, False),
        (Movie("", None, 3), "", 0, True, False),
    ],
)
def test_which_video_is_a_photo_s(
    clip: Movie, identifier: str, apart: int, *, offset_known: bool, same: bool
) -> None:
    taken = MADE + timedelta(seconds=apart)
    assert belongs(clip, identifier, taken, offset_known=offset_known) is same


def test_a_stretch_never_leaves_the_file() -> None:
    video = movie()
    data = encoded(quarters()) + b"MotionPhoto_Data" + video
    part = embedded_video(data)
    assert part == Part(len(data) - len(video), len(video))


@pytest.mark.assets
@pytest.mark.skipif(not ASSETS.is_dir(), reason="the real photos of ../shared/assets are not here")
def test_a_real_motion_photo_of_a_samsung() -> None:
    data = next(ASSETS.rglob("samsung-one-ui-6.heic")).read_bytes()
    part = read_metadata(data, extension="heic").video
    assert part and data[part.offset + 4 : part.offset + 8] == b"ftyp"
    assert part.offset + part.length <= len(data)


@pytest.mark.assets
@pytest.mark.skipif(not ASSETS.is_dir(), reason="the real photos of ../shared/assets are not here")
def test_a_real_live_photo() -> None:
    photo = next(ASSETS.rglob("IMG_7943.HEIC"))
    identifier = live_identifier(photo.read_bytes())
    clip = next((path for path in photo.parent.iterdir() if path.suffix.lower() == ".mov"), None)
    assert identifier
    if clip is None:
        pytest.skip("the video of the live photo is not there")
    found = read_movie(os.fsencode(clip))
    assert found and found.identifier == identifier
