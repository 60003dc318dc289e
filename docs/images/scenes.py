"""Which pictures there are: name, moment, size and paint."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import NamedTuple

from canvas import Canvas
from paintings import aurora, balloons, dunes, fields, mountains, paper, sea, window
from PIL import ExifTags

WIDE, CLASSIC, TALL, PANORAMA, SQUARE = (1440, 810), (1200, 800), (750, 1000), (1800, 720), (900, 900)

VET = """#Lakeside Veterinary Clinic
14 Mill Lane\t23 August 2026

Patient\tRosie, dog, 4 years
Yearly check-up\t38.00
Rabies vaccination\t27.50
Worming tablets\t12.40

#Total\t77.90
Next visit: August 2027
Thank you!"""
CARD = """#Happy birthday, Ida!
Come to the garden on Saturday,
three o'clock, bring a swimsuit.
There will be cake
at the lakeside!"""
CAKE = """#Grandma's apple cake
Apples\t1 kg
Flour\t250 g
Butter\t150 g
Sugar\t120 g
Eggs\t3
Cinnamon\tas you like

Bake for 45 minutes at 180 degrees."""


class Scene(NamedTuple):
    """A picture: the file's name, when it was taken (EXIF), its size, and what paints it."""

    name: str
    taken: str
    size: tuple[int, int]
    paint: Callable[[Canvas], None]

    def save(self, folder: Path, seed: int) -> None:
        """Paint it and write a JPEG with its date."""
        canvas = Canvas(self.size, seed)
        self.paint(canvas)
        file = folder / f"{self.name}.jpg"
        file.parent.mkdir(parents=True, exist_ok=True)
        picture = canvas.image()
        exif = picture.getexif()
        exif.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.DateTimeOriginal] = self.taken.replace("-", ":")
        picture.save(file, quality=93, exif=exif)


