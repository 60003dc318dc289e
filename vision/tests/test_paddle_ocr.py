"""PaddleOCR itself: real reading with PP-OCR models as ONNX files, and models in Paddle's own format."""

from __future__ import annotations

import socket
import threading
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont

from vision import choice
from vision.config import EngineConfig
from vision.errors import EngineUnavailable
from vision.ports import TextReader
from vision.readers.paddle_ocr import PaddleOcrReader
from vision.tests.assets import need_assets, photo
from vision.tests.paddle_folders import read_as_onnx, tiny_in_paddle

# Not importorskip: PaddleX makes a folder in the home folder when it is imported before the reader has told
# it where.
if find_spec("paddleocr") is None:
    pytest.skip("paddleocr is not installed", allow_module_level=True)


pytestmark = pytest.mark.extra


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory) -> TextReader:
    folder = read_as_onnx(tmp_path_factory.mktemp("models"), orientation=True)
    return choice.reader(
        EngineConfig(
            model_cache_dir=tmp_path_factory.mktemp("cache"),
            reader="paddleocr",
            ocr_model_dir=folder,
            ocr_language="en",
            device="cpu",
            threads=1,
        )
    )


@pytest.fixture(autouse=True)
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("the reader went to the network")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)


def painted() -> np.ndarray:
    picture = Image.new("RGB", (640, 240), "white")
    pen = ImageDraw.Draw(picture)
    for place, text in {(40, 30): "Garden party", (40, 150): "Bring 3 cakes"}.items():
        pen.text(place, text, fill="black", font=ImageFont.load_default(size=40))
    return np.asarray(picture)


def test_lines_are_read_with_their_places(reader: TextReader, capfd: pytest.CaptureFixture[str]) -> None:
    page, blank = reader.read([painted(), np.full((64, 64, 3), 255, dtype=np.uint8)])
    assert page.text.splitlines() == ["Garden party", "Bring 3 cakes"]
    assert (page.language, blank.blocks) == ("en", ())
    first, second = (block.box for block in page.blocks)
    assert (first.x, first.y) == pytest.approx((40 / 640, 40 / 240), abs=0.06)
    assert second.y > first.y + first.height
    assert all(0.5 <= block.confidence <= 1 for block in page.blocks)
    assert "Creating model" not in "".join(capfd.readouterr())


@pytest.mark.parametrize("turn", [1, 2, 3])
def test_turned_pages_are_read_in_order(reader: TextReader, turn: int) -> None:
    (page,) = reader.read([np.ascontiguousarray(np.rot90(painted(), turn))])
    assert page.text.splitlines() == ["Garden party", "Bring 3 cakes"]
    first = page.blocks[0].box
    assert (first.height > first.width) == (turn != 2)


def test_identity_and_port(reader: TextReader) -> None:
    assert isinstance(reader, PaddleOcrReader) and isinstance(reader, TextReader)
    name, rest = reader.engine_id.split("@")
    assert name.startswith("paddleocr/3.") and name.endswith("-PP-OCRv6_small_rec")
    assert rest.endswith("-r2")


def test_threads_share_the_models(reader: TextReader) -> None:
    texts: list[str] = []
    threads = [
        threading.Thread(target=lambda: texts.append(reader.read([painted()])[0].text)) for _ in range(3)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert texts == ["Garden party\nBring 3 cakes"] * 3


def test_a_broken_model_is_named(tmp_path: Path) -> None:
    folder = read_as_onnx(tmp_path, orientation=False)
    (folder / "PP-OCRv6_small_rec" / "inference.onnx").write_bytes(b"<html>not found</html>")
    broken = PaddleOcrReader(EngineConfig(model_cache_dir=tmp_path, ocr_model_dir=folder, device="cpu"))
    with pytest.raises(EngineUnavailable, match="PP-OCRv6_small_rec"):
        broken.read([painted()])


@pytest.mark.filterwarnings("ignore::UserWarning", "ignore::DeprecationWarning")  # Paddle's own, at import
def test_models_in_paddles_own_format(tmp_path: Path) -> None:
    if find_spec("paddle") is None:
        pytest.skip("paddlepaddle is not installed")
    config = EngineConfig(
        model_cache_dir=tmp_path / "cache",
        ocr_model_dir=tiny_in_paddle(tmp_path / "models"),
        ocr_language="ko",
        ocr_min_confidence=0.05,
        device="cpu",
        threads=1,
    )
    (page,) = PaddleOcrReader(config).read([painted()])
    assert page.language == "ko" and page.blocks
    assert all(block.box.x < 0.6 for block in page.blocks)
    with pytest.raises(EngineUnavailable, match="DEVICE=cuda is set"):
        PaddleOcrReader(
            EngineConfig(
                model_cache_dir=tmp_path, ocr_model_dir=tmp_path / "models", ocr_language="ko", device="cuda"
            )
        ).read([painted()])


@need_assets()
@pytest.mark.assets
def test_a_real_sign(reader: TextReader) -> None:
    (page,) = reader.read([photo("immich_public_domain/albums/text/craft-beer.jpg", 1600)])
    assert [word for word in ("SEASONAL", "BARREL AGED", "BLONDE") if word not in page.text] == []
