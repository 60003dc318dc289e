"""The configuration of an embedder in a form that can be kept, and the way back to the embedder.

Vectors outlive settings: as long as those of a former model answer, texts have to be embedded by that model,
whatever the settings say by now.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from vision import choice
from vision.config import EngineConfig
from vision.errors import EngineUnavailable
from vision.ports import Embedder
from vision.results import SpaceInfo
from vision.weights import downloaded

#: Which fields of the configuration decide what each embedder is; all of them are texts or paths.
_FIELDS = {
    "onnx_clip": ("clip_onnx_dir",),
    "openclip": ("openclip_model", "openclip_checkpoint", "precision"),
}
_PATHS = ("clip_onnx_dir", "openclip_checkpoint")


def remember(config: EngineConfig) -> dict[str, str]:
    """What today's embedder was chosen by, as plain texts; paths are absolute.

    Raises EngineUnavailable when its weights are not there.
    """
    chosen: dict[str, Any] = {name: getattr(config, name) for name in _FIELDS[config.embedder]}
    if config.embedder == "onnx_clip" and config.clip_onnx_dir is None:
        chosen["clip_onnx_dir"] = downloaded("clip", config.model_cache_dir)
    kept = {
        name: str(Path(value).absolute() if name in _PATHS else value)
        for name, value in chosen.items()
        if value
    }
    return {"embedder": config.embedder} | kept


def former_embedder(info: SpaceInfo, source: Mapping[str, Any], config: EngineConfig) -> Embedder | None:
    """The embedder of a space: as it was remembered, else of any CLIP folder in the model cache; or None.

    Only small files are read. Device and threads are today's.
    """
    for candidate in _candidates(source, config):
        try:
            found = choice.embedder(candidate)
        except EngineUnavailable:
            continue
        if found.space == info:
            return found
    return None


def settings_of(source: Mapping[str, Any]) -> str:
    """The settings that choose this embedder again, as lines of a ``.env`` file would have them."""
    names = {"precision": "MODEL_PRECISION"}
    ordered = sorted(source.items(), key=lambda item: (item[0] != "embedder", item[0]))
    return " ".join(f"{names.get(name, name.upper())}={value}" for name, value in ordered)


def _candidates(source: Mapping[str, Any], config: EngineConfig) -> Iterator[EngineConfig]:
    fields = _FIELDS.get(str(source.get("embedder")))
    if fields is not None:
        paths = dict.fromkeys(_PATHS) | {name: Path(source[name]) for name in _PATHS if source.get(name)}
        texts = {name: source[name] for name in fields if name not in _PATHS and source.get(name)}
        chosen: dict[str, Any] = {"embedder": source["embedder"], **texts, **paths}
        yield replace(config, **chosen)
    cache = config.model_cache_dir / "clip"
    for folder in sorted(cache.iterdir()) if cache.is_dir() else ():
        yield replace(config, embedder="onnx_clip", clip_onnx_dir=folder)
