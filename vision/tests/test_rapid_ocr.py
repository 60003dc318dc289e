"""OCR: drawn text, real signs and pages, no text, odd shapes, reading order, silence and no network."""

from __future__ import annotations

import importlib.util
import socket
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont

from vision.config import EngineConfig
from vision.errors import EngineFailed, EngineUnavailable
from vision.ports import TextReader
from vision.readers import rapid_models
from vision.readers.page import working_copy
from vision.readers.rapid_ocr import RapidOcrReader
from vision.readers.reading_order import in_reading_order
from vision.readers.script import language_of_script
from vision.results import Box, TextBlock
from vision.tests.assets import need_assets, photo


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory) -> RapidOcrReader:
    return RapidOcrReader(
        EngineConfig(model_cache_dir=tmp_path_factory.mktemp("cache"), device="cpu", threads=1)
    )


@pytest.fixture(autouse=True)
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("the reader went to the network")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)


def drawn(lines: dict[tuple[int, int], str], size: tuple[int, int] = (640, 240)) -> np.ndarray:
    picture = Image.new("RGB", size, "white")
    pen = ImageDraw.Draw(picture)
    for place, text in lines.items():
        pen.text(place, text, fill="black", font=ImageFont.load_default(size=40))
    return np.asarray(picture)


def test_drawn_text_is_read_with_its_place(reader: RapidOcrReader) -> None:
    (page,) = reader.read([drawn({(40, 30): "Garden party", (40, 150): "Bring 3 cakes"})])
    assert page.text.splitlines() == ["Garden party", "Bring 3 cakes"]
    first, second = (block.box for block in page.blocks)
    assert first.x == pytest.approx(40 / 640, abs=0.03)
    assert first.y == pytest.approx(40 / 240, abs=0.06)
    assert second.y > first.y + first.height
    assert all(0.5 <= block.confidence <= 1 for block in page.blocks)


def test_upside_down_lines_are_turned(reader: RapidOcrReader) -> None:
    upside_down = np.ascontiguousarray(drawn({(40, 80): "Summer holidays"})[::-1, ::-1])
    (page,) = reader.read([upside_down])
    assert page.text == "Summer holidays"


@pytest.mark.parametrize("turn", [1, 2, 3])
def test_turned_pages_are_read_in_order(reader: RapidOcrReader, turn: int) -> None:
    lines = {(40, 30): "Garden party at noon", (40, 110): "Bring three cakes", (40, 190): "and the children"}
    upright = drawn(lines, (640, 280))
    (page,) = reader.read([np.ascontiguousarray(np.rot90(upright, turn))])
    assert page.text.splitlines() == list(lines.values())
    first = page.blocks[0].box
    x, y = {1: (0.2, 0.6), 2: (0.62, 0.8), 3: (0.8, 0.37)}[turn]  # its middle
    assert first.x + first.width / 2 == pytest.approx(x, abs=0.1)
    assert first.y + first.height / 2 == pytest.approx(y, abs=0.12)


def test_colour_order_is_opencvs(reader: RapidOcrReader) -> None:
    copy = working_copy(np.full((1000, 1000, 3), (10, 20, 30), dtype=np.uint8))
    assert copy[0, 0].tolist() == [30, 20, 10]
    assert copy.flags["C_CONTIGUOUS"]


@pytest.mark.parametrize("shape", [(1, 1), (4, 900), (900, 4), (9, 3000), (3000, 9), (64, 64), (300, 400)])
def test_no_text_gives_an_empty_page(
    reader: RapidOcrReader, shape: tuple[int, int], capfd: pytest.CaptureFixture[str]
) -> None:
    (page,) = reader.read([np.full((*shape, 3), 120, dtype=np.uint8)])
    assert page.blocks == () and page.text == "" and page.language == ""
    out, err = capfd.readouterr()
    assert (out, err) == ("", "")


def test_a_batch_keeps_its_order(reader: RapidOcrReader) -> None:
    blank = np.full((200, 200, 3), 255, dtype=np.uint8)
    pages = reader.read([drawn({(40, 80): "First"}), blank, drawn({(40, 80): "Third"})])
    assert [page.text for page in pages] == ["First", "", "Third"]
    assert reader.read([]) == []


