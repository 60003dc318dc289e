"""Which engine stands behind a port, by the configuration. Making one reads only small files.

Packages that are an extra are imported here at need, so that the lean install does without them. Every
function raises EngineUnavailable, with reason and remedy, when what was chosen cannot run.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from importlib.util import find_spec

from vision.config import EngineConfig
from vision.errors import EngineUnavailable
from vision.ports import Describer, Embedder, FaceAnalyzer, PerceptualHasher, Tagger, TextReader
from vision.weights import downloaded


def embedder(config: EngineConfig) -> Embedder:
    """OpenCLIP on torch, or ONNX CLIP from the folder that is configured, otherwise the downloaded one."""
    if config.embedder == "openclip":
        from vision.embedders.openclip import OpenClip

        return OpenClip(config)
    from vision.embedders.onnx_clip import OnnxClip

    folder = config.clip_onnx_dir or downloaded("clip", config.model_cache_dir)
    return OnnxClip(folder, config)


def tagger(config: EngineConfig, vocabulary: Sequence[str], embedder: Embedder | None) -> Tagger:
    """RAM++, which brings its words, or zero-shot (a VectorTagger) for these words and the list."""
    if config.tagger == "ram_plus":
        from vision.taggers.ram_plus import RamPlusTagger

        return RamPlusTagger(config, language=config.tag_language)
    from vision.taggers.zero_shot import ZeroShotTagger

    if embedder is None:
        raise ValueError("The zero-shot tagger needs an embedder.")
    if not vocabulary and config.tag_list == "none":
        raise EngineUnavailable(
            "The tag vocabulary is empty.", "Add tags to categories in the admin, or set TAG_LIST=everyday."
        )
    return ZeroShotTagger(embedder, vocabulary, config)


def reader(config: EngineConfig) -> TextReader:
    """PaddleOCR with the models that were placed or downloaded, or RapidOCR with those of its package."""
    if config.reader == "paddleocr":
        from vision.readers.paddle_ocr import PaddleOcrReader

        return PaddleOcrReader(config)
    from vision.readers.rapid_ocr import RapidOcrReader

    return RapidOcrReader(config)


def faces(config: EngineConfig) -> FaceAnalyzer:
    """The face engine of the configuration.

    ``auto`` is the best of which package and weights are there: InsightFace, YuNet with SFace, dlib. A folder
    that the configuration names (``face_model_dir``) decides instead, by what lies in it.
    """
    from vision.faces import dlib_faces, insight_faces, yunet_sface

    makers: dict[str, Callable[[EngineConfig], FaceAnalyzer]] = {
        "insightface": insight_faces.InsightFaces,
        "yunet_sface": yunet_sface.YunetSface,
        "dlib": dlib_faces.DlibFaces,
    }
    name: str = config.face_engine
    if name == "auto" and config.face_model_dir is not None:
        name = "yunet_sface" if yunet_sface.belongs(config.face_model_dir) else "insightface"
    elif name == "auto":
        name = _first_there(config, insight_faces.find_pack, yunet_sface.find_weights)
    return makers[name](config)


def _first_there(
    config: EngineConfig,
    pack: Callable[[EngineConfig], object],
    weights: Callable[[EngineConfig], object],
) -> str:
    """The first face engine whose files are there; whether it can run is for the engine itself to say."""
    for name, find in (("insightface", pack), ("yunet_sface", weights)):
        try:
            find(config)
        except EngineUnavailable:
            continue
        return name
    return "dlib"


def hasher() -> PerceptualHasher:
    """The perceptual hash."""
    if find_spec("pdqhash") is None:
        raise EngineUnavailable("The package pdqhash is not installed.", "Run `make install` (it needs g++).")
    from vision.hashing import PdqHasher

    return PdqHasher()


def describer(config: EngineConfig) -> Describer:
    """The vision-language model, from the folder that the configuration names or the downloaded one."""
    if not config.descriptions:
        raise EngineUnavailable("Descriptions are switched off.", "Set DESCRIPTIONS=true.")
    from vision.describers.model_folder import find
    from vision.describers.vision_language import VisionLanguageDescriber

    return VisionLanguageDescriber(find(config), config)
