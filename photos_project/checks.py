"""Misconfiguration that only shows on disk, as system checks with a hint: ``manage.py check`` tells them."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from django.apps import AppConfig
from django.conf import settings
from django.core.checks import CheckMessage, Error, Info, register
from django.core.checks import Warning as CheckWarning


@register("heirloom")
def check_folders(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[CheckMessage]:
    """Our own folders must be writable."""
    return [
        Error(
            f"{name} ({folder}) cannot be written.",
            hint=f"Give the user that runs Heirloom write access, or set {name} to another folder.",
            id="heirloom.E001",
        )
        for name, folder in _own_folders()
        if not _writable(folder)
    ]


@register("heirloom")
def check_photos(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[CheckMessage]:
    """A folder of originals that is not there is most often a disk that is not mounted."""
    return [
        CheckWarning(
            f"The folder {str(folder)!r} of PHOTOS_DIR does not exist or cannot be read.",
            hint="Mount the disk or correct PHOTOS_DIR. Photos already in the library stay there.",
            id="heirloom.W001",
        )
        for folder in settings.PHOTOS_DIR
        if not (folder.is_dir() and os.access(folder, os.R_OK | os.X_OK))
    ]


@register("heirloom")
def check_data_apart_from_originals(
    app_configs: Sequence[AppConfig] | None, **kwargs: Any
) -> list[CheckMessage]:
    """Nothing of ours is ever written among the originals."""
    return [
        Error(
            f"{name} ({folder}) lies inside the originals of PHOTOS_DIR ({root}).",
            hint=f"Set {name} to a folder outside: Heirloom never writes among the originals.",
            id="heirloom.E002",
        )
        for name, folder in _own_folders()
        for root in settings.PHOTOS_DIR
        if folder.is_relative_to(root)
    ]


@register("heirloom", deploy=True)
def check_embedder(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[CheckMessage]:
    """Search by description needs CLIP; everything else works without, so only ``check --deploy`` tells."""
    downloaded = (settings.MODEL_CACHE_DIR / "clip").glob("*/visual/model.onnx")
    if settings.CLIP_ONNX_DIR or any(downloaded):
        return []
    message = "No CLIP model is set up: search finds words (tags, text, names), not descriptions."
    hint = "Run 'manage.py download_models', or set CLIP_ONNX_DIR to a model's folder."
    return [Info(message, hint=hint, id="heirloom.I001")]


@register("heirloom")
def check_model_folder(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[CheckMessage]:
    """A folder that was named must hold a model."""
    folder: Path | None = settings.CLIP_ONNX_DIR
    if folder is None:
        return []
    missing = [part for part in ("visual/model.onnx", "textual/model.onnx") if not (folder / part).exists()]
    if not missing:
        return []
    message = f"CLIP_ONNX_DIR ({folder}) has no {' and no '.join(missing)}."
    hint = "Set it to the folder of an ONNX export of CLIP (layout in docs/models.md)."
    return [CheckWarning(message, hint=hint, id="heirloom.W002")]


@register("heirloom")
def check_host(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[CheckMessage]:
    """Who opens the server to the network must say under which names it is called."""
    local = {"localhost", "127.0.0.1", "[::1]", "::1"}
    if settings.HOST in local or set(settings.ALLOWED_HOSTS) - local:
        return []
    return [
        CheckWarning(
            f"HOST is {settings.HOST}, but ALLOWED_HOSTS names this machine only: other devices are refused.",
            hint="Set ALLOWED_HOSTS to the names and addresses people will type, separated by commas.",
            id="heirloom.W003",
        )
    ]


def _own_folders() -> list[tuple[str, Path]]:
    return [
        ("DATA_DIR", settings.DATA_DIR),
        ("THUMBNAIL_DIR", settings.THUMBNAIL_DIR),
        ("MODEL_CACHE_DIR", settings.MODEL_CACHE_DIR),
    ]


def _writable(folder: Path) -> bool:
    """Whether the folder can be written, or made where it is absent."""
    existing = next(parent for parent in (folder, *folder.parents) if parent.exists())
    return existing.is_dir() and os.access(existing, os.W_OK | os.X_OK)
