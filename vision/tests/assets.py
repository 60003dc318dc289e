"""The real photos the tests look at; they lie beside the project, not in it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageOps

from vision.results import RGBImage

ASSETS = Path(__file__).resolve().parents[2].parent / "shared" / "assets"
PHOTOS = ASSETS / "photos"
CLIP_SURROGATE = ASSETS / "models" / "clip-surrogate"


def need_assets() -> pytest.MarkDecorator:
    """Skip, with the reason, where the photos are absent."""
    return pytest.mark.skipif(not PHOTOS.is_dir(), reason=f"the real photos are not at {ASSETS}")


def photo(name: str, long_edge: int = 2048) -> RGBImage:
    """An asset photo, upright, at most ``long_edge`` pixels long, as the previews are."""
    with Image.open(PHOTOS / name) as picture:
        picture.draft("RGB", (long_edge, long_edge))  # a JPEG is decoded near the size that is wanted
        upright = ImageOps.exif_transpose(picture).convert("RGB")
    upright.thumbnail((long_edge, long_edge))
    return np.asarray(upright)
