"""Which models PaddleOCR reads with: folders as PaddleOCR publishes them, found by looking at files.

A folder of models (``OCR_MODEL_DIR``, otherwise ``MODEL_CACHE_DIR/paddleocr``, otherwise
``official_models`` in ``PADDLE_PDX_CACHE_HOME``) holds a folder for each model, whatever their names::

    PP-OCRv5_server_det/inference.yml             says which model it is (Global: model_name)
    PP-OCRv5_server_det/inference.json            the network (or inference.pdmodel)
    PP-OCRv5_server_det/inference.pdiparams       its weights; or, instead of both, inference.onnx
    PP-OCRv5_server_rec/...                       one that reads
    PP-LCNet_x1_0_textline_ori/...                optional: finds lines that stand on their head
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from vision.config import EngineConfig
from vision.errors import EngineUnavailable
from vision.readers.languages import LATIN, MAIN, codes, family

ENGINE = "paddleocr"
_CONFIG = "inference.yml"
_NAME = re.compile(r"^\s+model_name:\s*[\"']?([\w.-]+)", re.MULTILINE)
_OCR = re.compile(r"^(?:(?P<family>[a-z]+)_)?PP-OCRv(?P<version>\d+)_(?P<size>[a-z]+)_(?P<task>det|rec)$")
_ORIENTATION = "textline_ori"
#: The better first.
_SIZES = ("server", "medium", "mobile", "small", "tiny")
#: Since this version the main model reads Latin writing, too (PaddleOCR's own table of languages).
_LATIN_IN_MAIN = 6


@dataclass(frozen=True, slots=True)
class PaddleModel:
    """One model folder."""

    path: Path
    name: str

    @property
    def parameters(self) -> tuple[Path, ...]:
        """Network and weights in Paddle's own format; empty when they are not both there."""
        network = next((p for p in self._files("inference.json", "inference.pdmodel")), None)
        weights = next((p for p in self._files("inference.pdiparams")), None)
        return (network, weights) if network and weights else ()

    @property
    def onnx(self) -> tuple[Path, ...]:
        """The ONNX file, when it is there."""
        return tuple(self._files("inference.onnx"))

    @property
    def files(self) -> tuple[Path, ...]:
        """What will be loaded."""
        return self.parameters or self.onnx

    def _files(self, *names: str) -> Iterable[Path]:
        return (self.path / name for name in names if (self.path / name).is_file())


@dataclass(frozen=True, slots=True)
class PaddleModels:
    """The models to read with. ``runtime``: ``paddle``, or ``onnxruntime`` when all are ONNX files."""

    detection: PaddleModel
    recognition: PaddleModel
    orientation: PaddleModel | None
    runtime: str
    fingerprint: str

    @property
    def all(self) -> tuple[PaddleModel, ...]:
        """Each of them."""
        rest = (self.orientation,) if self.orientation else ()
        return (self.detection, self.recognition, *rest)


def paddle_models(config: EngineConfig) -> PaddleModels:
    """Choose among the folders. Raises EngineUnavailable naming what is missing and how to get it."""
    wanted = family(config.ocr_language)
    folder, found = _look(config)
    readers = [model for model in found if _task(model) == "rec"]
    detection = _best(model for model in found if _task(model) == "det")
    recognition = _reader(readers, wanted, english=codes(config.ocr_language) == ("en",))
    if detection is None:
        raise _missing("finds lines", "PP-OCRv5_server_det", folder)
    if recognition is None:
        raise _no_reader(readers, wanted, folder)
    orientation = next((model for model in reversed(found) if _ORIENTATION in model.name), None)
    chosen = [detection, recognition, *([orientation] if orientation else [])]
    return PaddleModels(detection, recognition, orientation, _runtime(chosen), _fingerprint(chosen))


def _look(config: EngineConfig) -> tuple[Path, list[PaddleModel]]:
    """The first folder that holds models, and those; otherwise where they should be, and none."""
    if config.ocr_model_dir is not None:
        places = [config.ocr_model_dir]
    else:
        places = [config.model_cache_dir / ENGINE]
        if home := os.environ.get("PADDLE_PDX_CACHE_HOME"):
            places.append(Path(home) / "official_models")
    for place in places:
        if found := list(_models_in(place)):
            return place, found
    return places[0], []


