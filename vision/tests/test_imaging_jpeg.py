"""libvips in place of Pillow for large JPEGs: the same pictures, the same refusals."""

from __future__ import annotations

from collections.abc import Callable
from io import BytesIO

import numpy as np
import pytest
from PIL import Image, ImageCms

from vision.errors import ImageRejected
from vision.imaging import open as opening
from vision.imaging.jpeg import shrink_jpeg
from vision.imaging.modes import fit
from vision.imaging.open import Picture, read_picture
from vision.tests.imaging_support import ASSETS, difference, encoded, noise, oriented, quarters

#: How far a sample may be apart, of 255, in the mean: the two filters draw fine leaves and fur differently.
FINE = 5.0
#: The same at 64 pixels, where a shift or another colour would show.
COARSE = 2.0


def by_pillow(monkeypatch: pytest.MonkeyPatch, read: Callable[[], Picture]) -> Picture:
    with monkeypatch.context() as patch:
        patch.setattr(opening, "shrink_jpeg", lambda *_: None)
        return read()


def shrinks(data: bytes, long_edge: int) -> bool:
    with Image.open(BytesIO(data)) as header:
        return shrink_jpeg(data, header, fit(*header.size, long_edge)) is not None


def compare(monkeypatch: pytest.MonkeyPatch, data: bytes, long_edge: int) -> None:
    fast = read_picture(data, long_edge=long_edge)
    slow = by_pillow(monkeypatch, lambda: read_picture(data, long_edge=long_edge))
    assert fast.image.size == slow.image.size
    assert fast.image.mode == "RGB"
    assert fast.image.info == {}
    for name in ("width", "height", "format", "orientation", "frames"):
        assert getattr(fast, name) == getattr(slow, name)
    apart = np.abs(np.asarray(fast.image).astype(int) - np.asarray(slow.image).astype(int))
    assert apart.mean() < FINE
    assert difference(fast.image, slow.image) < COARSE


@pytest.mark.parametrize("size", [(640, 480), (333, 517), (1001, 77), (64, 900)])
@pytest.mark.parametrize("long_edge", [321, 97, 1])
def test_all_sizes_are_as_by_pillow(
    monkeypatch: pytest.MonkeyPatch, size: tuple[int, int], long_edge: int
) -> None:
    compare(monkeypatch, encoded(noise(*size, seed=3), quality=90), long_edge)


@pytest.mark.parametrize(("size", "long_edge"), [((640, 480), 1), ((640, 480), 97), ((333, 517), 300)])
def test_what_comes_out_even_is_read_by_libvips(size: tuple[int, int], long_edge: int) -> None:
    assert shrinks(encoded(noise(*size), quality=90), long_edge)


@pytest.mark.parametrize("options", [{"progressive": True}, {"subsampling": 0}, {"subsampling": 1}])
def test_all_kinds_are_as_by_pillow(monkeypatch: pytest.MonkeyPatch, options: dict[str, object]) -> None:
    data = encoded(noise(640, 480), quality=90, **options)
    assert shrinks(data, 300)
    compare(monkeypatch, data, 300)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_all_orientations_are_as_by_pillow(monkeypatch: pytest.MonkeyPatch, orientation: int) -> None:
    data = oriented(quarters(640, 480), orientation)
    assert shrinks(data, 300)
    compare(monkeypatch, data, 300)


def test_colour_profiles_are_applied(monkeypatch: pytest.MonkeyPatch) -> None:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("XYZ")).tobytes()
    compare(monkeypatch, encoded(noise(640, 480), quality=90, icc_profile=profile), 300)
    compare(monkeypatch, encoded(noise(640, 480), quality=90, icc_profile=b"\0" * 300), 300)


@pytest.mark.assets
@pytest.mark.skipif(not ASSETS.is_dir(), reason="the real photos of ../shared/assets are not here")
def test_real_photos_are_as_by_pillow(monkeypatch: pytest.MonkeyPatch) -> None:
    """Among them colour profiles that are not sRGB, and pictures of phones that hold several."""
    found = [path for path in sorted(ASSETS.rglob("*.jpg")) if path.stat().st_size < 800_000]
    taken = 0
    for path in found[::3]:
        data = path.read_bytes()
        try:
            taken += shrinks(data, 512)
        except OSError:
            continue
        if shrinks(data, 512):
            compare(monkeypatch, data, 512)
    assert taken > 10


@pytest.mark.parametrize("mode", ["L", "CMYK"])
def test_other_modes_are_left_to_pillow(mode: str) -> None:
    assert not shrinks(encoded(noise(640, 480).convert(mode)), 300)


def test_pictures_that_are_small_already_are_left_to_pillow() -> None:
    assert not shrinks(encoded(noise(640, 480)), 640)


def _cut(data: bytes) -> bytes:
    return data[: len(data) // 2]


def _scrambled(data: bytes) -> bytes:
    middle = len(data) // 2
    return data[:middle] + b"\xff\xc4\x00\x03\x99" * 40 + data[middle:]


def _two_sizes(data: bytes) -> bytes:
    """A second frame header before the first, of a picture that would fill the memory."""
    start = data.index(b"\xff\xc0")
    length = int.from_bytes(data[start + 2 : start + 4], "big") + 2
    other = bytearray(data[start : start + length])
    other[5:9] = b"\xff\x00\xff\x00"
    return data[:start] + data[start : start + length] + bytes(other) + data[start + length :]


@pytest.mark.parametrize("spoil", [_cut, _scrambled, _two_sizes])
def test_broken_files_are_refused_or_taken_as_by_pillow(
    monkeypatch: pytest.MonkeyPatch, spoil: Callable[[bytes], bytes]
) -> None:
    data = spoil(encoded(noise(640, 480), quality=90))

    def outcome() -> object:
        try:
            return read_picture(data, long_edge=300).image.tobytes()
        except ImageRejected as error:
            return str(error)

    with monkeypatch.context() as patch:
        patch.setattr(opening, "shrink_jpeg", lambda *_: None)
        expected = outcome()
    assert outcome() == expected


def test_bombs_are_refused_before_anything_is_decoded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(opening, "shrink_jpeg", lambda *_: pytest.fail("decoded"))
    with pytest.raises(ImageRejected, match="MAX_PIXELS"):
        read_picture(encoded(noise(640, 480)), long_edge=300, max_pixels=1000)
