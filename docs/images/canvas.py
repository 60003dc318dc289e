"""What the pictures for the screenshots are painted with: noise, light, hills, trees, water, paper.

Everything is seeded, so the same pictures come out each time. Lengths are in units of a picture's height;
``cx`` and ``cy`` are shares of width and height.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFilter

Array = npt.NDArray[np.float64]
Box = tuple[slice, slice]
ALL: Box = (slice(None), slice(None))


def colours(text: str) -> Array:
    """``"ffffff 102030"`` as n × 3 numbers from 0 to 1."""
    return np.array([[int(word[i : i + 2], 16) / 255 for i in (0, 2, 4)] for word in text.split()])


def smoothstep(low: float, high: float, values: Array) -> Array:
    t = np.clip((values - low) / (high - low), 0, 1)
    return t * t * (3 - 2 * t)


class Canvas:
    """Pixels (height × width × 3, 0 to 1), the coordinates of each, and the ways to put paint on them."""

    def __init__(self, size: tuple[int, int], seed: int) -> None:
        self.width, self.height = size
        self.rng = np.random.default_rng(seed)
        self.ratio = self.width / self.height
        self.x = np.tile((np.arange(self.width) / self.height), (self.height, 1))
        self.y = np.tile((np.arange(self.height) / self.height)[:, None], (1, self.width))
        self.pixels = np.zeros((self.height, self.width, 3))
        self.lattice = self.rng.random((256, 256))

    def noise(self, u: Array, v: Array, octaves: int = 5, gain: float = 0.5) -> Array:
        """Fractal value noise (sum of smoothly interpolated lattices of doubled frequency), about 0 to 1."""
        total, weight = np.zeros(np.broadcast(u, v).shape), 0.0
        for octave in range(octaves):
            a, b = u * 2**octave + 37.3 * octave, v * 2**octave + 17.7 * octave
            i, j = np.floor(a).astype(int), np.floor(b).astype(int)
            s, t = smoothstep(0, 1, a - i), smoothstep(0, 1, b - j)
            corner = [[self.lattice[(j + q) % 256, (i + p) % 256] for p in (0, 1)] for q in (0, 1)]
            top, bottom = (row[0] + (row[1] - row[0]) * s for row in corner)
            total += gain**octave * (top + (bottom - top) * t)
            weight += gain**octave
        return total / weight

    def ridge(
        self, level: float, rise: float, waves: float, *, octaves: int = 6, sharp: bool = False
    ) -> Array:
        """The height of a line of hills at each column; ``sharp`` folds the noise into peaks."""
        values = self.noise(self.x[0] * waves + self.rng.uniform(0, 99), np.zeros(1), octaves, 0.45)
        shape = 1 - np.abs(values * 2 - 1) * 1.6 if sharp else values
        return np.asarray(level - rise * (shape - 0.5))

    def mix(self, colour: Array, amount: npt.NDArray[Any], box: Box = ALL) -> None:
        """Cover with a colour."""
        self.pixels[box] += (colour - self.pixels[box]) * amount[..., None]

    def shine(self, colour: str, amount: Array, box: Box = ALL) -> None:
        """Add light, without going over white."""
        dark = 1 - colours(colour)[0] * np.clip(amount, 0, 1)[..., None]
        self.pixels[box] = 1 - (1 - self.pixels[box]) * dark

    def drop(self, cx: float, cy: float, radius: float) -> tuple[Box, Array, Array]:
        """The square around a small disc; distance from the middle and height below it in it, in radii."""
        x, y, r = cx * self.width, cy * self.height, radius * self.height * 1.15 + 1
        box = (slice(max(int(y - r), 0), int(y + r) + 1), slice(max(int(x - r), 0), int(x + r) + 1))
        lower = (self.y[box] - cy) / radius
        return box, np.hypot((self.x[box] - cx * self.ratio) / radius, lower), lower

    def gradient(self, text: str, top: float = 0.0, bottom: float = 1.0) -> Array:
        """Colours from ``top`` to ``bottom``, evenly spaced."""
        stops = colours(text)
        at = np.linspace(top, bottom, len(stops))
        return np.stack([np.interp(self.y, at, stops[:, channel]) for channel in range(3)], axis=-1)

    def distance(self, cx: float, cy: float) -> Array:
        return np.hypot(self.x - cx * self.ratio, self.y - cy)

    def sun(self, cx: float, cy: float, radius: float, colour: str, halo: float = 0.35) -> None:
        """A disc with a soft halo; a moon with another colour."""
        away = self.distance(cx, cy)
        self.shine(colour, 0.55 * np.exp(-away / halo) + 0.25 * np.exp(-((away / halo / 2.2) ** 2)))
        self.mix(colours(colour)[0] * 0.35 + 0.65, smoothstep(radius + 0.003, radius - 0.003, away))

    def stars(self, count: int, below: float) -> None:
        sky = Image.new("L", (self.width, self.height))
        for x, y, light in self.rng.random((count, 3)):
            at, radius = (x * self.width, y**1.4 * below * self.height), 0.5 + 1.3 * light**6
            box = (at[0] - radius, at[1] - radius, at[0] + radius, at[1] + radius)
            ImageDraw.Draw(sky).ellipse(box, fill=int(70 + 185 * light**2))
        self.shine("f4f6ff", np.asarray(sky.filter(ImageFilter.GaussianBlur(0.8))) / 255)

    def clouds(self, tints: str, horizon: float, cover: float, scale: float = 0.55) -> None:
        """Clouds on a flat ceiling, seen in perspective; darker where there is more cloud above them."""
        depth = np.maximum(horizon - self.y, 0) + 0.13
        u, v = self.x * scale / depth, scale * 1.6 / depth
        here, above = self.noise(u, v, 6), self.noise(u + 0.05, v - 0.12, 4)
        amount = smoothstep(1 - cover, 1.22 - cover, here) * smoothstep(horizon, horizon - 0.15, self.y)
        light, shade = colours(tints)
        lit = smoothstep(-0.12, 0.12, here - above)[..., None]
        self.mix(light * lit + shade * (1 - lit), amount * 0.9)

    def land(self, line: Array, colour: Array, mist: Array, fade: float, depth: float = 0.3) -> None:
        """Fill everything below a line; further down the colour goes over into mist."""
        under = self.y - line
        reach = self.width // 6
        # The mist lies level: under the exact line it would hang in streaks from every peak.
        level = np.convolve(
            np.pad(line, reach, mode="edge"), np.ones(reach * 2 + 1) / (reach * 2 + 1), "valid"
        )
        haze = (smoothstep(-0.4 * depth, depth, self.y - level) * fade)[..., None]
        self.mix(colour * (1 - haze) + mist * haze, np.clip(under * self.height + 0.5, 0, 1))

    def spruces(self, line: Array, count: int, tall: float, colour: Array) -> None:
        """Spruces along a line: tapering stacks of uneven branches."""
        mask = Image.new("L", (self.width * 2, self.height * 2))
        draw = ImageDraw.Draw(mask)
        for at in self.rng.uniform(-0.02, 1.02, count):
            column = int(np.clip(at * self.width, 0, self.width - 1))
            foot, size = line[column] + 0.02, tall * self.rng.uniform(0.45, 1)
            steps = np.linspace(0, 1, 22)
            reach = (
                size
                * 0.2
                * steps
                * np.where(np.arange(22) % 2, 1, 0.55)
                * self.rng.uniform(0.75, 1.1, (2, 22))
            )
            left = np.stack([at * self.ratio - reach[0], foot - size * (1 - steps)], axis=1)
            right = np.stack([at * self.ratio + reach[1], foot - size * (1 - steps)], axis=1)
            outline = np.concatenate([left, right[::-1]]) * self.height * 2
            draw.polygon([(float(x), float(y)) for x, y in outline], fill=255)
        self.mix(colour, np.asarray(mask.resize((self.width, self.height), Image.Resampling.BOX)) / 255)

    def mirror(self, horizon: float, tint: str) -> None:
        """Still water below the horizon: what is above it upside down, moved by ripples."""
        depth = np.maximum(self.y - horizon, 0)
        ripple = self.noise(self.x * 5, 9 * np.log(depth + 0.02), 3) - 0.5
        rows = np.clip(
            (2 * horizon - self.y + ripple * depth * 0.18) * self.height, 0, self.height - 1
        ).astype(int)
        columns = np.clip((self.x + ripple * depth * 0.15) * self.height, 0, self.width - 1).astype(int)
        water = self.pixels[rows, columns] * 0.82 + colours(tint)[0] * 0.18
        self.mix(water, np.clip((self.y - horizon) * self.height, 0, 1))

    def glitter(
        self, horizon: float, cx: float, spread: float, colour: str, count: int, light: float
    ) -> None:
        """Short strokes of light on waves, longer and further apart towards the viewer."""
        mask = Image.new("L", (self.width, self.height))
        draw = ImageDraw.Draw(mask)
        for _ in range(count):
            near = self.rng.random() ** 1.7
            y = (horizon + (1 - horizon) * near) * self.height
            x = (cx * self.ratio + self.rng.normal(0, spread * (0.3 + near))) * self.height
            half = (0.003 + 0.03 * near * self.rng.random()) * self.height
            box = (x - half, y, x + half, y + 0.5 + 3.5 * near)
            draw.ellipse(box, fill=int(255 * self.rng.uniform(0.35, 1)))
        self.shine(colour, light * np.asarray(mask.filter(ImageFilter.GaussianBlur(1.1))) / 255)

    def image(self) -> Image.Image:
        return Image.fromarray((np.clip(self.pixels, 0, 1) * 255 + 0.5).astype(np.uint8))

    def put(self, sheet: Image.Image, angle: float, cx: float, cy: float) -> None:
        """Lay a sheet of paper onto the picture, with its shadow."""
        picture = self.image()
        turned = sheet.convert("RGBA").rotate(angle, Image.Resampling.BICUBIC, expand=True)
        x, y = int(cx * self.width - turned.width / 2), int(cy * self.height - turned.height / 2)
        shadow = Image.new("L", picture.size)
        shadow.paste(turned.getchannel("A").point(lambda value: int(value * 0.55)), (x + 10, y + 16))
        picture.paste((25, 15, 10), mask=shadow.filter(ImageFilter.GaussianBlur(16)))
        picture.paste(turned, (x, y), turned)
        self.pixels = np.asarray(picture) / 255