def _models_in(place: Path) -> Iterable[PaddleModel]:
    for path in sorted(place.glob(f"*/{_CONFIG}")):
        try:
            name = _NAME.search(path.read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError) as error:
            raise EngineUnavailable(f"{path} cannot be read: {error}.", "Fetch it again.") from error
        if name is None:
            raise EngineUnavailable(f"{path} does not say model_name.", "Fetch it again, or remove it.")
        yield PaddleModel(path.parent, name[1])


def _task(model: PaddleModel) -> str:
    match = _OCR.match(model.name)
    return match["task"] if match else ""


def _best(models: Iterable[PaddleModel]) -> PaddleModel | None:
    """The newest version; of one version the largest."""

    def rank(model: PaddleModel) -> tuple[int, int]:
        match = _OCR.match(model.name)
        if match is None:
            return (0, 0)
        size = match["size"]
        return int(match["version"]), -(_SIZES.index(size) if size in _SIZES else len(_SIZES))

    return max(models, key=rank, default=None)


def _reader(readers: list[PaddleModel], wanted: str | None, *, english: bool) -> PaddleModel | None:
    """The recognition model for a family; without one the main model, or the only family there is."""
    by_family: dict[str, list[PaddleModel]] = {}
    for model in readers:
        match = _OCR.match(model.name)
        if match is not None:
            by_family.setdefault(match["family"] or MAIN, []).append(model)
            if not match["family"] and int(match["version"]) >= _LATIN_IN_MAIN:
                by_family.setdefault("main reads latin", []).append(model)
    fallbacks = {LATIN: ["main reads latin"], "eslav": ["cyrillic"]}.get(wanted or "", [])
    if english:
        order = ["en", MAIN, LATIN, *by_family]
    elif wanted is None:
        order = [MAIN, *(by_family if len(by_family) == 1 else [])]
    else:
        order = [wanted, *fallbacks]
    return next((_best(by_family[name]) for name in order if name in by_family), None)


def _no_reader(readers: list[PaddleModel], wanted: str | None, folder: Path) -> EngineUnavailable:
    if wanted is None and readers:
        names = ", ".join(model.name for model in readers)
        return EngineUnavailable(
            f"{folder} has several models that read ({names}) and OCR_LANGUAGE=auto does not say which.",
            "Set OCR_LANGUAGE to the language of the writing.",
        )
    name = "PP-OCRv5_server_rec" if wanted in (None, MAIN) else f"{wanted}_PP-OCRv5_mobile_rec"
    return _missing(f"reads {wanted or 'lines'}", name, folder)


def _missing(what: str, name: str, folder: Path) -> EngineUnavailable:
    return EngineUnavailable(
        f"No PaddleOCR model that {what} in {folder}.",
        f"Run `manage.py download_models --profile {name}`, or place the folder {name} there, with "
        "inference.yml, inference.json and inference.pdiparams (or inference.onnx), as published at "
        f"https://huggingface.co/PaddlePaddle/{name}.",
    )


def _runtime(chosen: list[PaddleModel]) -> str:
    for model in chosen:
        if not model.files:
            raise EngineUnavailable(
                f"{model.path} has neither inference.json and inference.pdiparams nor inference.onnx.",
                f"Run `manage.py download_models --profile {model.name}`, or copy the whole folder again.",
            )
    if all(model.parameters for model in chosen):
        return "paddle"
    if all(model.onnx for model in chosen):
        return "onnxruntime"
    names = ", ".join(model.name for model in chosen)
    raise EngineUnavailable(
        f"Of {names} some are ONNX files and some are Paddle's.", "Place all of them in the same format."
    )


def _fingerprint(chosen: list[PaddleModel]) -> str:
    """Eight hex digits over the configurations (characters included) and the sizes of the weights."""
    digest = hashlib.sha256()
    for model in chosen:
        digest.update(model.name.encode() + (model.path / _CONFIG).read_bytes())
        for file in model.files:
            digest.update(f"{file.name}:{file.stat().st_size};".encode())
    return digest.hexdigest()[:8]
