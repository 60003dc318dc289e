"""A CLIP model as a folder: the layout of the public OpenCLIP ONNX exports, read without loading the model.

::

    config.json                       embed_dim, text_cfg.context_length; heirloom.space in our exports
    visual/model.onnx                 the image tower
    visual/preprocess_cfg.json        size, mean, std, interpolation, resize_mode
    textual/model.onnx                the text tower
    textual/tokenizer.json            a Hugging Face "tokenizers" file
    textual/tokenizer_config.json     pad_token
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vision.embedders.preprocess import Preprocess, parse_preprocess
from vision.embedders.tokenizer import Clean, TokenizerFiles, parse_clean, read_token, read_zeroed
from vision.errors import EngineUnavailable
from vision.results import SpaceInfo

ENGINE = "onnx_clip"
#: The engine of a space that any runtime may write: OpenCLIP's weights under OpenCLIP's name.
CLIP_SPACE = "clip"
REMEDY = (
    "Run `manage.py download_models --profile clip`, or set CLIP_ONNX_DIR to a folder in the "
    "OpenCLIP ONNX layout (see docs/models.md)."
)
_CONFIG = "config.json"
_PREPROCESS = "visual/preprocess_cfg.json"
_TOKENIZER_CONFIG = "textual/tokenizer_config.json"
SMALL_FILES = (_CONFIG, _PREPROCESS, _TOKENIZER_CONFIG)
_FILES = (
    _CONFIG,
    "visual/model.onnx",
    _PREPROCESS,
    "textual/model.onnx",
    "textual/tokenizer.json",
    _TOKENIZER_CONFIG,
)


@dataclass(frozen=True, slots=True)
class ClipFolder:
    """What the small files of a model folder say."""

    path: Path
    space: SpaceInfo
    context_length: int
    clean: Clean
    pad_token: str
    zeroed: str | None
    preprocess: Preprocess

    @property
    def visual_model(self) -> Path:
        """The image tower."""
        return self.path / "visual" / "model.onnx"

    @property
    def textual_model(self) -> Path:
        """The text tower."""
        return self.path / "textual" / "model.onnx"

    @property
    def tokens(self) -> TokenizerFiles:
        """The tokenizer of the text tower, and its rules."""
        path = self.path / "textual" / "tokenizer.json"
        return TokenizerFiles(
            path, self.pad_token, self.zeroed, self.context_length, self.clean, remedy=REMEDY
        )


def read_clip_folder(path: Path | None) -> ClipFolder:
    """Check a model folder and read its small files; takes about a millisecond.

    Raises EngineUnavailable naming the file (and field) that is missing or malformed.
    """
    if path is None:
        raise EngineUnavailable("No CLIP model folder.", REMEDY)
    if not path.is_dir():
        raise EngineUnavailable(f"The CLIP model folder {path} does not exist.", REMEDY)
    for name in _FILES:
        if not (path / name).is_file():
            raise EngineUnavailable(f"The CLIP model folder {path} has no file {name}.", REMEDY)
    config = _read_json(path, _CONFIG)
    text = config.get("text_cfg")
    if not isinstance(text, dict):
        raise _malformed(path, _CONFIG, "text_cfg is missing")
    return ClipFolder(
        path=path,
        space=_space(path, config),
        context_length=_positive(path, text.get("context_length", 77), "text_cfg.context_length"),
        clean=_clean(path, text),
        pad_token=read_token(path / _TOKENIZER_CONFIG, "pad_token", REMEDY),
        zeroed=read_zeroed(path / _TOKENIZER_CONFIG, text, REMEDY),
        preprocess=_preprocess(path),
    )


def _space(path: Path, config: dict[str, Any]) -> SpaceInfo:
    """As the export says it, for exports that do (ours); otherwise a space of this folder's content."""
    dimensions = _positive(path, config.get("embed_dim"), "embed_dim")
    own = config.get("heirloom")
    if own is None:
        name = f"{_model_name(config, path)}@{_fingerprint(path)}"
        return SpaceInfo(engine=ENGINE, model=name, dimensions=dimensions)
    space = own.get("space") if isinstance(own, dict) else None
    engine, model = (space.get("engine"), space.get("model")) if isinstance(space, dict) else (None, None)
    if engine not in (ENGINE, CLIP_SPACE) or not isinstance(model, str) or not 0 < len(model) <= 200:
        raise _malformed(path, _CONFIG, f"heirloom.space is {space!r}; engine and model are needed")
    return SpaceInfo(engine=engine, model=model, dimensions=dimensions)


def _read_json(path: Path, name: str) -> dict[str, Any]:
    try:
        content = json.loads((path / name).read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise _malformed(path, name, str(error)) from error
    if not isinstance(content, dict):
        raise _malformed(path, name, "it holds no JSON object")
    return content


def _malformed(path: Path, name: str, why: str) -> EngineUnavailable:
    return EngineUnavailable(f"{path / name} cannot be used: {why}.", REMEDY)


def _model_name(config: dict[str, Any], path: Path) -> str:
    """The name the export gives itself, or the folder's; slashes would make the engine's name ambiguous."""
    name = config.get("model_name") or config.get("name") or path.resolve().name
    return str(name).replace("/", "_")[:80]


def _positive(path: Path, value: object, field: str) -> int:
    if type(value) is not int or value < 1:
        raise _malformed(path, _CONFIG, f"{field} is {value!r}, not a whole number above 0")
    return value


def _clean(path: Path, text: dict[str, Any]) -> Clean:
    try:
        return parse_clean(text, default="whitespace")
    except ValueError as error:
        raise _malformed(path, _CONFIG, f"text_cfg.{error}") from error


def _preprocess(path: Path) -> Preprocess:
    try:
        return parse_preprocess(_read_json(path, _PREPROCESS))
    except ValueError as error:
        raise _malformed(path, _PREPROCESS, str(error)) from error


def _fingerprint(path: Path) -> str:
    """Eight hex digits over the two configurations and the sizes of the weights.

    Hashing gigabytes of weights at every start would cost more than it tells: two exports of one model that
    differ (precision, graph) differ in size.
    """
    digest = hashlib.sha256()
    for name in (_CONFIG, _PREPROCESS):
        digest.update((path / name).read_bytes())
    for tower in ("visual", "textual"):
        for file in sorted((path / tower).glob("model.onnx*")):
            digest.update(f"{tower}/{file.name}:{file.stat().st_size};".encode())
    return digest.hexdigest()[:8]
