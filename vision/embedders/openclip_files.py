"""Where an OpenCLIP model lies and what it is, found by looking at files: no torch, no network.

::

    MODEL_CACHE_DIR/openclip/<model>__<weights>/
        open_clip_model.safetensors       or one of the other names OpenCLIP's weights are published under
        open_clip_config.json             model_cfg, preprocess_cfg; only for a model OpenCLIP does not know
        tokenizer.json                    these two only for models with a tokenizer of their own (SigLIP)
        tokenizer_config.json
        text/config.json                  only for models whose text tower is one of transformers'

or the same beside the file that OPENCLIP_CHECKPOINT names.
"""

from __future__ import annotations

import difflib
import hashlib
import json
from dataclasses import dataclass
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from vision.config import EngineConfig
from vision.embedders.clip_folder import CLIP_SPACE
from vision.embedders.tokenizer import TokenizerFiles, parse_clean, read_token, read_zeroed
from vision.errors import EngineUnavailable
from vision.results import SpaceInfo
from vision.weights import manifest

ENGINE = "openclip"
CONFIG = "open_clip_config.json"
WEIGHTS = (
    "open_clip_model.safetensors",
    "open_clip_pytorch_model.safetensors",
    "open_clip_pytorch_model.bin",
    "model.safetensors",
)
SUFFIXES = (".safetensors", ".pt", ".pth", ".bin")
PACKAGES = (
    "Run `.venv/bin/python -m pip install 'open-clip-torch>=3.3'` (docs/models.md says with which torch)."
)
_SAMPLES = 16
_SAMPLE = 64 * 1024


@dataclass(frozen=True, slots=True)
class OpenClipFiles:
    """One model on disk. ``reference`` is what OpenCLIP calls its configuration by."""

    model: str
    tag: str
    checkpoint: Path
    reference: str
    text_cfg: dict[str, Any]
    space: SpaceInfo
    context_length: int
    tokenizer: TokenizerFiles | None
    text_folder: Path | None

    @property
    def own_config(self) -> bool:
        """Whether the configuration lies beside the weights, not in the package."""
        return self.reference != self.model


def find_openclip(config: EngineConfig) -> OpenClipFiles:
    """The model of ``openclip_model`` and ``openclip_checkpoint``; takes about a millisecond.

    Raises EngineUnavailable, naming file or setting, when a package, the weights or a tokenizer is missing.
    """
    for package in ("torch", "open_clip"):
        if find_spec(package) is None:
            name = "open-clip-torch" if package == "open_clip" else package
            raise EngineUnavailable(f"The package {name} is not installed.", PACKAGES)
    model, _, tag = config.openclip_model.partition("/")
    if not model or not tag:
        reason = f"OPENCLIP_MODEL is {config.openclip_model!r}."
        raise EngineUnavailable(reason, "Set it to <model>/<weights>, such as ViT-B-32/openai.")
    checkpoint = _checkpoint(config, model, tag)
    own = checkpoint.parent / CONFIG
    settings = _model_config(own, model)
    text = settings["text_cfg"]
    remedy = f"Copy it from where the weights came from to {checkpoint.parent}."
    return OpenClipFiles(
        model=model,
        tag=tag,
        checkpoint=checkpoint,
        reference=f"local-dir:{own.parent}" if own.is_file() else model,
        text_cfg=text,
        space=_space(config, model, tag, checkpoint, settings["embed_dim"]),
        context_length=int(text.get("context_length", 77)),
        tokenizer=_tokenizer(checkpoint.parent, model, text, remedy),
        text_folder=_text_folder(checkpoint.parent, model, text, remedy),
    )


def _checkpoint(config: EngineConfig, model: str, tag: str) -> Path:
    own = config.openclip_checkpoint
    if own is not None:
        if not own.is_file():
            raise EngineUnavailable(f"OPENCLIP_CHECKPOINT names {own}, which does not exist.", "Correct it.")
        if own.suffix not in SUFFIXES:
            reason = f"OPENCLIP_CHECKPOINT names {own}; its name must end in {', '.join(SUFFIXES)}."
            raise EngineUnavailable(reason, "Name a file of weights.")
        return own
    name = f"{model}__{tag}"
    folder = config.model_cache_dir / ENGINE / name
    found = [folder / file for file in WEIGHTS if (folder / file).is_file()]
    if found:
        return found[0]
    known = next((entry for entry in manifest() if (entry.engine, entry.id) == (ENGINE, name)), None)
    command = f"Run `{known.command}`, or copy" if known else "Copy"
    raise EngineUnavailable(
        f"There are no weights of {model}/{tag}: {folder} has no {WEIGHTS[0]}.",
        f"{command} the files there, or set OPENCLIP_CHECKPOINT to a file of weights.",
    )


