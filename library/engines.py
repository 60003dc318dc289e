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
        device=settings.DEVICE,
        precision=settings.MODEL_PRECISION,
        threads=settings.MODEL_THREADS,
        embedder=settings.EMBEDDER,
        clip_onnx_dir=_path(settings.CLIP_ONNX_DIR),
        openclip_model=settings.OPENCLIP_MODEL,
        openclip_checkpoint=_path(settings.OPENCLIP_CHECKPOINT),
        tagger=settings.TAGGER,
        tag_language=settings.TAG_LANGUAGE,
        tag_list=settings.TAG_LIST,
        tag_min_confidence=settings.TAG_MIN_CONFIDENCE,
        tags_per_photo=settings.TAGS_PER_PHOTO,
        reader=settings.READER,
        ocr_language=settings.OCR_LANGUAGE,
        ocr_model_dir=_path(settings.OCR_MODEL_DIR),
        ocr_prefilter=settings.OCR_PREFILTER,
        ocr_min_confidence=settings.OCR_MIN_CONFIDENCE,
        face_engine=settings.FACE_ENGINE,
        face_model=settings.FACE_MODEL,
        face_model_dir=_path(settings.FACE_MODEL_DIR),
        face_min_size=settings.FACE_MIN_SIZE,
        face_min_confidence=settings.FACE_MIN_CONFIDENCE,
        descriptions=settings.DESCRIPTIONS,
        description_model=settings.DESCRIPTION_MODEL,
        description_model_dir=_path(settings.DESCRIPTION_MODEL_DIR),
    )


def _path(value: Path | str | None) -> Path | None:
    return Path(value) if value else None


@lru_cache(maxsize=4)
def _registry(config: EngineConfig) -> Registry:
    from vision.registry import Registry

    return Registry(config)


def registry() -> Registry:
    """The registry for today's settings; engines in it load at their first batch."""
    return _registry(engine_config())
