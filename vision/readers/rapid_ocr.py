"""Text in pictures by RapidOCR, with the PP-OCRv6 models of its own package (nothing is downloaded)."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from functools import cache
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from vision.config import EngineConfig
from vision.devices import device_name, onnx_providers, onnx_session, thread_count
from vision.errors import EngineFailed, EngineUnavailable
from vision.memory import loading
from vision.readers.reading_order import in_reading_order
from vision.readers.script import language_of_script
from vision.results import Box, PageText, RGBImage, TextBlock

#: RapidOCR's three models, by the section of its configuration.
MODELS = {
    "Det": "PP-OCRv6_det_small.onnx",
    "Cls": "ch_ppocr_mobile_v2.0_cls_mobile.onnx",
    "Rec": "PP-OCRv6_rec_small.onnx",
}
#: Lines are cut out of the picture at this long edge (that of a preview); lines are searched at DETECT_EDGE.
WORKING_EDGE = 2048
#: Measured: limiting the *longest* side to 1280 finds a sign 80 px high that the default misses.
DETECT_EDGE = 1280
#: Small pictures are enlarged towards this long edge, at most twice: a page of 384 px becomes readable.
SMALL_EDGE = 960
#: No writing is legible in a strip thinner than this (pixels).
THINNEST_SIDE = 8
_REMEDY = "Run `make install` to get the whole rapidocr package with its models."


class RapidOcrReader:
    """Pictures to lines of text with boxes (``TextReader``): Latin, Greek, Chinese, Japanese.

    Lines are searched first; only when there are some are they turned upright and read. The models are
    loaded at the first picture. Blocks under ``config.ocr_min_confidence`` are left out. The confidence is no
    part of the engine's identity: a changed setting counts for what is read from then on.
    Raises EngineUnavailable when the package or one of its models is missing.
    """

    def __init__(self, config: EngineConfig) -> None:
        self._models = _model_paths()
        if config.device == "cuda":
            onnx_providers(config)
        self._config = config
        self._engine: Any = None
        self._lock = threading.Lock()

    @property
    def engine_id(self) -> str:
        """``rapidocr/<major.minor>-ppocrv6``."""
        return f"rapidocr/{_package_version()}-ppocrv6"

    @property
    def details(self) -> dict[str, str]:
        """The device that the models are loaded on."""
        return {"device": device_name(onnx_providers(self._config)[0])}

    def read(self, images: Sequence[RGBImage]) -> list[PageText]:
        """One PageText a picture, in reading order. Raises EngineFailed when a model fails on one."""
        return [self._read_one(image) for image in images]

    def _read_one(self, image: RGBImage) -> PageText:
        if min(image.shape[:2]) < THINNEST_SIDE:
            return PageText()
        working = _working_copy(image)
        try:
            result = self._run(working)
        except EngineUnavailable:
            raise
        except Exception as error:  # OpenCV, ONNX Runtime and RapidOCR share no base class
            size = f"{image.shape[1]}x{image.shape[0]}"
            raise EngineFailed(f"RapidOCR failed on a picture of {size}: {error}") from error
        height, width = working.shape[:2]
        page = PageText(blocks=in_reading_order(_blocks(result, width, height)))
        return PageText(blocks=page.blocks, language=language_of_script(page.text))

    def _run(self, bgr: npt.NDArray[np.uint8]) -> Any:
        with self._lock:  # the flags of a call are kept on RapidOCR's object
            if self._engine is None:
                with loading(self.engine_id, **self.details):
                    self._engine = _load(self._models, self._config)
            return self._engine(
                bgr,
                use_det=True,
                use_cls=True,
                use_rec=True,
                return_word_box=False,
                return_single_char_box=False,
                text_score=self._config.ocr_min_confidence,
            )


@cache
def _package_version() -> str:
    """Major and minor: a patch does not make everything that was read stale."""
    return ".".join(version("rapidocr").split(".")[:2])


def _model_paths() -> dict[str, Path]:
    spec = find_spec("rapidocr")
    if spec is None or not spec.submodule_search_locations:
        raise EngineUnavailable("The package rapidocr is not installed.", _REMEDY)
    folder = Path(spec.submodule_search_locations[0]) / "models"
    paths = {section: folder / name for section, name in MODELS.items()}
    for path in paths.values():
        if not path.is_file():
            raise EngineUnavailable(f"RapidOCR's model {path} is missing.", _REMEDY)
    return paths


def _load(models: dict[str, Path], config: EngineConfig) -> Any:
    """RapidOCR around sessions of our own: with paths it would choose its own threads, that spin and wait."""
    import cv2
    from omegaconf import OmegaConf
    from rapidocr import RapidOCR

    cv2.setNumThreads(thread_count(config))
    engine = RapidOCR(
        params={
            "Global.log_level": "critical",  # "no text" is a warning to it
            "Global.max_side_len": 2 * WORKING_EDGE,  # we have scaled already
            "Det.limit_type": "max",
            "Det.limit_side_len": DETECT_EDGE,
        }
    )
    settings: Any = OmegaConf.create(OmegaConf.to_container(engine.cfg), flags={"allow_objects": True})
    for section, path in models.items():
        settings[section].session = onnx_session(path, config, arena=False)
    engine.cfg = settings
    return engine


def _working_copy(image: RGBImage) -> npt.NDArray[np.uint8]:
    """The picture at working size with its channels in OpenCV's order (blue, green, red)."""
    height, width = image.shape[:2]
    long_edge = max(height, width)
    scale = min(WORKING_EDGE / long_edge, max(1.0, min(2.0, SMALL_EDGE / long_edge)))
    if scale != 1.0:
        size = max(1, round(width * scale)), max(1, round(height * scale))
        image = np.asarray(Image.fromarray(image).resize(size, Image.Resampling.BICUBIC))
    return np.ascontiguousarray(image[:, :, ::-1])


def _blocks(result: Any, width: int, height: int) -> Iterator[TextBlock]:
    """RapidOCR's corners (pixels, possibly slanted) as upright boxes in fractions."""
    texts = getattr(result, "txts", None) or ()
    if not texts:
        return
    for text, score, corners in zip(texts, result.scores, result.boxes, strict=True):
        left, top = np.min(corners, axis=0)
        right, bottom = np.max(corners, axis=0)
        x, y = float(np.clip(left / width, 0, 1)), float(np.clip(top / height, 0, 1))
        box = Box(
            x=x,
            y=y,
            width=float(np.clip(right / width, 0, 1)) - x,
            height=float(np.clip(bottom / height, 0, 1)) - y,
        )
        yield TextBlock(text=text.strip(), confidence=float(score), box=box)