SCENES = [
    Scene(
        "Alps/first light",
        "2026-08-30 06:12:00",
        WIDE,
        partial(
            mountains,
            sky="4a6fa5 8fa9cf f3c9a5 ffe3b8",
            land="b9a9b8 22304a",
            sun=(0.7, 0.24, 0.026, "ffd9a0", 0.3),
        ),
    ),
    Scene(
        "Sea/evening at the pier",
        "2026-08-29 20:31:00",
        CLASSIC,
        partial(
            sea,
            sky="35507f 8c7fa6 f0a078 ffd08a",
            water="c98a72 46567d 22345a",
            sun=(0.4, 0.47, 0.035, "ffd28a", 0.3),
            clouds="ffc7a0 8d7396",
            sail=0.7,
        ),
    ),
    Scene(
        "Lavender",
        "2026-08-27 17:40:00",
        CLASSIC,
        partial(
            fields,
            sky="3f7fc0 8fbfe6 e3f0f7",
            rows="42335f a58bd0",
            clouds="ffffff b9c8dc",
            hills="9db3c4 6f8f86",
        ),
    ),
    Scene("Northern lights", "2026-08-25 23:48:00", TALL, partial(aurora, tints="5dffb0 a970ff")),
    Scene(
        "Lakeside/morning mist",
        "2026-08-24 07:05:00",
        WIDE,
        partial(
            mountains, sky="9db8cf c9d8e2 f2e6d8 f6efe4", land="b4c2cc 2e4a4f", lake=0.7, trees=55, top=0.36
        ),
    ),
    Scene(
        "Receipts/vet",
        "2026-08-23 11:20:00",
        TALL,
        partial(
            paper, table="5a3a24 a87548", lines=VET, sheet=(620, 720), colour="fbfaf5", ink="33383f", angle=-4
        ),
    ),
    Scene(
        "Desert/late",
        "2026-08-21 18:55:00",
        CLASSIC,
        partial(dunes, sky="6fa3cf b9d3e2 f6dcb4", sand="e9b778", shade="8a4b35"),
    ),
    Scene(
        "Balloons at sunrise",
        "2026-08-20 06:44:00",
        CLASSIC,
        partial(
            balloons,
            sky="7fa8d6 c6d5e6 fbdcb2 ffe9c9",
            land="c3b4b4 40525a",
            sun=(0.92, 0.52, 0.03, "ffe0a8", 0.3),
        ),
    ),
    Scene(
        "Town in the rain",
        "2026-08-18 21:15:00",
        WIDE,
        partial(window, back="0d1424 1d2a44 2b2438", lights="ffb45e ffd28f ff7a59 7fb4ff f4e3c1 5fd0c0"),
    ),
    Scene(
        "Alps/night above the hut",
        "2026-08-15 22:58:00",
        CLASSIC,
        partial(
            mountains,
            sky="050a1f 10214a 2b4675 51678f",
            land="3b527f 050912",
            stars=900,
            trees=45,
            sun=(0.24, 0.2, 0.028, "dfe8ff", 0.11),
            top=0.5,
        ),
    ),
    Scene(
        "Ida's birthday card",
        "2026-08-14 15:02:00",
        CLASSIC,
        partial(
            paper,
            table="6b5744 b79a78",
            lines=CARD,
            sheet=(760, 560),
            colour="fdf3e1",
            ink="7a3b4e",
            angle=3,
            confetti="e0795f f2c14e 6fa8a0 8a6fae e8a0b4",
        ),
    ),
    Scene(
        "Sea/moon over the bay",
        "2026-08-12 23:04:00",
        TALL,
        partial(
            sea,
            sky="060d22 14284f 35517d 6880a0",
            water="31496f 0f1d3a 060c1c",
            sun=(0.55, 0.26, 0.035, "e6edff", 0.12),
        ),
    ),
    Scene(
        "Fields/wheat",
        "2026-08-09 14:22:00",
        PANORAMA,
        partial(
            fields,
            sky="4f8fce a5cdea edf4f5",
            rows="a8823a e8c977",
            clouds="ffffff aebfd2",
            hills="8fae9a 5f8a5e",
            vanishing=0.35,
            n=14,
        ),
    ),
    Scene(
        "Forest/fog",
        "2026-08-08 08:18:00",
        TALL,
        partial(
            mountains,
            sky="dfe5e4 cfd9d8 c2cfce d5dcd9",
            land="b3c3c1 1c3230",
            sharp=False,
            trees=70,
            top=0.3,
            layers=7,
        ),
    ),
    Scene(
        "Alps/panorama",
        "2026-08-06 19:47:00",
        PANORAMA,
        partial(
            mountains,
            sky="3c5f94 8d93b8 e8a98f f7cf9c",
            land="a4869a 1d2440",
            layers=7,
            clouds="ffd9bd a68ba8",
        ),
    ),
    Scene(
        "Desert/noon",
        "2026-07-29 12:10:00",
        WIDE,
        partial(dunes, sky="3f86c6 8fbde0 dbe9ec", sand="f0cd9a", shade="b07a52"),
    ),
    Scene(
        "Lakeside/after sunset",
        "2026-07-26 21:38:00",
        CLASSIC,
        partial(
            mountains, sky="233a66 6a6a9a d98f84 f6bd8a", land="7d6a8a 121a30", lake=0.62, top=0.38, layers=5
        ),
    ),
    Scene(
        "Grandma's recipe",
        "2026-07-25 10:41:00",
        SQUARE,
        partial(
            paper, table="7d6650 c9ad88", lines=CAKE, sheet=(640, 620), colour="f7ecd2", ink="3d2f28", angle=5
        ),
    ),
    Scene(
        "Sea/calm",
        "2026-07-22 05:51:00",
        PANORAMA,
        partial(
            sea,
            sky="a8c4dc d9dfe6 fbe0c8 ffe8c4",
            water="d9c9bd 94afc0 5f86a0",
            sun=(0.7, 0.42, 0.03, "ffe6b8", 0.3),
            horizon=0.5,
            sail=0.3,
        ),
    ),
    Scene(
        "Fields/spring green",
        "2026-07-18 16:05:00",
        CLASSIC,
        partial(
            fields,
            sky="5b9bd8 b4d6ee f2f6f4",
            rows="3f6b35 8fb85a",
            clouds="ffffff b4c3d4",
            hills="9cbcae 557f5c",
            vanishing=0.7,
        ),
    ),
    Scene("Green lights", "2026-07-14 23:20:00", WIDE, partial(aurora, tints="7dffa0 4fd0ff")),
    Scene(
        "Forest/evening",
        "2026-07-11 20:52:00",
        CLASSIC,
        partial(
            mountains,
            sky="6a5a86 d08f86 f7bd84 ffdf9f",
            land="c48f7c 1a1a26",
            sharp=False,
            trees=60,
            top=0.45,
            sun=(0.55, 0.42, 0.035, "ffd890", 0.3),
        ),
    ),
    Scene(
        "Cafe window",
        "2026-06-28 22:03:00",
        TALL,
        partial(window, back="1a1020 3a2230 23182c", lights="ffcf7a ff9e6b ffe7b8 e06f7f c9a0ff"),
    ),
    Scene(
        "Alps/blue hour",
        "2026-06-20 22:20:00",
        WIDE,
        partial(
            mountains, sky="1b3566 46699f 9db4d2 d6d9df", land="8398b8 14233d", layers=6, trees=40, stars=120
        ),
    ),
    Scene(
        "Sea/red evening",
        "2026-06-14 21:35:00",
        WIDE,
        partial(
            sea,
            sky="3a2f5c 9a4f6a ec7f5c ffbf70",
            water="b3574f 4d3658 201c3a",
            sun=(0.55, 0.5, 0.05, "ffc070", 0.3),
            clouds="ff9f7a 6b4668",
        ),
    ),
    Scene(
        "Desert/red sand",
        "2026-06-07 19:30:00",
        TALL,
        partial(
            dunes,
            sky="c98f7f f0bd94 ffdcae",
            sand="d9865a",
            shade="6b2f35",
            sun=(0.7, 0.22, 0.035, "fff0c8", 0.3),
        ),
    ),
]
