"""Any Pillow mode and any colour profile to plain 8-bit sRGB."""

from __future__ import annotations

from functools import lru_cache
from io import BytesIO
from typing import Final, Literal

import numpy as np
from PIL import Image, ImageCms

WHITE: Final = (255, 255, 255)
#: HAMMING keeps detail like BICUBIC when scaling down, at two thirds of its cost.
DOWNSCALE: Final = Image.Resampling.HAMMING
#: Larger scales are first box-reduced to this multiple of the target; no difference to see, much faster.
REDUCING_GAP: Final = 2.0

_MAX_PROFILE_BYTES: Final = 4 << 20
#: A conversion that moves no sample colour by more than this is left out: it is sRGB by another name.
_SAME_COLOUR_LEVELS: Final = 2
_CMS_ERRORS: Final = (ImageCms.PyCMSError, OSError, ValueError, TypeError)
_PROFILE_SPACES: Final = {"RGB": "RGB ", "L": "GRAY", "CMYK": "CMYK", "LAB": "Lab "}


def fit(width: int, height: int, long_edge: int) -> tuple[int, int]:
    """The size with that long edge and the same shape; never larger than the picture, never empty."""
    scale = min(1.0, long_edge / max(width, height))
    return max(1, round(width * scale)), max(1, round(height * scale))


def shrink(image: Image.Image, size: tuple[int, int]) -> Image.Image:
    """Scale down (never up) with anti-aliasing."""
    if image.width <= size[0] and image.height <= size[1]:
        return image
    return image.resize(size, DOWNSCALE, reducing_gap=REDUCING_GAP)


def to_srgb(image: Image.Image, size: tuple[int, int]) -> Image.Image:
    """A loaded image of any mode to RGB of at most ``size``: scaled first, since colours then cost less.

    Transparency is laid on white. A colour profile that is broken or does not belong to the mode is ignored.
    """
    profile = image.info.get("icc_profile")
    small = shrink(_eight_bit(image), size)
    alpha = small.getchannel("A") if small.mode in ("RGBA", "LA") else None
    if alpha is not None:
        small = small.convert(small.mode.removesuffix("A"))
    coloured = _apply_profile(small, profile)
    if alpha is None:
        return coloured
    flat = Image.new("RGB", coloured.size, WHITE)
    flat.paste(coloured, mask=alpha)
    return flat


def _eight_bit(image: Image.Image) -> Image.Image:
    """To one of L, LA, RGB, RGBA, CMYK, LAB: the modes that can be scaled and colour-managed."""
    if image.mode.startswith("I") or image.mode == "F":
        return _squeeze(image)
    if image.mode == "1":
        return image.convert("L")
    if image.mode in ("L", "RGB") and "transparency" in image.info:
        return image.convert("LA" if image.mode == "L" else "RGBA")
    if image.mode in ("L", "LA", "RGB", "RGBA", "CMYK", "LAB"):
        return image
    if image.mode in ("PA", "La", "RGBa") or (image.mode == "P" and "transparency" in image.info):
        return image.convert("LA" if image.mode == "La" else "RGBA")
    return image.convert("RGB")


def _squeeze(image: Image.Image) -> Image.Image:
    """16-bit, 32-bit and floating grey to 8 bits: by the range of the type, or, beyond it, of the picture."""
    values = np.nan_to_num(np.asarray(image).astype(np.float32))
    low, high = float(values.min(initial=0.0)), float(values.max(initial=0.0))
    if image.mode.startswith("I") and low >= 0 and high <= 65535:
        scaled = values / np.float32(257.0)
    elif image.mode == "F" and low >= 0 and high <= 1:
        scaled = values * np.float32(255.0)
    else:
        scaled = (values - low) * np.float32(255.0 / max(high - low, 1e-9))
    return Image.fromarray(np.rint(scaled).astype(np.uint8))


def _apply_profile(image: Image.Image, profile: object) -> Image.Image:
    if isinstance(profile, bytes) and 128 < len(profile) <= _MAX_PROFILE_BYTES:
        transform = _transform(profile, image.mode)
        if transform is not None:
            return transform.apply(image)
    if image.mode == "LAB":
        return _lab_transform().apply(image)
    return image if image.mode == "RGB" else image.convert("RGB")


@lru_cache(maxsize=32)
def _transform(profile: bytes, mode: str) -> ImageCms.ImageCmsTransform | None:
    """To sRGB; None when the profile is broken, belongs to another mode or is sRGB itself."""
    try:
        source = ImageCms.ImageCmsProfile(BytesIO(profile))
        if source.profile.xcolor_space != _PROFILE_SPACES.get(mode):
            return None
        transform = ImageCms.ImageCmsTransform(
            source, _builtin("sRGB"), mode, "RGB", intent=ImageCms.Intent.PERCEPTUAL
        )
        if mode == "RGB" and _changes_nothing(transform):
            return None
    except _CMS_ERRORS:
        return None
    return transform


def _changes_nothing(transform: ImageCms.ImageCmsTransform) -> bool:
    steps = np.arange(0, 256, 51, dtype=np.uint8)
    cube = np.stack(np.meshgrid(steps, steps, steps), axis=-1).reshape(len(steps) ** 2, len(steps), 3)
    moved = np.asarray(transform.apply(Image.fromarray(cube))).astype(np.int16) - cube
    return bool(np.abs(moved).max() <= _SAME_COLOUR_LEVELS)


@lru_cache(maxsize=1)
def _lab_transform() -> ImageCms.ImageCmsTransform:
    return ImageCms.ImageCmsTransform(_builtin("LAB"), _builtin("sRGB"), "LAB", "RGB")


def _builtin(space: Literal["LAB", "sRGB"]) -> ImageCms.ImageCmsProfile:
    return ImageCms.ImageCmsProfile(ImageCms.createProfile(space))