def _model_config(own: Path, model: str) -> dict[str, Any]:
    """The model's architecture: from the file beside the weights, otherwise from the package."""
    spec = find_spec("open_clip")
    folders = [Path(place) / "model_configs" for place in (spec and spec.submodule_search_locations) or ()]
    path = (
        own
        if own.is_file()
        else next((file for f in folders if (file := f / f"{model}.json").is_file()), None)
    )
    if path is None:
        known = [file.stem for folder in folders for file in folder.glob("*.json")]
        near = ", ".join(difflib.get_close_matches(model, known)) or "see `open_clip.list_models()`"
        reason = f"OpenCLIP knows no model {model!r}, and {own} does not exist."
        raise EngineUnavailable(reason, f"Correct OPENCLIP_MODEL ({near}) or copy that file there.")
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        settings = content["model_cfg"] if path == own else content
        if type(settings["embed_dim"]) is not int or not isinstance(settings["text_cfg"], dict):
            raise ValueError("embed_dim or text_cfg is wrong")
    except (OSError, ValueError, KeyError, TypeError) as error:
        reason = f"{path} cannot be used: {error!r}."
        raise EngineUnavailable(reason, "Fetch the file again: model_cfg, embed_dim, text_cfg.") from error
    found: dict[str, Any] = settings
    return found


def _tokenizer(folder: Path, model: str, text: dict[str, Any], remedy: str) -> TokenizerFiles | None:
    """The tokenizer's files; None for CLIP's own, which is in the package."""
    try:
        clean = parse_clean(text, default="whitespace" if text.get("hf_tokenizer_name") else "lower")
    except ValueError as error:
        reason = f"The texts of {model} cannot be read here: {error}."
        raise EngineUnavailable(reason, "Choose another OPENCLIP_MODEL.") from error
    if not text.get("hf_tokenizer_name"):
        return None
    for name in ("tokenizer.json", "tokenizer_config.json"):
        if not (folder / name).is_file():
            reason = f"{model} has a tokenizer of its own: {folder / name} is missing."
            raise EngineUnavailable(reason, remedy)
    rules = folder / "tokenizer_config.json"
    return TokenizerFiles(
        path=folder / "tokenizer.json",
        pad_token=read_token(rules, "pad_token", remedy),
        zeroed=read_zeroed(rules, text, remedy),
        context_length=int(text.get("context_length", 77)),
        clean=clean,
        remedy=remedy,
    )


def _text_folder(folder: Path, model: str, text: dict[str, Any], remedy: str) -> Path | None:
    if not text.get("hf_model_name"):
        return None
    if find_spec("transformers") is None:
        raise EngineUnavailable(
            f"The text tower of {model} needs the package transformers, which is not installed.",
            "Run `.venv/bin/python -m pip install transformers`.",
        )
    path = folder / "text" / "config.json"
    if not path.is_file():
        reason = f"The text tower of {model} is {text['hf_model_name']}: {path} is missing."
        raise EngineUnavailable(reason, f"Copy config.json of {text['hf_model_name']} there.")
    return path.parent


def _space(config: EngineConfig, model: str, tag: str, checkpoint: Path, dimensions: int) -> SpaceInfo:
    """OpenCLIP's name for its own weights; weights of one's own are told apart by their content."""
    name = f"{model}/{tag}"
    if config.openclip_checkpoint is not None:
        name += f"@{fingerprint(checkpoint)}"
    return SpaceInfo(engine=CLIP_SPACE, model=name, dimensions=dimensions)


def fingerprint(checkpoint: Path) -> str:
    """Eight hex digits over size and samples of the weights and the configuration beside them."""
    found, own = checkpoint.stat(), checkpoint.parent / CONFIG
    digest = hashlib.sha256(_samples(checkpoint, found.st_size, found.st_mtime_ns, found.st_ino))
    if own.is_file():
        digest.update(own.read_bytes())
    return digest.hexdigest()[:8]


@lru_cache(maxsize=8)
def _samples(path: Path, size: int, changed: int, inode: int) -> bytes:
    """Begin, end and places between stand for all: training changes every tensor."""
    digest = hashlib.sha256(str(size).encode())
    with path.open("rb") as stream:
        for number in range(_SAMPLES):
            stream.seek(max(0, size - _SAMPLE) * number // (_SAMPLES - 1))
            digest.update(stream.read(_SAMPLE))
    return digest.digest()
