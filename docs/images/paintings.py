"""How the pictures of the screenshots are painted: from numbers only, so nobody's photos are here."""

from __future__ import annotations

import numpy as np
from canvas import Canvas, colours, smoothstep
from PIL import Image, ImageDraw, ImageFont

Sun = tuple[float, float, float, str, float]  # cx, cy, radius, colour, reach of the halo


def mountains(
    c: Canvas,
    sky: str,
    land: str,
    *,
    sun: Sun | None = None,
    stars: int = 0,
    layers: int = 6,
    trees: int = 0,
    sharp: bool = True,
    top: float = 0.42,
    lake: float = 0,
    clouds: str = "",
) -> None:
    """Ranges behind each other, paler with distance, with mist between them."""
    c.pixels = c.gradient(sky, 0, 0.75)
    if stars:
        c.stars(stars, 0.7)
    if clouds:
        c.clouds(clouds, 0.62, 0.56)
    if sun:
        c.sun(*sun)
    far, near = colours(land)
    bottom = lake or 1.02
    for layer in range(layers):
        t = layer / (layers - 1)
        colour = far + (near - far) * t**1.3
        line = c.ridge(
            top + (bottom - 0.06 - top) * t**1.25, 0.34 - 0.2 * t, 1.6 + 1.2 * t, sharp=sharp and t < 0.75
        )
        if trees and t > 0.45:
            c.spruces(line, int(trees * (1.6 - t)), 0.05 + 0.2 * t**3, colour)
        c.land(
            line,
            colour,
            far * 0.55 + c.gradient(sky, 0, 0.75)[int(c.height * 0.55)] * 0.45,
            0.75 * (1 - t * 0.8),
        )
    if lake:
        c.mirror(lake, sky.split()[-2])


def sea(
    c: Canvas, sky: str, water: str, sun: Sun, *, horizon: float = 0.55, clouds: str = "", sail: float = 0
) -> None:
    """A horizon, with the way of light under the sun."""
    c.pixels = c.gradient(sky, 0, horizon)
    if clouds:
        c.clouds(clouds, horizon + 0.02, 0.55)
    c.sun(*sun)
    c.mix(c.gradient(water, horizon, 1), np.clip((c.y - horizon) * c.height, 0, 1))
    c.glitter(horizon, 0.5, c.ratio * 0.6, sky.split()[-2], 900, 0.14)
    c.glitter(horizon, sun[0], 0.055, sun[3], 900, 0.8)
    if sail:
        for side, tall, wide in ((-1, 0.15, 0.045), (1, 0.18, 0.07)):
            x, up = (c.x - sail * c.ratio) * side, horizon + 0.02 - c.y
            inside = (x > 0.003) & (up > 0.012) & (x / wide + up / tall < 1)
            c.mix(colours("2b2a35")[0], inside * 0.92)
        hull = (np.abs(c.x - sail * c.ratio) < 0.06 - (c.y - horizon) * 0.8) & (
            np.abs(c.y - horizon - 0.015) < 0.009
        )
        c.mix(colours("1d1c26")[0], hull * 0.95)


def dunes(c: Canvas, sky: str, sand: str, shade: str, sun: Sun | None = None) -> None:
    """Smooth ridges with a lit and a shaded side."""
    c.pixels = c.gradient(sky, 0, 0.6)
    if sun:
        c.sun(*sun)
    for t in np.linspace(0, 1, 5):
        crest = c.ridge(0.46 + 0.5 * t**1.2, 0.3 - 0.06 * t, 1.1 - 0.35 * t, octaves=2)
        lit = colours(sand)[0] * (0.86 + 0.14 * t)
        c.land(crest, lit, lit * 0.45 + colours(shade)[0] * 0.55, 0.8, 0.45)
        deep = np.maximum(c.ridge(0, 0.3, 1.4, octaves=2), 0) * (0.9 + t) + 0.0001
        under = (c.y - crest) / deep
        lee = smoothstep(1.03, 0.94, under) * smoothstep(0, 0.01, under) * smoothstep(0.002, 0.02, deep)
        c.mix(colours(shade)[0], lee * (0.85 - 0.35 * np.clip(under, 0, 1)))
    ripples = np.sin(260 * c.y**1.5 + 14 * c.noise(c.x * 2, c.y * 3, 3))
    c.mix(colours(shade)[0], 0.1 * (ripples > 0.3) * smoothstep(0.62, 1, c.y))


