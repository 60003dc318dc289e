"""Which model files RapidOCR reads with: of its package, of OCR_MODEL_DIR, or downloaded for a language.

``OCR_MODEL_DIR`` may hold, all optional::

    <family>_PP-OCRv5_rec_mobile.onnx   recognition for OCR_LANGUAGE, under the name it is published with
    rec.onnx                            recognition, whatever the language
    det.onnx, cls.onnx                  detection; orientation of a line (0 or 180 degrees)

Beside a recognition model ``<its name>.txt`` holds its characters, a line each; models made for RapidOCR
have them inside.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from vision.config import EngineConfig
from vision.errors import EngineUnavailable
from vision.readers.languages import LATIN, MAIN, family
from vision.weights import WeightsMissing, manifest, state

#: RapidOCR's three models, by the section of its configuration.
MODELS = {
    "Det": "PP-OCRv6_det_small.onnx",
    "Cls": "ch_ppocr_mobile_v2.0_cls_mobile.onnx",
    "Rec": "PP-OCRv6_rec_small.onnx",
}
ENGINE = "rapidocr"
#: What the package's own recognition model reads (Greek without its accents).
BUNDLED = (MAIN, LATIN, "el")
_OWN = {"Det": "det.onnx", "Cls": "cls.onnx", "Rec": "rec.onnx"}
_REMEDY = "Run `make install` to get the whole rapidocr package with its models."
_HOMEPAGE = "https://www.modelscope.cn/models/RapidAI/RapidOCR (onnx/PP-OCRv5/rec)"


@dataclass(frozen=True, slots=True)
class RapidModels:
    """The files by section, the characters when they lie beside the model that reads, the language family.

    ``fingerprint`` is empty as long as all files are the package's own.
    """

    paths: dict[str, Path]
    keys: Path | None
    family: str | None
    fingerprint: str


def rapid_models(config: EngineConfig) -> RapidModels:
    """Look at files only; takes a millisecond. Raises EngineUnavailable naming what is missing."""
    wanted = family(config.ocr_language)
    bundled = bundled_models()
    found = _own_models(config.ocr_model_dir, wanted)
    if "Rec" not in found and wanted is not None:
        other = _downloaded(wanted, config.model_cache_dir)
        if other is not None:
            found["Rec"] = other
        elif wanted not in BUNDLED:
            raise _no_model_for(wanted, config)
    paths = bundled | found
    keys = paths["Rec"].with_suffix(".txt") if "Rec" in found else None
    return RapidModels(
        paths=paths,
        keys=keys if keys is not None and keys.is_file() else None,
        family=wanted,
        fingerprint=_fingerprint(found),
    )


def bundled_models() -> dict[str, Path]:
    """The files of the package. Raises EngineUnavailable when it, or one of them, is missing."""
    spec = find_spec("rapidocr")
    if spec is None or not spec.submodule_search_locations:
        raise EngineUnavailable("The package rapidocr is not installed.", _REMEDY)
    folder = Path(spec.submodule_search_locations[0]) / "models"
    paths = {section: folder / name for section, name in MODELS.items()}
    for path in paths.values():
        if not path.is_file():
            raise EngineUnavailable(f"RapidOCR's model {path} is missing.", _REMEDY)
    return paths


def language_model(wanted: str) -> str:
    """The name under which RapidOCR publishes the PP-OCRv5 recognition model of a family."""
    return f"{wanted}_PP-OCRv5_rec_mobile.onnx"


def _own_models(folder: Path | None, wanted: str | None) -> dict[str, Path]:
    if folder is None:
        return {}
    found = {section: folder / name for section, name in _OWN.items() if (folder / name).is_file()}
    if wanted is not None and (folder / language_model(wanted)).is_file():
        found["Rec"] = folder / language_model(wanted)
    if not found:
        names = [language_model(wanted)] if wanted else []
        raise EngineUnavailable(
            f"OCR_MODEL_DIR={folder} holds none of {', '.join([*names, *_OWN.values()])}.",
            "Place one of them there, or empty OCR_MODEL_DIR to use the models of the package.",
        )
    return found


def _downloaded(wanted: str, cache: Path) -> Path | None:
    """The model that ``download_models`` fetched for the family. Raises WeightsMissing for a half one."""
    name = language_model(wanted)
    model = next((m for m in manifest() if m.engine == ENGINE and m.files[0].path == name), None)
    if model is None:
        return None
    match state(model, cache):
        case "ready":
            return model.folder(cache) / name
        case "unfinished":
            raise WeightsMissing(f"The download of {model.id} is not finished.", f"Run `{model.command}`.")
    return None


def _no_model_for(wanted: str, config: EngineConfig) -> EngineUnavailable:
    name = language_model(wanted)
    return EngineUnavailable(
        f"OCR_LANGUAGE={config.ocr_language} needs {name}: RapidOCR's own model does not read it.",
        f"Run `manage.py download_models --profile {Path(name).stem}`, or place {name} in OCR_MODEL_DIR; "
        f"it is published at {_HOMEPAGE}.",
    )


def _fingerprint(found: dict[str, Path]) -> str:
    """Eight hex digits over names and sizes, as for CLIP: models that differ in nothing else are rare."""
    if not found:
        return ""
    named = ";".join(f"{s}:{path.name}:{path.stat().st_size}" for s, path in sorted(found.items()))
    return hashlib.sha256(named.encode()).hexdigest()[:8]
