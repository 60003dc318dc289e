from __future__ import annotations

import struct
import warnings
import zlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageCms

from vision.errors import ImageRejected
from vision.imaging.formats import extension_of, kind_of
from vision.imaging.open import load_rgb, read_picture
from vision.tests.imaging_support import ASSETS, assets, difference, encoded, noise, oriented, quarters


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF", "AVIF"])
def test_every_orientation_comes_out_upright(kind: str, orientation: int) -> None:
    upright = quarters()
    picture = read_picture(oriented(upright, orientation, kind))
    assert (picture.width, picture.height) == picture.image.size == upright.size
    assert difference(picture.image, upright) < 8


@pytest.mark.parametrize("orientation", range(1, 9))
def test_heic_is_not_turned_twice(orientation: int) -> None:
    """The encoder writes the turn into the container and leaves a tag of 1, as telephones do."""
    upright = quarters()
    picture = read_picture(oriented(upright, orientation, "HEIF"))
    assert picture.format == "HEIC"
    assert (picture.width, picture.height) == picture.image.size == upright.size
    assert difference(picture.image, upright) < 8


def test_reduced_decoding_keeps_the_true_size() -> None:
    data = encoded(noise(2600, 1300), quality=80)
    picture = read_picture(data, long_edge=300)
    assert (picture.width, picture.height) == (2600, 1300)
    assert picture.image.size == (300, 150)


def test_small_pictures_are_never_enlarged() -> None:
    assert read_picture(encoded(quarters(10, 6), "PNG")).image.size == (10, 6)


def test_a_hair_of_a_picture_keeps_one_pixel() -> None:
    assert read_picture(encoded(Image.new("RGB", (5000, 1)), "PNG"), long_edge=100).image.size == (100, 1)


@pytest.mark.parametrize(
    ("image", "expected"),
    [
        (Image.new("P", (8, 8)), (0, 0, 0)),
        (Image.new("1", (8, 8), 1), (255, 255, 255)),
        (Image.new("L", (8, 8), 100), (100, 100, 100)),
        (Image.new("LA", (8, 8), (0, 0)), (255, 255, 255)),
        (Image.new("RGBA", (8, 8), (255, 0, 0, 0)), (255, 255, 255)),
        (Image.new("RGBA", (8, 8), (0, 0, 0, 128)), (127, 127, 127)),
        (Image.fromarray(np.full((8, 8), 32896, dtype=np.uint16)), (128, 128, 128)),
    ],
    ids=["palette", "bilevel", "grey", "grey transparent", "transparent", "half", "16 bit"],
)
def test_png_modes(image: Image.Image, expected: tuple[int, int, int]) -> None:
    assert read_picture(encoded(image, "PNG")).image.getpixel((3, 3)) == expected


@pytest.mark.parametrize(
    ("image", "expected"),
    [
        (Image.new("CMYK", (8, 8), (0, 255, 255, 0)), (255, 0, 0)),
        (Image.new("LAB", (8, 8), (255, 128, 128)), (255, 255, 255)),
        (Image.new("F", (8, 8), 0.5), (128, 128, 128)),
        (Image.new("I", (8, 8), 65535), (255, 255, 255)),
        (Image.new("YCbCr", (8, 8), (255, 128, 128)), (255, 255, 255)),
    ],
    ids=["cmyk", "lab", "float", "32 bit", "ycbcr"],
)
def test_tiff_modes(image: Image.Image, expected: tuple[int, int, int]) -> None:
    pixel = read_picture(encoded(image, "TIFF")).image.getpixel((3, 3))
    assert np.abs(np.subtract(pixel, expected)).max() <= 3


def test_transparent_palette_colour_is_white() -> None:
    image = Image.new("P", (8, 8), 1)
    image.putpalette([255, 0, 0, 0, 0, 255])
    assert read_picture(encoded(image, "PNG", transparency=1)).image.getpixel((0, 0)) == (255, 255, 255)


def test_animation_shows_its_first_frame() -> None:
    frames = [Image.new("RGB", (20, 10), colour) for colour in ("red", "blue", "lime")]
    data = encoded(frames[0], "GIF", save_all=True, append_images=frames[1:])
    picture = read_picture(data)
    assert (picture.format, picture.frames) == ("GIF", 3)
    assert picture.image.getpixel((5, 5)) == (255, 0, 0)


def test_cmyk_jpeg() -> None:
    assert read_picture(encoded(Image.new("CMYK", (16, 16), (0, 0, 0, 255)))).image.getpixel((3, 3)) == (
        0,
        0,
        0,
    )


