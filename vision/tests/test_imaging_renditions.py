from __future__ import annotations

from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from vision.imaging.colour import dominant_colours, rgb_to_lab
from vision.imaging.open import read_picture
from vision.imaging.renditions import make_renditions
from vision.imaging.thumbhash import average_colour, decode, thumbhash
from vision.tests.imaging_support import difference, encoded, noise, quarters


def opened(data: bytes) -> Image.Image:
    image = Image.open(BytesIO(data))
    image.load()
    return image


def test_sizes_of_preview_and_thumbnail() -> None:
    renditions = make_renditions(noise(2600, 1300))
    assert opened(renditions.preview).size == renditions.preview_size == (2048, 1024)
    assert opened(renditions.thumbnail).size == renditions.thumbnail_size == (400, 200)
    other = make_renditions(noise(300, 600), preview_long_edge=200, thumbnail_long_edge=50)
    assert (other.preview_size, other.thumbnail_size) == ((100, 200), (25, 50))


def test_small_pictures_stay_as_they_are() -> None:
    renditions = make_renditions(quarters(30, 20))
    assert (renditions.preview_size, renditions.thumbnail_size) == ((30, 20), (30, 20))
    assert difference(opened(renditions.preview), quarters(30, 20)) < 12


def test_renditions_carry_no_metadata() -> None:
    exif = Image.Exif()
    exif[0x010E] = "at home"
    data = encoded(noise(500, 400), exif=exif, comment=b"private", icc_profile=b"x" * 200, xmp=b"<private/>")
    source = opened(data)
    for image in (read_picture(data).image, source):
        renditions = make_renditions(image)
        for rendition in (renditions.preview, renditions.thumbnail):
            assert set(opened(rendition).info) <= {"jfif", "jfif_version", "jfif_unit", "jfif_density", "dpi"}
            assert b"private" not in rendition
            assert b"at home" not in rendition


def test_the_same_pixels_make_the_same_bytes() -> None:
    assert make_renditions(noise(700, 500)) == make_renditions(noise(700, 500))


@pytest.mark.parametrize("size", [(300, 200), (200, 300), (128, 128), (400, 20), (1, 1), (1, 300)])
def test_thumbhash_shows_the_picture_blurred(size: tuple[int, int]) -> None:
    image = quarters(*size)
    value = thumbhash(image)
    blurred = Image.fromarray(decode(value))
    assert 12 <= len(value) <= 32
    assert (blurred.width >= blurred.height) == (size[0] >= size[1])
    if min(size) > 20:
        assert difference(blurred, image) < 45
        # Each quarter keeps its dominant channel.
        corners = [blurred.getpixel((x, y)) for x, y in ((4, 4), (blurred.width - 5, blurred.height - 5))]
        assert np.argmax(corners[0]) == 0
        assert corners[1][2] == min(corners[1])


def test_thumbhash_of_one_colour() -> None:
    value = thumbhash(Image.new("RGB", (90, 60), (200, 100, 50)))
    assert np.abs(np.subtract(average_colour(value), (200, 100, 50))).max() <= 6
    assert np.abs(decode(value).astype(int) - (200, 100, 50)).max() <= 6


def test_thumbhash_header_says_the_shape() -> None:
    """Byte for byte: facts of the published format (5 byte header, aspect in the low bits of byte 3)."""
    landscape, portrait = thumbhash(quarters(300, 150)), thumbhash(quarters(150, 300))
    assert (landscape[4] >> 7, portrait[4] >> 7) == (1, 0)
    assert (landscape[3] & 7, portrait[3] & 7) == (4, 4)
    assert landscape[2] >> 7 == 0


def test_what_is_no_thumbhash() -> None:
    for value in (b"", b"\x00" * 4, b"\x00\x00\x80\x00\x00" + b"\x00" * 20, b"\x00" * 6):
        with pytest.raises(ValueError, match="thumbhash"):
            decode(value)


def test_dominant_colours() -> None:
    colours = dominant_colours(quarters(200, 100))
    assert {colour.rgb for colour in colours} == {(220, 20, 20), (20, 160, 40), (20, 40, 200), (250, 220, 20)}
    assert sum(colour.share for colour in colours) == pytest.approx(1, abs=0.001)
    assert all(colour.share == pytest.approx(0.25, abs=0.02) for colour in colours)


def test_dominant_colours_are_few_ordered_and_distinct() -> None:
    colours = dominant_colours(noise(400, 300, seed=3))
    shares = [colour.share for colour in colours]
    lab = np.array([colour.lab for colour in colours])
    distances = np.linalg.norm(lab[:, None] - lab[None], axis=2)[np.triu_indices(len(lab), 1)]
    assert len(colours) == 5
    assert shares == sorted(shares, reverse=True)
    assert distances.min() > 10
    assert dominant_colours(Image.new("RGB", (9, 9), (1, 2, 3)))[0].rgb == (1, 2, 3)


@pytest.mark.parametrize(
    ("rgb", "lab"),
    [
        ((255, 255, 255), (100, 0, 0)),
        ((0, 0, 0), (0, 0, 0)),
        ((255, 0, 0), (53.24, 80.09, 67.20)),
        ((0, 0, 255), (32.30, 79.19, -107.86)),
    ],
)
def test_lab_of_known_colours(rgb: tuple[int, int, int], lab: tuple[float, float, float]) -> None:
    assert rgb_to_lab(np.array([rgb], dtype=float))[0] == pytest.approx(lab, abs=0.05)
