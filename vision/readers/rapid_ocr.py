"""Text in pictures by RapidOCR, with the PP-OCRv6 models of its own package (nothing is downloaded)."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from functools import cache
from importlib.metadata import version
from importlib.util import find_spec
from typing import Any

import numpy as np
import numpy.typing as npt

from vision.config import EngineConfig
from vision.devices import device_name, onnx_providers, onnx_session, thread_count
from vision.errors import EngineFailed, EngineUnavailable
from vision.memory import loading
from vision.readers.lines import Line, line
from vision.readers.page import DETECT_EDGE, WORKING_EDGE, read_page, revision
from vision.readers.rapid_models import ENGINE, RapidModels, rapid_models
from vision.results import PageText, RGBImage

#: RapidOCR turns a line when its orientation model is at least this sure.
_SURE = 0.9
_ARABIC = "arabic"


class RapidOcrReader:
    """Pictures to lines of text with boxes (``TextReader``): Latin, Greek, Chinese, Japanese.

    Other languages (``config.ocr_language``) need a recognition model (``rapid_models``). Lines are searched
    first; only when there are some are they turned upright and read. The models are loaded at the first
    picture. Blocks under ``config.ocr_min_confidence`` are left out. The confidence is no part of the
    engine's identity: a changed setting counts for what is read from then on. Raises EngineUnavailable when
    the package or a model is missing.
    """

    def __init__(self, config: EngineConfig) -> None:
        self._models = rapid_models(config)
        if self._models.family == _ARABIC and find_spec("bidi") is None:
            raise EngineUnavailable(
                "Arabic writing needs the package python-bidi.",
                "Run `.venv/bin/python -m pip install python-bidi`.",
            )
        if config.device == "cuda":
            onnx_providers(config)
        self._config = config
        self._engine: Any = None
        self._lock = threading.Lock()

    @property
    def engine_id(self) -> str:
        """``rapidocr/<major.minor>-ppocrv6-r2``; with other models their language and fingerprint."""
        models = self._models
        own = [models.family or "own", models.fingerprint] if models.fingerprint else []
        return f"{ENGINE}/" + "-".join([_package_version(), "ppocrv6", *own, revision(self._config)])

    @property
    def details(self) -> dict[str, str]:
        """The device that the models are loaded on."""
        return {"device": device_name(onnx_providers(self._config)[0])}

    def read(self, images: Sequence[RGBImage]) -> list[PageText]:
        """One PageText a picture, in reading order. Raises EngineFailed when a model fails on one."""
        return [self._read_one(image) for image in images]

    def _read_one(self, image: RGBImage) -> PageText:
        try:
            return read_page(image, self._find, self._config)
        except EngineUnavailable:
            raise
        except Exception as error:  # OpenCV, ONNX Runtime and RapidOCR share no base class
            size = f"{image.shape[1]}x{image.shape[0]}"
            raise EngineFailed(f"RapidOCR failed on a picture of {size}: {error}") from error

    def _find(self, bgr: npt.NDArray[np.uint8]) -> list[Line]:
        """The three steps by hand: the whole call keeps to itself what the orientation model said."""
        with self._lock:  # RapidOCR's object keeps state between its steps
            if self._engine is None:
                with loading(self.engine_id, **self.details):
                    self._engine = _load(self._models, self._config)
            picture, record = self._engine.preprocess_img(bgr)
            found = self._engine.run_ocr_steps(picture, record)
        return _lines(found, record, bgr.shape[1], bgr.shape[0])


@cache
def _package_version() -> str:
    """Major and minor: a patch does not make everything that was read stale."""
    return ".".join(version("rapidocr").split(".")[:2])


def _load(models: RapidModels, config: EngineConfig) -> Any:
    """RapidOCR around sessions of our own: with paths it would choose its own threads, that spin and wait."""
    import cv2
    from omegaconf import OmegaConf
    from rapidocr import LangRec, RapidOCR

    cv2.setNumThreads(thread_count(config))
    engine = RapidOCR(
        params={
            "Global.log_level": "critical",  # "no text" is a warning to it
            "Global.max_side_len": 2 * WORKING_EDGE,  # we have scaled already
            "Det.limit_type": "max",
            "Det.limit_side_len": DETECT_EDGE,
            # Arabic is recognised as it is seen; with this RapidOCR gives it in the order it is written.
            "Rec.lang_type": LangRec.ARABIC if models.family == _ARABIC else LangRec.CH,
        }
    )
    settings: Any = OmegaConf.create(OmegaConf.to_container(engine.cfg), flags={"allow_objects": True})
    for section, path in models.paths.items():
        settings[section].session = onnx_session(path, config, arena=False)
    _give_characters(settings.Rec, models)
    engine.cfg = settings
    return engine


def _give_characters(settings: Any, models: RapidModels) -> None:
    """The characters of the recognition model; without them RapidOCR would go and download some.

    Raises EngineUnavailable when they are neither inside the model nor beside it.
    """
    if "character" in settings.session.get_modelmeta().custom_metadata_map:
        return
    model = models.paths["Rec"]
    if models.keys is None:
        raise EngineUnavailable(
            f"{model} does not say which characters it reads.",
            f"Place its dictionary (a character a line) beside it as {model.with_suffix('.txt').name}.",
        )
    settings.rec_keys_path = str(models.keys)


def _lines(found: Any, record: dict[str, Any], width: int, height: int) -> list[Line]:
    """RapidOCR's results, its corners brought back to the picture as it was given."""
    from rapidocr.utils.process_img import map_boxes_to_original

    detected, turned, texts, _ = found
    if not texts.txts:
        return []
    boxes = map_boxes_to_original(np.asarray(detected.boxes), record, height, width)
    rows = zip(texts.txts, texts.scores, boxes, turned.cls_res, strict=True)
    return [
        line(text, score, corners, (width, height), upside_down=_upside_down(*said))
        for text, score, corners, said in rows
        if text.strip()
    ]


def _upside_down(label: str, confidence: float) -> bool | None:
    return label == "180" if confidence >= _SURE else None
