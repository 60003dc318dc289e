"""Screenshots and bursts, told by names and data."""

from __future__ import annotations

import pytest

from vision.imaging.kinds import burst_key, is_screenshot

SCREEN = (1170, 2532)


def screenshot(
    name: str = "IMG_1.PNG",
    file_format: str = "PNG",
    size: tuple[int, int] = (800, 600),
    comment: object = b"",
    *,
    has_camera: bool = False,
) -> bool:
    return is_screenshot(
        name, file_format=file_format, size=size, exif={"UserComment": comment}, has_camera=has_camera
    )


@pytest.mark.parametrize(
    "name",
    [
        "Screenshot_20190101-120000.png",
        "Screenshot 2019-01-01 at 12.00.00.png",
        "Screen Shot 2019-01-01 at 12.00.00.jpg",
        "Bildschirmfoto 2019-01-01.png",
        "Capture d\u2019e\u0301cran 2019.png",
        "Captura de pantalla_1.png",
        "Снимок экрана 2019.png",
        "スクリーンショット 2019.png",
        "My screenshot.webp",
    ],
)
def test_names_of_screenshots(name: str) -> None:
    assert screenshot(name)
    assert not screenshot(name, has_camera=True)


@pytest.mark.parametrize("name", ["IMG_1.PNG", "screenshotter.png", "offscreen.png", "Screening.png", ""])
def test_other_names(name: str) -> None:
    assert not screenshot(name)


def test_a_png_of_the_size_of_a_screen() -> None:
    assert screenshot(size=SCREEN)
    assert screenshot(size=SCREEN[::-1])
    assert not screenshot(size=SCREEN, has_camera=True)
    assert not screenshot(size=SCREEN, file_format="JPEG")
    assert not screenshot(size=(1171, 2532))


def test_what_apple_writes_into_them() -> None:
    assert screenshot(comment=b"ASCII\0\0\0Screenshot")
    assert screenshot(comment="Screenshot")
    assert not screenshot(comment=b"ASCII\0\0\0Hello")


@pytest.mark.parametrize(
    ("names", "same"),
    [
        (["IMG_20190101_120000_BURST001.jpg", "IMG_20190101_120000_BURST002_COVER.jpg"], True),
        (
            ["00000IMG_00000_BURST20190101120000123_COVER.jpg", "00001IMG_00001_BURST20190101120000123.jpg"],
            True,
        ),
        (["20190101_120000_001.jpg", "20190101_120000_012.jpg"], True),
        (["20190101_120000_001.jpg", "20190101_120001_001.jpg"], False),
    ],
)
def test_names_of_bursts(names: list[str], *, same: bool) -> None:
    keys = {burst_key(name) for name in names}
    assert "" not in keys
    assert (len(keys) == 1) is same


@pytest.mark.parametrize(
    "name", ["IMG_0001.jpg", "20190101_120000.jpg", "IMG_20190101_120000_1.jpg", "Burst.jpg"]
)
def test_names_that_say_nothing(name: str) -> None:
    assert burst_key(name) == ""
    assert burst_key(name, "ABC") == "ABC"
