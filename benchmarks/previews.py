"""The pictures that the benchmarks look at."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from vision.results import RGBImage


def pictures(folder: Path | None, count: int = 32) -> list[RGBImage]:
    """Previews of 2048 pixels: of the folder, or painted ones with structure at every scale."""
    from vision.imaging.open import load_rgb

    if folder is not None:
        paths = sorted(path for path in folder.rglob("*") if path.suffix.lower() in {".jpg", ".jpeg"})
        found = [load_rgb(path, 2048) for path in paths[:count]]
        return [found[number % len(found)] for number in range(count)]
    from PIL import Image, ImageDraw, ImageFont

    random = np.random.default_rng(1)
    painted = []
    for number in range(count):
        image = Image.new("RGB", (2048, 1536))
        for size in (4, 16, 64, 256):
            noise = random.integers(0, 256, (size * 3, size * 4, 3), dtype=np.uint8)
            image = Image.blend(
                image, Image.fromarray(noise).resize(image.size, Image.Resampling.BICUBIC), 0.45
            )
        if number % 4 == 0:
            drawing = ImageDraw.Draw(image)
            drawing.rectangle((200, 500, 1800, 850), fill="white")
            drawing.text((250, 550), f"RECEIPT {number}", fill="black", font=ImageFont.load_default(200))
        painted.append(np.asarray(image))
    return painted