def test_colour_profile_is_applied_and_a_broken_one_ignored() -> None:
    grey = Image.new("L", (16, 16), 128)
    linear = ImageCms.ImageCmsProfile(ImageCms.createProfile("XYZ")).tobytes()
    plain = read_picture(encoded(grey, "PNG")).image.getpixel((0, 0))
    for profile in (linear, b"nonsense" * 40, linear[:200], b""):
        assert read_picture(encoded(grey, "PNG", icc_profile=profile)).image.getpixel((0, 0)) == plain
    lab_profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    assert read_picture(encoded(quarters(), "PNG", icc_profile=lab_profile)).image.getpixel((0, 0)) == (
        220,
        20,
        20,
    )


def test_nothing_of_the_original_stays_in_the_image() -> None:
    data = encoded(quarters(), comment=b"secret", dpi=(300, 300))
    assert read_picture(data).image.info == {}


def test_empty_file() -> None:
    for extension in ("jpg", "dng"):
        with pytest.raises(ImageRejected, match="empty"):
            read_picture(b"", extension=extension)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "GIF", "WEBP", "TIFF", "BMP"])
@pytest.mark.parametrize("share", [0.1, 0.5, 0.95])
def test_truncated_files_are_rejected_with_a_reason(kind: str, share: float) -> None:
    data = encoded(noise(200, 150), kind)
    with pytest.raises(ImageRejected, match=".{8}"):
        read_picture(data[: int(len(data) * share)])


def test_a_cut_png_is_not_shown_half_because_its_exif_was_asked_first() -> None:
    data = encoded(noise(200, 150), "PNG")
    body = data[: data.index(b"IEND") - 200]
    with pytest.raises(ImageRejected):
        read_picture(body)


def bomb_png(width: int, height: int) -> bytes:
    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    pixels = chunk(b"IDAT", zlib.compress(b"\x00" * 1000))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + pixels + chunk(b"IEND", b"")


def test_decompression_bombs_are_refused_by_their_header() -> None:
    with pytest.raises(
        ImageRejected, match=r"50000 x 40000 = 2000000000 pixels.*MAX_PIXELS|exceeds.*MAX_PIXELS"
    ):
        read_picture(bomb_png(50_000, 40_000))
    with pytest.raises(ImageRejected, match=r"20000 x 20000 = 400000000 pixels.*200000000.*MAX_PIXELS"):
        read_picture(bomb_png(20_000, 20_000))


def test_the_pixel_limit_is_the_callers() -> None:
    data = encoded(quarters(), "PNG")
    assert read_picture(data, max_pixels=96 * 64).width == 96
    with pytest.raises(ImageRejected, match="limit of 6143"):
        read_picture(data, max_pixels=96 * 64 - 1)


def test_content_counts_not_the_extension() -> None:
    assert read_picture(encoded(quarters(), "PNG"), extension="jpg").format == "PNG"
    with pytest.raises(ImageRejected, match="not a picture"):
        read_picture(b"%PDF-1.4 something", extension="jpg")


def test_raw_that_is_none() -> None:
    with pytest.raises(ImageRejected, match="LibRaw: "):
        read_picture(b"II*\x00 but nothing else", extension="nef")


def test_warnings_of_decoders_stay_inside_in_threads_too() -> None:
    exif = b"Exif\x00\x00II*\x00\x08\x00\x00\x00\x05\x00\x12\x01"
    data = encoded(quarters())
    broken = data[:2] + b"\xff\xe1" + struct.pack(">H", len(exif) + 2) + exif + data[2:]
    before = list(warnings.filters)
    with ThreadPoolExecutor(4) as pool:
        pictures = list(pool.map(read_picture, [broken] * 40))
    assert {picture.orientation for picture in pictures} == {1}
    assert list(warnings.filters) == before


def test_load_rgb(tmp_path: Path) -> None:
    path = tmp_path / "preview.jpg"
    path.write_bytes(encoded(noise(400, 200)))
    full, small = load_rgb(path), load_rgb(path, 100)
    assert (full.shape, full.dtype, small.shape) == ((200, 400, 3), np.uint8, (50, 100, 3))
    assert full.flags.writeable
    with pytest.raises(FileNotFoundError):
        load_rgb(tmp_path / "absent.jpg")
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(ImageRejected):
        load_rgb(path)