def test_confidence_filter(tmp_path: Path) -> None:
    strict = EngineConfig(model_cache_dir=tmp_path, device="cpu", threads=1, ocr_min_confidence=1.01)
    assert RapidOcrReader(strict).read([drawn({(40, 80): "Hello"})])[0].blocks == ()


def test_identity_and_port(reader: RapidOcrReader) -> None:
    assert isinstance(reader, TextReader)
    assert reader.engine_id.startswith("rapidocr/3.") and reader.engine_id.endswith("-ppocrv6-r2")


def test_missing_package_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rapid_models, "find_spec", lambda _: None)
    with pytest.raises(EngineUnavailable, match="rapidocr is not installed"):
        RapidOcrReader(EngineConfig(model_cache_dir=tmp_path))


def test_missing_model_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    empty = importlib.util.spec_from_file_location(
        "rapidocr", tmp_path / "__init__.py", submodule_search_locations=[str(tmp_path)]
    )
    monkeypatch.setattr(rapid_models, "find_spec", lambda _: empty)
    with pytest.raises(EngineUnavailable, match=r"PP-OCRv6_det_small\.onnx is missing"):
        RapidOcrReader(EngineConfig(model_cache_dir=tmp_path))


def test_a_failing_model_fails_that_picture(reader: RapidOcrReader, monkeypatch: pytest.MonkeyPatch) -> None:
    class OutOfOrder:
        def preprocess_img(self, _: object) -> None:
            raise ValueError("out of order")

    monkeypatch.setattr(reader, "_engine", OutOfOrder())
    with pytest.raises(EngineFailed, match="640x240: out of order"):
        reader.read([drawn({(40, 80): "Hello"})])


# Reading order and language --------------------------------------------------------------------------------


def block(text: str, x: float, y: float, height: float = 0.1) -> TextBlock:
    return TextBlock(text=text, confidence=1, box=Box(x=x, y=y, width=0.2, height=height))


def test_lines_are_read_left_to_right() -> None:
    blocks = [block("d", 0.6, 0.31), block("b", 0.6, 0.10), block("a", 0.1, 0.13), block("c", 0.1, 0.30)]
    assert [b.text for b in in_reading_order(blocks)] == ["a", "b", "c", "d"]


def test_a_staircase_does_not_become_one_line() -> None:
    stairs = [block(str(i), 0.9 - 0.2 * i, 0.06 * i) for i in range(5)]
    assert in_reading_order(stairs)[0].text in {"0", "1"}
    assert [b.text for b in in_reading_order(stairs)] != ["4", "3", "2", "1", "0"]


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("", ""),
        ("1234 !", ""),
        ("Garden", ""),
        ("キリンビール KIRIN", "ja"),
        ("营业中", "zh"),
        ("Καλημέρα", "el"),
    ],
)
def test_language_only_where_the_script_settles_it(text: str, language: str) -> None:
    assert language_of_script(text) == language


# Real photos -----------------------------------------------------------------------------------------------


@need_assets()
@pytest.mark.assets
@pytest.mark.parametrize(
    ("name", "long_edge", "words"),
    [
        ("immich_public_domain/albums/text/book-beside-flowers.jpg", 1400, ["Sevgili Dost", "A. Ali Ural"]),
        ("immich_public_domain/albums/text/craft-beer.jpg", 1600, ["SEASONAL", "BARREL AGED", "BLONDE"]),
        ("skimage_bsd_cc0/page.png", 2048, ["Region-based segmentation", "These markers are pixels"]),
    ],
)
def test_real_pages_and_signs(reader: RapidOcrReader, name: str, long_edge: int, words: list[str]) -> None:
    (page,) = reader.read([photo(name, long_edge)])
    assert [word for word in words if word not in page.text] == []


@need_assets()
@pytest.mark.assets
def test_japanese_sign(reader: RapidOcrReader) -> None:
    (page,) = reader.read([photo("immich_public_domain/albums/text/japanese-shop.jpg")])
    assert "KIRIN" in page.text and "キリン" in page.text
    assert page.language == "ja"


@need_assets()
@pytest.mark.assets
def test_photos_without_text(reader: RapidOcrReader) -> None:
    names = ("coral_apache2/cat_720p.jpg", "skimage_bsd_cc0/rocket.jpg")
    assert [page.text for page in reader.read([photo(name) for name in names])] == ["", ""]
