"""The engines of this process, configured from the settings. One registry a process, made at first use."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from django.conf import settings

from vision.config import EngineConfig

if TYPE_CHECKING:
    from vision.registry import Registry


def engine_config() -> EngineConfig:
    """The settings as the vision floor wants them."""
    return EngineConfig(
        model_cache_dir=Path(settings.MODEL_CACHE_DIR),
        clip_onnx_dir=Path(settings.CLIP_ONNX_DIR) if settings.CLIP_ONNX_DIR else None,
        device=settings.DEVICE,
        tagger=settings.TAGGER,
        tag_language=settings.TAG_LANGUAGE,
        threads=settings.MODEL_THREADS,
        ocr_min_confidence=settings.OCR_MIN_CONFIDENCE,
        face_min_confidence=settings.FACE_MIN_CONFIDENCE,
        tag_min_confidence=settings.TAG_MIN_CONFIDENCE,
    )


@lru_cache(maxsize=4)
def _registry(config: EngineConfig) -> Registry:
    from vision.registry import Registry

    return Registry(config)


def registry() -> Registry:
    """The registry for today's settings; engines in it load at their first batch."""
    return _registry(engine_config())
