"""Text in pictures by PaddleOCR 3, with models that lie on this machine (``paddle_models``).

PaddleOCR gets the folder of every model; with one missing it would go to the network. Its own page
orientation and unwarping stay off: they change the picture, and boxes would no longer fit it.
"""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Iterator, Sequence
from functools import cache
from importlib.metadata import version
from importlib.util import find_spec
from typing import Any

import numpy as np
import numpy.typing as npt

from vision.config import EngineConfig
from vision.devices import CUDA_PROVIDER, onnx_providers, thread_count
from vision.errors import EngineFailed, EngineUnavailable
from vision.memory import loading
from vision.readers.lines import Line, line
from vision.readers.paddle_models import ENGINE, PaddleModels, paddle_models
from vision.readers.page import DETECT_EDGE, read_page, revision
from vision.results import PageText, RGBImage
from vision.weights import check_file

_REMEDY = "Run `.venv/bin/python -m pip install 'paddleocr>=3.7,<4' 'paddlepaddle>=3.2'` (docs/models.md)."


class PaddleOcrReader:
    """Pictures to lines of text with boxes (``TextReader``), in the language of the recognition model.

    The models are loaded at the first picture. Blocks under ``config.ocr_min_confidence`` are left out;
    that is no part of the engine's identity. Raises EngineUnavailable when a package or a model is missing.
    """

    def __init__(self, config: EngineConfig) -> None:
        if find_spec("paddleocr") is None:
            raise EngineUnavailable("The package paddleocr is not installed.", _REMEDY)
        self._models = paddle_models(config)
        if self._models.runtime == "paddle" and find_spec("paddle") is None:
            raise EngineUnavailable("The package paddlepaddle is not installed.", _REMEDY)
        self._config = config
        self._pipeline: Any = None
        self._lock = threading.Lock()

    @property
    def engine_id(self) -> str:
        """``paddleocr/<major.minor>-<recognition model>@<fingerprint of all models>-r2``."""
        models = self._models
        name = f"{_package_version()}-{models.recognition.name}@{models.fingerprint}"
        return f"{ENGINE}/{name}-{revision(self._config)}"

    @property
    def details(self) -> dict[str, str]:
        """The runtime of its models, and the device as the settings say."""
        return {"device": self._config.device, "runtime": self._models.runtime}

    def read(self, images: Sequence[RGBImage]) -> list[PageText]:
        """One PageText a picture, in reading order. Raises EngineFailed when a model fails on one."""
        return [self._read_one(image) for image in images]

    def _read_one(self, image: RGBImage) -> PageText:
        try:
            return read_page(image, self._find, self._config)
        except EngineUnavailable:
            raise
        except Exception as error:  # OpenCV, ONNX Runtime, Paddle and PaddleX share no base class
            size = f"{image.shape[1]}x{image.shape[0]}"
            raise EngineFailed(f"PaddleOCR failed on a picture of {size}: {error}") from error

    def _find(self, bgr: npt.NDArray[np.uint8]) -> list[Line]:
        with self._lock:
            if self._pipeline is None:
                with loading(self.engine_id, **self.details):
                    self._pipeline = _load(self._models, self._config)
            (result,) = self._pipeline.predict(
                bgr,
                text_det_limit_side_len=DETECT_EDGE,
                text_det_limit_type="max",
                text_rec_score_thresh=0.0,  # every line, so that its orientation can be told
            )
        return list(_lines(result, bgr.shape[1], bgr.shape[0]))


@cache
def _package_version() -> str:
    """Major and minor: a patch does not make everything that was read stale."""
    return ".".join(version("paddleocr").split(".")[:2])


def _load(models: PaddleModels, config: EngineConfig) -> Any:
    for model in models.all:
        for file in model.files:
            check_file(file)
    # Where PaddleX keeps its locks; otherwise it makes a folder in the home folder. Read when it is imported.
    os.environ.setdefault("PADDLE_PDX_CACHE_HOME", str(config.model_cache_dir / "paddlex"))
    from paddleocr import PaddleOCR

    logging.getLogger("paddlex").setLevel(logging.ERROR)
    settings = _onnx_settings(config) if models.runtime == "onnxruntime" else _paddle_settings(config)
    orientation = models.orientation
    try:
        return PaddleOCR(
            text_detection_model_name=models.detection.name,
            text_detection_model_dir=str(models.detection.path),
            text_recognition_model_name=models.recognition.name,
            text_recognition_model_dir=str(models.recognition.path),
            textline_orientation_model_name=orientation.name if orientation else None,
            textline_orientation_model_dir=str(orientation.path) if orientation else None,
            use_textline_orientation=orientation is not None,
            use_doc_orientation_classify=False,
            use_doc_unwarping=False,
            **settings,
        )
    except Exception as error:  # whatever PaddleX meets in the files
        folders = ", ".join(str(model.path) for model in models.all)
        raise EngineUnavailable(
            f"PaddleOCR cannot load its models from {folders}: {error}",
            "Fetch the folders again, or look whether they are for another version of PaddleOCR.",
        ) from error


def _onnx_settings(config: EngineConfig) -> dict[str, Any]:
    """Threads that sleep while they wait, and memory given back, as in ``vision.devices.onnx_session``."""
    on_card = CUDA_PROVIDER in onnx_providers(config)
    return {
        "engine": "onnxruntime",
        "device": "gpu" if on_card else "cpu",
        "engine_config": {
            "intra_op_num_threads": thread_count(config),
            "inter_op_num_threads": 1,
            "enable_cpu_mem_arena": False,
            "log_severity_level": 4,
        },
    }


def _paddle_settings(config: EngineConfig) -> dict[str, Any]:
    """Raises EngineUnavailable when the card is asked for and this Paddle has none."""
    # With oneDNN Paddle 3.3 fails on PP-OCRv5: "ConvertPirAttribute2RuntimeAttribute not support".
    on_cpu = {"device": "cpu", "cpu_threads": thread_count(config), "enable_mkldnn": False}
    if config.device == "cpu":
        return on_cpu
    import paddle

    if paddle.device.is_compiled_with_cuda() and paddle.device.cuda.device_count() > 0:
        return {"device": "gpu"}
    if config.device == "cuda":
        raise EngineUnavailable(
            "DEVICE=cuda is set, but the installed Paddle finds no graphics card.",
            "Set DEVICE=auto or DEVICE=cpu, or replace paddlepaddle by paddlepaddle-gpu.",
        )
    return on_cpu


def _lines(result: Any, width: int, height: int) -> Iterator[Line]:
    """PaddleOCR's result for one picture; the angle of a line is 0, 1 (on its head) or -1 (nobody looked)."""
    angles = result.get("textline_orientation_angles") or [-1] * len(result["rec_texts"])
    rows = zip(result["rec_texts"], result["rec_scores"], result["rec_polys"], angles, strict=True)
    for text, score, corners, angle in rows:
        if text.strip():
            said = None if angle == -1 else bool(angle)
            yield line(text, score, corners, (width, height), upside_down=said)