def fields(
    c: Canvas, sky: str, rows: str, *, clouds: str, hills: str, vanishing: float = 0.5, n: float = 9
) -> None:
    """Rows of a field that meet at the horizon, under clouds."""
    horizon = 0.55
    c.pixels = c.gradient(sky, 0, horizon)
    c.clouds(clouds, horizon, 0.58)
    for layer, colour in enumerate(colours(hills)):
        c.land(c.ridge(horizon - 0.03 + 0.015 * layer, 0.1, 2 + layer, octaves=4), colour, colour, 0)
    dark, light = colours(rows)
    depth = np.maximum(c.y - horizon, 0) + 0.012
    across = (c.x - vanishing * c.ratio) / depth
    wave = np.sin(across * n + 0.25 * c.noise(c.x * 30, c.y * 60, 3)) * 0.5 + 0.5
    row = 0.5 + (wave - 0.5) * smoothstep(0.01, 0.12, depth)
    tufts = c.noise(c.x * 4 / depth, 6 / depth, 4) - 0.5
    mixed = np.clip(row + tufts * 0.7 * smoothstep(0.01, 0.2, depth), 0, 1)[..., None]
    c.mix(dark + (light - dark) * mixed, np.clip((c.y - horizon) * c.height, 0, 1))


def window(c: Canvas, back: str, lights: str) -> None:
    """Lights of a town out of focus, behind a window with rain on it."""
    c.pixels = c.gradient(back)
    palette = lights.split()
    for _ in range(int(70 * c.ratio)):
        size, strength = c.rng.uniform(0.02, 0.09), c.rng.uniform(0.2, 0.65)
        box, away, _ = c.drop(c.rng.random(), float(c.rng.normal(0.58, 0.21)), size)
        light = smoothstep(1.06, 0.92, away) * (0.6 + 0.4 * np.minimum(away, 1) ** 4)
        c.shine(palette[c.rng.integers(len(palette))], light * strength, box)
    for x, y, size in c.rng.random((260, 3)):
        box, away, lower = c.drop(x, y, 0.003 + 0.012 * size**3)
        inside = smoothstep(1.1, 0.8, away)
        c.mix(colours(back)[0] * 0.6, inside * smoothstep(0.6, -1, lower) * 0.5, box)
        c.shine("ffffff", inside * smoothstep(0, 1.1, lower) * 0.5, box)


def aurora(c: Canvas, tints: str) -> None:
    """Curtains of light over a dark wood."""
    c.pixels = c.gradient("050a1c 0a1a33 133048")
    c.stars(700, 0.85)
    low, high = tints.split()
    for curtain in range(3):
        foot = c.ridge(0.5 + 0.07 * curtain, 0.5, 1.1, octaves=3)
        rise = foot - c.y
        rays = 0.45 + 0.55 * c.noise(c.x * 22 + rise * 2, np.full_like(c.x, curtain * 9.0), 3)
        body = smoothstep(-0.035, 0.02, rise) * rays * c.noise(c.x * 2, np.full_like(c.x, curtain * 5.0), 2)
        c.shine(low, 1.25 * body * np.exp(-np.maximum(rise, 0) / 0.13))
        c.shine(high, 0.75 * body * np.exp(-((rise - 0.25) ** 2) / 0.03))
    ground = c.ridge(0.93, 0.1, 1.5, octaves=4)
    c.spruces(ground, int(60 * c.ratio), 0.22, colours("04080f")[0])
    c.land(ground, colours("04080f")[0], colours("04080f")[0], 0)


