"""From an upright picture to the tensor a CLIP image tower reads, as ``preprocess_cfg.json`` describes it.

The geometry is that of OpenCLIP's ``image_transform_v2`` (https://github.com/mlfoundations/open_clip), which
its models were trained with: ``shortest`` = scale the short side, cut the centre; ``longest`` = scale the
long side, fill the border; ``squash`` = ignore the proportions.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Literal, cast

import numpy as np
import numpy.typing as npt
from PIL import Image

from vision.results import RGBImage

ResizeMode = Literal["shortest", "longest", "squash"]
_RESAMPLING = {
    "bicubic": Image.Resampling.BICUBIC,
    "bilinear": Image.Resampling.BILINEAR,
    "nearest": Image.Resampling.NEAREST,
}
_RESIZE_MODES = ("shortest", "longest", "squash")
#: Beyond this ratio of sides only the middle is looked at; scaling a one-pixel line would fill the memory.
_LONGEST_RATIO = 16


@dataclass(frozen=True, slots=True)
class Preprocess:
    """How a picture is made ready. Sizes in pixels; mean and std per channel of values in 0..1."""

    height: int
    width: int
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    interpolation: Image.Resampling = Image.Resampling.BICUBIC
    resize_mode: ResizeMode = "shortest"
    fill: tuple[int, int, int] = (0, 0, 0)

    def __call__(self, image: RGBImage) -> npt.NDArray[np.float32]:
        """uint8 [h, w, 3] to float32 [3, height, width]."""
        fitted = self._fit(Image.fromarray(image))
        pixels = np.asarray(fitted, dtype=np.float32) / np.float32(255)
        mean = np.asarray(self.mean, dtype=np.float32)
        std = np.asarray(self.std, dtype=np.float32)
        return np.ascontiguousarray(((pixels - mean) / std).transpose(2, 0, 1))

    def _fit(self, picture: Image.Image) -> Image.Image:
        if self.resize_mode == "squash":
            return picture.resize((self.width, self.height), self.interpolation)
        picture = _without_extremes(picture)
        # OpenCLIP scales to a side that is not square by its default filter, whatever is configured.
        oblong = self.resize_mode == "shortest" and self.width != self.height
        filter_ = Image.Resampling.BICUBIC if oblong else self.interpolation
        scaled = picture.resize(self._scaled_size(picture.size), filter_)
        return _centre(scaled, self.width, self.height, self.fill)

    def _scaled_size(self, size: tuple[int, int]) -> tuple[int, int]:
        width, height = size
        ratios = (height / self.height, width / self.width)
        if self.resize_mode == "shortest" and self.width == self.height:
            # The square case truncates (as torchvision's Resize does), every other case rounds.
            other = int(self.width * max(size) / min(size))
            return (self.width, other) if width <= height else (other, self.height)
        ratio = min(ratios) if self.resize_mode == "shortest" else max(ratios)
        return max(1, round(width / ratio)), max(1, round(height / ratio))


def prepare_all(
    prepare: Callable[[RGBImage], npt.NDArray[np.float32]], images: Sequence[RGBImage], threads: int
) -> npt.NDArray[np.float32]:
    """[N] pictures to float32 [N, 3, H, W], several at once: a card would wait for one core."""
    workers = min(threads, len(images))
    if workers <= 1:
        return np.stack([prepare(image) for image in images])
    with ThreadPoolExecutor(workers, thread_name_prefix="prepare") as pool:
        return np.stack(list(pool.map(prepare, images)))


def parse_preprocess(raw: Mapping[str, Any]) -> Preprocess:
    """Read ``preprocess_cfg.json``. Raises ValueError naming the field that is missing or wrong."""
    height, width = _size(raw.get("size"))
    mode = raw.get("resize_mode", "shortest")
    if mode not in _RESIZE_MODES:
        raise ValueError(f"resize_mode is {mode!r}; known: {', '.join(_RESIZE_MODES)}")
    interpolation = raw.get("interpolation", "bicubic")
    if interpolation not in _RESAMPLING:
        raise ValueError(f"interpolation is {interpolation!r}; known: {', '.join(_RESAMPLING)}")
    std = _three_numbers(raw, "std")
    if min(std) <= 0:
        raise ValueError("std must be above 0")
    return Preprocess(
        height=height,
        width=width,
        mean=_three_numbers(raw, "mean"),
        std=std,
        interpolation=_RESAMPLING[interpolation],
        resize_mode=cast(ResizeMode, mode),
        fill=_fill(raw.get("fill_color", 0)),
    )


def _size(value: object) -> tuple[int, int]:
    sides = [value, value] if isinstance(value, int) else value
    if (
        not isinstance(sides, list)
        or len(sides) != 2
        or not all(type(side) is int and side > 0 for side in sides)
    ):
        raise ValueError(f"size is {value!r}; it must be a whole number or [height, width]")
    return sides[0], sides[1]


def _three_numbers(raw: Mapping[str, Any], name: str) -> tuple[float, float, float]:
    value = raw.get(name)
    if not isinstance(value, list) or len(value) != 3 or not all(isinstance(v, int | float) for v in value):
        raise ValueError(f"{name} is {value!r}; it must be a list of three numbers")
    return float(value[0]), float(value[1]), float(value[2])


def _fill(value: object) -> tuple[int, int, int]:
    channels = [value] * 3 if isinstance(value, int) else value
    if not isinstance(channels, list) or len(channels) != 3 or not all(isinstance(c, int) for c in channels):
        raise ValueError(f"fill_color is {value!r}; it must be a whole number or a list of three")
    return channels[0], channels[1], channels[2]


def _without_extremes(picture: Image.Image) -> Image.Image:
    limit = min(picture.size) * _LONGEST_RATIO
    if max(picture.size) <= limit:
        return picture
    return _centre(picture, min(picture.width, limit), min(picture.height, limit), (0, 0, 0))


def _centre(picture: Image.Image, width: int, height: int, fill: tuple[int, int, int]) -> Image.Image:
    """Cut or fill around the centre to exactly width × height."""
    left, top = _offset(picture.width, width), _offset(picture.height, height)
    if picture.width >= width and picture.height >= height:
        return picture.crop((left, top, left + width, top + height))
    canvas = Image.new("RGB", (width, height), fill)
    canvas.paste(picture, (-left, -top))
    return canvas


def _offset(side: int, wanted: int) -> int:
    """Where the cut begins: rounded when there is too much, before the border (below 0) when too little."""
    return round((side - wanted) / 2) if side >= wanted else -((wanted - side) // 2)
