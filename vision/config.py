"""What the engines need to know about this installation; built from the settings by ``library.engines``."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

Device = Literal["auto", "cpu", "cuda"]
Precision = Literal["auto", "fp32", "fp16", "bf16"]


@dataclass(frozen=True, slots=True)
class EngineConfig:
    """Frozen configuration of all engines of a process.

    Downloaded weights lie in ``model_cache_dir/<engine>/<id>`` (``vision.weights``); a path that is None
    means: use those. ``precision`` is that of the engines that run on torch; ``auto`` is float32 on a
    processor and float16 on a graphics card (descriptions: the type their weights are stored in).
    ``face_min_size`` is in pixels of the picture as it is given. ``tag_list`` is ``everyday`` (the shipped
    list), ``none``, or the path of a file with a tag a line (``vision.taggers.tag_list``).
    """

    model_cache_dir: Path
    device: Device = "auto"
    precision: Precision = "auto"
    threads: int = 0
    embedder: Literal["onnx_clip", "openclip"] = "onnx_clip"
    clip_onnx_dir: Path | None = None
    openclip_model: str = "ViT-H-14/laion2b_s32b_b79k"
    openclip_checkpoint: Path | None = None
    tagger: Literal["zero_shot", "ram_plus"] = "zero_shot"
    tag_language: Literal["en", "zh"] = "en"
    tag_list: str = "none"
    tag_min_confidence: float = 0.5
    tags_per_photo: int = 10
    reader: Literal["rapidocr", "paddleocr"] = "rapidocr"
    ocr_language: str = "auto"
    ocr_model_dir: Path | None = None
    ocr_prefilter: bool = True
    ocr_min_confidence: float = 0.5
    face_engine: Literal["auto", "insightface", "yunet_sface", "dlib"] = "auto"
    face_model: str = "buffalo_l"
    face_model_dir: Path | None = None
    face_min_size: int = 24
    face_min_confidence: float = 0.3
    descriptions: bool = False
    description_model: str = "HuggingFaceTB/SmolVLM-500M-Instruct"
    description_model_dir: Path | None = None
