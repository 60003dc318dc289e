"""Kinds of pictures told by their names and their data: screenshots, and shots of one burst."""

from __future__ import annotations

import os
import re
import unicodedata
from collections.abc import Mapping
from typing import Final

from vision.imaging.text import clean_text

#: How systems call screenshots, in the languages people reported.
_SCREENSHOT: Final = re.compile(
    r"(?:screen[ _-]?shots?|screen[ _-]?grab|screencap(?:ture)?|bildschirm(?:foto|aufnahme)|capture d.écran"
    r"|captura de (?:pantalla|ecr[aã]|tela)|schermata|schermafbeelding|zrzut ekranu|skärm(?:bild|avbild)"
    r"|skjermbilde|skærmbillede|näyttökuva|ekran (?:görüntüsü|resmi)|снимок экрана|скриншот"
    r"|スクリーンショット|屏幕截图|屏幕快照|截屏|螢幕截圖|截圖|스크린샷)(?:[\W_\d]|$)",
    re.IGNORECASE,
)
#: Screens of phones and tablets, upright: a PNG of exactly this size that no camera took is one of them.
_SIZES: Final = """
    640x960 640x1136 750x1334 828x1792 1080x1920 1125x2436 1170x2532 1179x2556 1206x2622 1242x2208
    1242x2688 1284x2778 1290x2796 1320x2868 768x1024 1536x2048 1620x2160 1640x2360 1668x2224 1668x2388
    2048x2732 2064x2752 480x800 480x854 540x960 720x1280 720x1480 720x1520 720x1560 720x1600 1080x2040
    1080x2160 1080x2220 1080x2240 1080x2246 1080x2280 1080x2310 1080x2312 1080x2316 1080x2340 1080x2376
    1080x2400 1080x2408 1080x2412 1080x2424 1080x2460 1080x2520 1200x1920 1200x2640 1220x2712 1224x2700
    1260x2800 1344x2992 1440x2560 1440x2880 1440x2960 1440x3040 1440x3088 1440x3120 1440x3200 1440x3216
    1600x2560 1644x3840 1768x2208 1812x2176
"""
_SCREENS: Final = frozenset((int(w), int(h)) for w, h in (size.split("x") for size in _SIZES.split()))
_BURSTS: Final = (
    # Google's 00100lPORTRAIT_00100_BURST20190101120000123_COVER, Sony's DSC_0001_BURST20190101120000123
    re.compile(r"BURST(\d{14,20})", re.IGNORECASE),
    # IMG_20190101_120000_BURST001, 20190101_120000_Burst01
    re.compile(r"(\d{8}_\d{6})_BURST\d{1,3}", re.IGNORECASE),
    # Samsung's 20190101_120000_001
    re.compile(r"^(\d{8}_\d{6})_\d{3}$"),
)


def is_screenshot(
    name: str, *, file_format: str, size: tuple[int, int], exif: Mapping[str, object], has_camera: bool
) -> bool:
    """Whether a picture was taken of a screen: its name or EXIF says so, or it is exactly a phone's screen.

    ``size`` is width and height in pixels; ``exif`` by tag name, ``UserComment`` is where Apple says it.
    """
    if has_camera:
        return False
    stem = unicodedata.normalize("NFC", os.path.splitext(name)[0])  # noqa: PTH122 - a name
    if _SCREENSHOT.search(stem):
        return True
    comment = exif.get("UserComment")
    text = clean_text(comment[8:] if isinstance(comment, bytes) else comment)
    if text.casefold() == "screenshot":
        return True
    return file_format == "PNG" and (min(size), max(size)) in _SCREENS


def burst_key(name: str, identifier: str = "") -> str:
    """What the shots of one burst share: the camera's identifier, else what their names say; or nothing."""
    if identifier:
        return identifier[:60]
    stem = os.path.splitext(name)[0]  # noqa: PTH122 - a name
    match = next((found for pattern in _BURSTS if (found := pattern.search(stem))), None)
    return f"name {match[1]}" if match else ""
