"""A vision-language model as a folder in the layout of the transformers library. Reads small files only."""

from __future__ import annotations

import hashlib
import json
from functools import lru_cache
from pathlib import Path
from typing import Any

from vision.config import EngineConfig
from vision.errors import EngineUnavailable
from vision.weights import Model, WeightsMissing, digest, manifest, state, verify

ENGINE = "describer"
CONFIG = "config.json"
TOKENIZER = "tokenizer.json"
PROCESSORS = ("preprocessor_config.json", "processor_config.json")
WEIGHTS = "model.safetensors"
INDEX = f"{WEIGHTS}.index.json"
_OTHERS = ("generation_config.json", "tokenizer_config.json", "chat_template.json", "chat_template.jinja")
#: A weights file is known by its size, its head (names, types, shapes), and this much of its end.
_TAIL = 64 * 1024
_LARGEST_HEADER = 100 * 1024 * 1024


def find(config: EngineConfig) -> Path:
    """The folder that the configuration names, otherwise that of the downloaded model of this name.

    Raises EngineUnavailable when there is none, or when its download is not finished.
    """
    if config.description_model_dir is not None:
        return config.description_model_dir
    model = _in_manifest(config.description_model)
    if model is None:
        known = ", ".join(entry.homepage.split("/", 3)[-1] for entry in manifest() if entry.engine == ENGINE)
        raise EngineUnavailable(
            f"DESCRIPTION_MODEL={config.description_model} is no model that download_models knows ({known}).",
            "Set DESCRIPTION_MODEL_DIR to a folder with its files, or DESCRIPTION_MODEL to a known one.",
        )
    found = state(model, config.model_cache_dir)
    if found == "missing":
        raise WeightsMissing(
            f"The weights of {config.description_model} are not there.", f"Run `{model.command}`."
        )
    verify(model, config.model_cache_dir, content=False)
    return model.folder(config.model_cache_dir)


def _in_manifest(name: str) -> Model | None:
    """The hub's name of a model is its publisher and our id."""
    wanted = name.rpartition("/")[2]
    return next((model for model in manifest() if model.engine == ENGINE and model.id == wanted), None)


def weights_files(folder: Path) -> list[Path]:
    """The safetensors files of the model, one or several. Raises EngineUnavailable when one is missing."""
    if (folder / WEIGHTS).is_file() or not (folder / INDEX).is_file():
        names = {WEIGHTS}
    else:
        names = set(map(str, _json(folder / INDEX).get("weight_map", {}).values())) or {WEIGHTS}
    paths = [folder / name for name in sorted(names)]
    missing = [path.name for path in paths if not path.is_file()]
    if missing:
        raise EngineUnavailable(
            f"{folder} has no {', '.join(missing)}.",
            "Copy the model's safetensors files there; other formats may hold code and are not loaded.",
        )
    return paths


def check(folder: Path) -> None:
    """Raise EngineUnavailable naming what is missing or broken."""
    missing = [name for name in (CONFIG, TOKENIZER) if not (folder / name).is_file()]
    if not any((folder / name).is_file() for name in PROCESSORS):
        missing.append(" or ".join(PROCESSORS))
    if missing:
        raise EngineUnavailable(
            f"{folder} has no {', '.join(missing)}.",
            "Copy every file of the model's page there (DESCRIPTION_MODEL_DIR), or unset it and run "
            "`manage.py download_models --profile SmolVLM-500M-Instruct`.",
        )
    if not isinstance(_json(folder / CONFIG).get("model_type"), str):
        raise EngineUnavailable(f"{folder / CONFIG} has no model_type.", "Is it a model for transformers?")
    weights_files(folder)


def fingerprint(folder: Path, *settings: object) -> str:
    """Eight hex digits over the small files, the weights' heads and ends, and the settings given.

    Raises EngineUnavailable when a file cannot be read or is not whole.
    """
    total = hashlib.sha256(repr(settings).encode())
    try:
        for name in (CONFIG, TOKENIZER, *PROCESSORS, *_OTHERS):
            if (folder / name).is_file():
                total.update(f"{name}:{digest(folder / name)}|".encode())
        for path in weights_files(folder):
            found = path.stat()
            total.update(_outline(path, found.st_size, found.st_mtime_ns, found.st_ino))
    except OSError as error:
        raise EngineUnavailable(f"{folder} cannot be read: {error}.", "Check its permissions.") from error
    return total.hexdigest()[:8]


@lru_cache(maxsize=64)
def _outline(path: Path, size: int, changed: int, inode: int) -> bytes:
    """A digest of size, header and end. Raises EngineUnavailable when the file is not whole.

    The format: https://huggingface.co/docs/safetensors (8 bytes length, a JSON header, the numbers).
    """
    broken = EngineUnavailable(
        f"{path} ({size:,} bytes) is incomplete or no safetensors file.",
        "Fetch it again: it may be half, or a Git LFS pointer.",
    )
    with path.open("rb") as stream:
        length = int.from_bytes(stream.read(8), "little")
        if not 2 <= length <= min(size, _LARGEST_HEADER):
            raise broken
        header = stream.read(length)
        try:
            parts = [part for name, part in json.loads(header).items() if name != "__metadata__"]
            expected = 8 + length + max((int(part["data_offsets"][1]) for part in parts), default=0)
        except (ValueError, KeyError, TypeError, AttributeError, IndexError) as error:
            raise broken from error
        if expected != size:
            raise broken
        stream.seek(max(8 + length, size - _TAIL))
        return hashlib.sha256(b"%d|" % size + header + stream.read()).digest()


def _json(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise EngineUnavailable(f"{path} cannot be read: {error}.", "Copy it again.") from error
    if not isinstance(content, dict):
        raise EngineUnavailable(f"{path} holds no JSON object.", "Copy it again.")
    return content