def balloons(c: Canvas, sky: str, land: str, sun: Sun) -> None:
    """Hot-air balloons over hills in the morning."""
    mountains(c, sky, land, sun=sun, sharp=False, top=0.66, layers=5)
    for cx, cy, size, pair in (
        (0.3, 0.3, 0.13, "c8553d f2d5a0"),
        (0.62, 0.44, 0.07, "2f6f73 f4e3c1"),
        (0.8, 0.22, 0.045, "8a4f7d f3c77b"),
        (0.14, 0.55, 0.035, "d99a3d f7ead0"),
    ):
        x, y = (c.x - cx * c.ratio) / size, (c.y - cy) / size
        wide = np.where(
            y < 0, np.sqrt(np.clip(1 - y**2, 0, 1)), np.clip(np.cos(np.clip(y, 0, 1.4) * 1.02), 0, 1)
        )
        inside = smoothstep(0.02, -0.02, np.abs(x) - wide) * (np.abs(y - 0.15) < 1.15)
        gore = smoothstep(-0.15, 0.15, np.sin(np.arcsin(np.clip(x / np.maximum(wide, 0.01), -1, 1)) * 7))[
            ..., None
        ]
        first, second = colours(pair)
        light = (1.02 + 0.3 * (np.clip(x * np.sign(sun[0] - cx), -1, 1) - 0.4))[..., None]
        c.mix((first * gore + second * (1 - gore)) * light, inside)
        c.mix(colours("4a3326")[0], (np.abs(x) < 0.13) & (np.abs(y - 1.62) < 0.1))
        c.mix(colours("4a3326")[0], 0.6 * ((np.abs(np.abs(x) - 0.14) < 0.015) & (np.abs(y - 1.42) < 0.13)))


def paper(
    c: Canvas,
    table: str,
    lines: str,
    *,
    sheet: tuple[int, int],
    colour: str,
    ink: str,
    angle: float,
    confetti: str = "",
) -> None:
    """A sheet with text on a wooden table; ``#`` before a line makes it large, a tab parts two columns."""
    dark, light = colours(table)
    plank = np.floor(c.y * 4.5)
    grain = c.noise(c.x * 1.5 + plank * 7, c.y * 38 + 3 * c.noise(c.x * 1.2, c.y * 4, 2), 5)[..., None]
    c.pixels = (
        dark + (light - dark) * np.clip(grain * 1.5 - 0.25, 0, 1) + 0.03 * np.sin(plank * 2.4)[..., None]
    )
    c.mix(dark * 0.45, 0.8 * smoothstep(0.007, 0.002, np.abs(c.y * 4.5 - np.round(c.y * 4.5)) / 4.5))
    page = Image.new("RGB", sheet, f"#{colour}")
    draw = ImageDraw.Draw(page)
    for tint in confetti.split() * 14:
        x, y, r = (
            c.rng.uniform(0, sheet[0]),
            c.rng.choice([0, 1]) * sheet[1] + c.rng.normal(0, 26),
            c.rng.uniform(5, 17),
        )
        draw.ellipse((x - r, y - r, x + r, y + r), fill=f"#{tint}")
    y = sheet[1] * (0.22 if confetti else 0.07)
    for line in lines.split("\n"):
        size = 46 if line.startswith("#") else 30
        font = ImageFont.load_default(size)
        left, _, right = line.lstrip("#").partition("\t")
        if right or not (confetti or line.startswith("#")):
            draw.text((46, y), left, f"#{ink}", font)
            draw.text((sheet[0] - 46, y), right, f"#{ink}", font, anchor="ra")
        else:
            draw.text((sheet[0] / 2, y), left, f"#{ink}", font, anchor="ma")
        y += size * 1.42
    c.put(page, angle, 0.5, 0.5)
    c.shine("fff1d6", 0.16 * np.exp(-c.distance(0.2, 0.1) / 0.5))