VALID = {
    "jpg": encoded(noise(80, 60)),
    "png": encoded(noise(80, 60), "PNG"),
    "gif": encoded(quarters(), "GIF"),
    "webp": encoded(noise(80, 60), "WEBP"),
    "tif": encoded(noise(80, 60), "TIFF", compression="tiff_lzw"),
    "bmp": encoded(quarters(), "BMP"),
    "avif": encoded(noise(80, 60), "AVIF"),
    "heic": encoded(noise(80, 60), "HEIF"),
}


def decodes_or_is_rejected(data: bytes, extension: str) -> None:
    try:
        picture = read_picture(data, extension=extension, max_pixels=1_000_000)
    except ImageRejected as error:
        assert str(error)
    else:
        assert picture.image.mode == "RGB"


@settings(max_examples=150, deadline=None, derandomize=True)
@given(st.sampled_from(sorted(VALID)), st.data())
def test_any_damage_is_rejected_or_survived(extension: str, data: st.DataObject) -> None:
    content = bytearray(VALID[extension])
    for position in data.draw(st.lists(st.integers(0, len(content) - 1), max_size=6)):
        content[position] = data.draw(st.integers(0, 255))
    decodes_or_is_rejected(bytes(content[: data.draw(st.integers(0, len(content)))]), extension)
    decodes_or_is_rejected(bytes(content), extension)


@settings(max_examples=100, deadline=None, derandomize=True)
@given(
    st.binary(max_size=200), st.sampled_from(["jpg", "dng", "heic", "cr2", ""]), st.sampled_from(["", *VALID])
)
def test_any_bytes_are_rejected_or_survived(tail: bytes, extension: str, head: str) -> None:
    decodes_or_is_rejected((VALID[head][:24] if head else b"") + tail, extension)


class TestRealPhotos:
    pytestmark = assets

    @pytest.mark.parametrize("shape", ["Landscape", "Portrait"])
    def test_all_orientations_look_the_same(self, shape: str) -> None:
        folder = ASSETS / "exif_orientation_mit"
        pictures = [
            read_picture((folder / f"{shape}_{number}.jpg").read_bytes(), long_edge=256)
            for number in range(9)
        ]
        reference = pictures[1]
        assert (reference.width > reference.height) == (shape == "Landscape")
        for picture in pictures:
            assert (picture.width, picture.height) == (reference.width, reference.height)
            # The folder writes its number into each picture: all else is the same.
            assert difference(picture.image, reference.image) < 6

    def test_every_file_decodes_or_says_why_not(self) -> None:
        rejected: dict[str, str] = {}
        for path in sorted(ASSETS.rglob("*")):
            if not path.is_file() or kind_of(path.name) != "photo":
                continue
            try:
                picture = read_picture(path.read_bytes(), extension=extension_of(path.name), long_edge=256)
            except ImageRejected as error:
                rejected[path.name] = str(error)
                continue
            assert picture.image.mode == "RGB"
            assert max(picture.image.size) == min(256, max(picture.width, picture.height))
        assert all(rejected.values())
        assert set(rejected) == {
            "broken.png",
            "broken_data_stream.png",
            "corrupted.heic",
            "corrupted.hif",
            "decompression_bomb.gif",
            "empty.heic",
            "truncated.jpg",
            "truncated_end_chunk.png",
            "truncated_image.png",
            "truncated_jpeg.jpg",
        }

    def test_dng(self) -> None:
        data = (ASSETS / "raw_live_mit" / "test.dng").read_bytes()
        picture = read_picture(data, extension="dng")
        assert (picture.format, picture.width, picture.height) == ("DNG", 382, 510)
        assert picture.image.size == (382, 510)
        with pytest.raises(ImageRejected, match="MAX_PIXELS"):
            read_picture(data, extension="dng", max_pixels=1000)
        for size in (2_000, len(data) // 2):
            decodes_or_is_rejected(data[:size], "dng")

    def test_developing_a_dng(self) -> None:
        from vision.imaging import raw

        data = (ASSETS / "raw_live_mit" / "test.dng").read_bytes()
        with raw.open_raw(data) as negative:
            assert raw.develop(negative, 2048).size == (382, 510)
        with raw.open_raw(data) as negative:
            assert raw.develop(negative, 200).size == (191, 255)
            assert raw.turn_for_preview(negative, (510, 382)) == 8
            assert raw.turn_for_preview(negative, (382, 510)) == 1
            assert not raw.large_enough((160, 120), (382, 510), 2048)
