"""What the engines need to know about this installation; built from the settings by ``library.engines``."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal


@dataclass(frozen=True, slots=True)
class EngineConfig:
    """Frozen configuration of all engines of a process.

    Downloaded weights lie in ``model_cache_dir/<engine>/<id>`` (``vision.weights``); without
    ``clip_onnx_dir`` the CLIP that lies there is used.
    """

    model_cache_dir: Path
    clip_onnx_dir: Path | None = None
    device: Literal["auto", "cpu", "cuda"] = "auto"
    tagger: Literal["zero_shot", "ram_plus"] = "zero_shot"
    tag_language: Literal["en", "zh"] = "en"
    threads: int = 0
    ocr_min_confidence: float = 0.5
    face_min_confidence: float = 0.3
    tag_min_confidence: float = 0.5
    tags_per_photo: int = 10
