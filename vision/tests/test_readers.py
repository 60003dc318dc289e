"""What both readers share: languages, turned pages, the prefilter, and which model files are read with."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import onnx
import pytest
from PIL import Image, ImageDraw, ImageFont

from vision import choice
from vision.config import EngineConfig
from vision.errors import EngineUnavailable
from vision.readers import paddle_ocr, rapid_ocr
from vision.readers.languages import FAMILIES, SCRIPTS, codes, family
from vision.readers.likelihood import DENSITY, may_hold_writing, stroke_density
from vision.readers.lines import Line, line
from vision.readers.orientation import Find, read_upright, suspected_turns, turned_back
from vision.readers.paddle_models import paddle_models
from vision.readers.rapid_models import bundled_models, rapid_models
from vision.readers.rapid_ocr import RapidOcrReader
from vision.readers.script import language_of_script
from vision.results import Box
from vision.tests.assets import need_assets, photo
from vision.weights import manifest


def config(tmp_path: Path, **fields: object) -> EngineConfig:
    return EngineConfig(**{"model_cache_dir": tmp_path, "device": "cpu", "threads": 1} | fields)


# Languages -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("setting", "expected"),
    [
        ("auto", None),
        ("", None),
        ("en", "ch"),
        ("ja, zh", "ch"),
        ("de", "latin"),
        ("German", "latin"),
        ("fr de en", "latin"),
        ("ru", "eslav"),
        ("ru bg", "cyrillic"),
        ("en,ko", "korean"),
        ("el", "el"),
        ("hi", "devanagari"),
        ("fa", "arabic"),
    ],
)
def test_the_family_that_reads_the_languages(setting: str, expected: str | None) -> None:
    assert family(setting) == expected


def test_unknown_languages_and_impossible_mixtures_are_refused() -> None:
    with pytest.raises(EngineUnavailable, match=r"OCR_LANGUAGE names klingon.*auto, or .* de .* zh"):
        codes("klingon")
    with pytest.raises(EngineUnavailable, match=r"No single model reads all of OCR_LANGUAGE=ru,ar"):
        family("ru,ar")
    assert FAMILIES.keys() == SCRIPTS.keys()


@pytest.mark.parametrize(
    ("text", "setting", "language"),
    [
        ("안녕하세요", "auto", "ko"),
        ("สวัสดี", "auto", "th"),
        ("Привет", "auto", ""),
        ("Привет", "uk", "uk"),
        ("Привет", "ru uk", ""),
        ("Guten Morgen", "de", "de"),
        ("Good morning", "en", "en"),
        ("Guten Morgen", "ru", ""),
        ("Καλημέρα", "de", "el"),
        ("سلام", "fa", "fa"),
    ],
)
def test_the_setting_settles_what_the_script_leaves_open(text: str, setting: str, language: str) -> None:
    assert language_of_script(text, setting) == language


# Turned pages ----------------------------------------------------------------------------------------------


def text_line(text: str, *, tall: bool = False, upside_down: bool | None = None, sure: float = 0.9) -> Line:
    corners = [[0, 0], [10, 0], [10, 40], [0, 40]] if tall else [[0, 0], [40, 0], [40, 10], [0, 10]]
    return line(text, sure, corners, (100, 100), upside_down=upside_down)


@pytest.mark.parametrize(
    ("lines", "turns"),
    [
        ([], ()),
        ([text_line("ab", upside_down=True)], ()),
        ([text_line("an upright line", upside_down=False)], ()),
        ([text_line("an upright line")], ()),
        ([text_line("on its head", upside_down=True)], (2,)),
        (
            [text_line("on its head", upside_down=True), text_line("but others are not", upside_down=False)],
            (),
        ),
        ([text_line("hardly read at all", sure=0.5)], (2,)),
        ([text_line("to the right", tall=True, upside_down=False)], (1,)),
        ([text_line("to the left", tall=True, upside_down=True)], (3,)),
        ([text_line("who knows where", tall=True)], (1, 3)),
        ([text_line("a spine", tall=True), text_line("beside an upright line", upside_down=False)], ()),
    ],
)
def test_lines_vote_for_the_turn_of_their_page(lines: list[Line], turns: tuple[int, ...]) -> None:
    assert suspected_turns(lines) == turns


@pytest.mark.parametrize("turn", [0, 1, 2, 3])
def test_boxes_of_a_turned_picture_are_turned_back(turn: int) -> None:
    picture = np.zeros((40, 60))
    picture[4:8, 30:48] = 1
    rows, columns = np.nonzero(np.rot90(picture, turn))
    height, width = np.rot90(picture, turn).shape
    box = Box(
        x=columns.min() / width,
        y=rows.min() / height,
        width=(np.ptp(columns) + 1) / width,
        height=(np.ptp(rows) + 1) / height,
    )
    back = turned_back(box, turn)
    assert (back.x, back.y, back.width, back.height) == pytest.approx((0.5, 0.1, 0.3, 0.1))


def test_the_better_reading_is_kept_and_upright_pages_cost_one() -> None:
    image = np.zeros((30, 60, 3), dtype=np.uint8)
    calls: list[tuple[int, ...]] = []

    def find(*, worse_when_turned: bool) -> Find:
        def look(picture: np.ndarray) -> list[Line]:
            calls.append(picture.shape)
            standing = picture.shape[0] > picture.shape[1]
            sure = 0.9 if standing != worse_when_turned else 0.5
            return [text_line("some words", tall=not standing, sure=sure)]

        return look

    lines, turn = read_upright(image, find(worse_when_turned=False), 0.0)
    assert (turn, lines[0].confidence) == (1, 0.9) and len(calls) == 3
    lines, turn = read_upright(image, find(worse_when_turned=True), 0.0)
    assert (turn, lines[0].confidence) == (0, 0.9)
    calls.clear()
    read_upright(image, lambda _: calls.append(()) or [text_line("upright words", upside_down=False)], 0.0)
    assert len(calls) == 1


# The prefilter ---------------------------------------------------------------------------------------------


def painted(text: str, size: int, *, ground: int = 200, ink: int = 60) -> np.ndarray:
    picture = Image.new("RGB", (1600, 1200), (ground,) * 3)
    ImageDraw.Draw(picture).text((200, 300), text, fill=(ink,) * 3, font=ImageFont.load_default(size=size))
    return np.asarray(picture)


@pytest.mark.parametrize("size", [24, 40, 120, 600])
@pytest.mark.parametrize(("ground", "ink"), [(240, 20), (20, 240), (128, 80)])
def test_writing_of_every_size_passes(size: int, ground: int, ink: int) -> None:
    picture = painted("Hey 24", size, ground=ground, ink=ink)
    assert may_hold_writing(picture)
    assert may_hold_writing(np.ascontiguousarray(np.rot90(picture)))


def test_flat_pictures_do_not() -> None:
    slope = np.linspace(0, 255, 1600)[None, :, None] * np.ones((1200, 1, 3))
    half = np.zeros((1200, 1600, 3), dtype=np.uint8)
    half[600:] = 230
    for picture in (np.full((1200, 1600, 3), 99), slope, half, np.zeros((8, 8, 3)), np.zeros((8, 900, 3))):
        assert stroke_density(picture.astype(np.uint8)) < DENSITY


@need_assets()
@pytest.mark.assets
@pytest.mark.parametrize(
    "name",
    [
        "immich_public_domain/albums/text/book-beside-flowers.jpg",
        "immich_public_domain/albums/text/craft-beer.jpg",
        "immich_public_domain/albums/text/handwritten-notes.jpg",
        "immich_public_domain/albums/text/japanese-shop.jpg",
        "immich_public_domain/formats/png/density_plot.png",
        "skimage_bsd_cc0/page.png",
        "coral_apache2/hot_dog.jpg",
        "exif_orientation_mit/Landscape_0.jpg",
    ],
)
def test_real_writing_passes(name: str) -> None:
    assert stroke_density(photo(name)) > 2 * DENSITY


def test_a_skipped_picture_loads_no_model(tmp_path: Path) -> None:
    reader = RapidOcrReader(config(tmp_path))
    assert reader.read([np.full((600, 800, 3), 99, dtype=np.uint8)])[0].blocks == ()
    assert reader._engine is None
    unfiltered = RapidOcrReader(config(tmp_path, ocr_prefilter=False))
    assert unfiltered.read([np.full((64, 64, 3), 99, dtype=np.uint8)])[0].blocks == ()
    assert unfiltered._engine is not None
    assert unfiltered.engine_id == f"{reader.engine_id}-unfiltered"


# RapidOCR's models -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("setting", ["auto", "en", "de", "ja", "el", "fr,en"])
def test_its_own_model_reads_these(tmp_path: Path, setting: str) -> None:
    assert rapid_models(config(tmp_path, ocr_language=setting)).paths == bundled_models()
    identity = RapidOcrReader(config(tmp_path, ocr_language=setting)).engine_id
    assert identity == RapidOcrReader(config(tmp_path)).engine_id


def test_other_languages_need_a_file_that_is_named(tmp_path: Path) -> None:
    with pytest.raises(EngineUnavailable) as caught:
        RapidOcrReader(config(tmp_path, ocr_language="ru"))
    assert "eslav_PP-OCRv5_rec_mobile.onnx" in caught.value.reason
    assert "download_models --profile eslav_PP-OCRv5_rec_mobile`" in caught.value.remedy
    assert "OCR_MODEL_DIR" in caught.value.remedy
    with pytest.raises(EngineUnavailable, match=r"holds none of korean_PP-OCRv5_rec_mobile\.onnx, det\.onnx"):
        RapidOcrReader(config(tmp_path, ocr_language="ko", ocr_model_dir=tmp_path))


def test_a_language_model_is_found_in_the_folder_or_among_the_downloads(tmp_path: Path) -> None:
    name = "eslav_PP-OCRv5_rec_mobile.onnx"
    downloads = tmp_path / "rapidocr" / "eslav_PP-OCRv5_rec_mobile"
    downloads.mkdir(parents=True)
    (downloads / f"{name}.part").write_bytes(b"half")
    with pytest.raises(EngineUnavailable, match="not finished"):
        RapidOcrReader(config(tmp_path, ocr_language="ru"))
    (downloads / name).write_bytes(b"whole")
    assert rapid_models(config(tmp_path, ocr_language="ru")).paths["Rec"] == downloads / name
    placed = tmp_path / "own"
    placed.mkdir()
    (placed / name).write_bytes(b"my own")
    models = rapid_models(config(tmp_path, ocr_language="uk", ocr_model_dir=placed))
    assert models.paths["Rec"] == placed / name
    identity = RapidOcrReader(config(tmp_path, ocr_language="uk", ocr_model_dir=placed)).engine_id
    assert identity.split("-")[2:4] == ["eslav", models.fingerprint]
    assert identity != RapidOcrReader(config(tmp_path, ocr_language="ru")).engine_id


def test_every_family_it_cannot_read_can_be_downloaded() -> None:
    there = {model.files[0].path.split("_")[0] for model in manifest() if model.engine == "rapidocr"}
    assert FAMILIES.keys() - there <= {"ch", "latin"}


def test_a_placed_model_reads_with_its_dictionary_beside_it(tmp_path: Path) -> None:
    shutil.copy(bundled_models()["Det"], tmp_path / "det.onnx")
    model = onnx.load(bundled_models()["Rec"])
    (characters,) = [entry.value for entry in model.metadata_props if entry.key == "character"]
    del model.metadata_props[:]
    onnx.save(model, tmp_path / "rec.onnx")
    reader = RapidOcrReader(config(tmp_path, ocr_model_dir=tmp_path))
    with pytest.raises(EngineUnavailable, match=r"rec\.onnx does not say which characters.*as rec\.txt"):
        reader.read([painted("Summer", 90)])
    (tmp_path / "rec.txt").write_text(characters, encoding="utf-8")
    (page,) = RapidOcrReader(config(tmp_path, ocr_model_dir=tmp_path)).read([painted("Summer", 90)])
    assert page.text == "Summer"


def test_a_broken_model_is_named(tmp_path: Path) -> None:
    (tmp_path / "rec.onnx").write_bytes(b"<html>not found</html>")
    with pytest.raises(EngineUnavailable, match=r"cannot load .*rec\.onnx"):
        RapidOcrReader(config(tmp_path, ocr_model_dir=tmp_path)).read([painted("Summer", 90)])


def test_arabic_needs_a_package_that_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "arabic_PP-OCRv5_rec_mobile.onnx").write_bytes(b"weights")
    monkeypatch.setattr(rapid_ocr, "find_spec", lambda _: None)
    with pytest.raises(EngineUnavailable, match="pip install python-bidi"):
        RapidOcrReader(config(tmp_path, ocr_language="ar", ocr_model_dir=tmp_path))


# PaddleOCR's models ----------------------------------------------------------------------------------------


def place(folder: Path, name: str, *files: str) -> None:
    (folder / name).mkdir(parents=True)
    (folder / name / "inference.yml").write_text(f"Global:\n  model_name: {name}\n")
    for file in files or ("inference.json", "inference.pdiparams"):
        (folder / name / file).write_bytes(b"weights")


def test_paddle_missing_package_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(paddle_ocr, "find_spec", lambda _: None)
    with pytest.raises(EngineUnavailable, match="paddleocr is not installed.*pip install 'paddleocr"):
        choice.reader(config(tmp_path, reader="paddleocr"))


def test_paddle_missing_models_are_named(tmp_path: Path) -> None:
    with pytest.raises(EngineUnavailable) as caught:
        paddle_models(config(tmp_path))
    assert str(tmp_path / "paddleocr") in caught.value.reason
    assert "download_models --profile PP-OCRv5_server_det`" in caught.value.remedy
    place(tmp_path / "paddleocr", "PP-OCRv5_server_det")
    with pytest.raises(EngineUnavailable, match="profile PP-OCRv5_server_rec"):
        paddle_models(config(tmp_path))
    with pytest.raises(EngineUnavailable, match="profile eslav_PP-OCRv5_mobile_rec"):
        paddle_models(config(tmp_path, ocr_language="ru"))
    place(tmp_path / "paddleocr", "PP-OCRv5_server_rec", "inference.json")
    with pytest.raises(EngineUnavailable, match=r"has neither inference\.json and inference\.pdiparams nor"):
        paddle_models(config(tmp_path))


def test_paddle_every_family_has_its_models_in_the_manifest() -> None:
    there = {model.id for model in manifest() if model.engine == "paddleocr"}
    assert {f"{name}_PP-OCRv5_mobile_rec" for name in FAMILIES.keys() - {"ch"}} <= there
    assert {"PP-OCRv5_server_det", "PP-OCRv5_server_rec", "PP-LCNet_x1_0_textline_ori"} <= there


def test_paddle_models_are_chosen_by_language(tmp_path: Path) -> None:
    own = tmp_path / "own"
    place(own, "PP-OCRv5_mobile_det")
    place(own, "PP-OCRv5_server_det")
    place(own, "latin_PP-OCRv5_mobile_rec")

    def chosen(language: str) -> str:
        return paddle_models(config(tmp_path, ocr_model_dir=own, ocr_language=language)).recognition.name

    assert chosen("auto") == chosen("de") == chosen("en") == "latin_PP-OCRv5_mobile_rec"
    place(own, "cyrillic_PP-OCRv5_mobile_rec")
    with pytest.raises(EngineUnavailable, match="several models that read.*Set OCR_LANGUAGE"):
        chosen("auto")
    place(own, "PP-OCRv5_mobile_rec")
    assert chosen("auto") == chosen("ja") == "PP-OCRv5_mobile_rec"
    assert chosen("ru") == "cyrillic_PP-OCRv5_mobile_rec"
    models = paddle_models(config(tmp_path, ocr_model_dir=own))
    assert (models.detection.name, models.orientation) == ("PP-OCRv5_server_det", None)
    place(own, "PP-LCNet_x1_0_textline_ori")
    oriented = paddle_models(config(tmp_path, ocr_model_dir=own))
    assert oriented.orientation is not None and oriented.fingerprint != models.fingerprint


def test_paddle_reads_latin_with_the_main_model_of_version_6(tmp_path: Path) -> None:
    for name in ("PP-OCRv6_small_det", "PP-OCRv6_small_rec"):
        place(tmp_path, name, "inference.onnx")
    models = paddle_models(config(tmp_path, ocr_model_dir=tmp_path, ocr_language="de"))
    assert (models.recognition.name, models.runtime) == ("PP-OCRv6_small_rec", "onnxruntime")
    place(tmp_path, "latin_PP-OCRv5_mobile_rec")
    with pytest.raises(EngineUnavailable, match="the same format"):
        paddle_models(config(tmp_path, ocr_model_dir=tmp_path, ocr_language="de"))


def test_paddles_own_cache_is_looked_at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PADDLE_PDX_CACHE_HOME", str(tmp_path / "pdx"))
    for name in ("PP-OCRv5_server_det", "PP-OCRv5_server_rec"):
        place(tmp_path / "pdx" / "official_models", name)
    assert paddle_models(config(tmp_path)).runtime == "paddle"
