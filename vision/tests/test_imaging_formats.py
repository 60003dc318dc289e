from __future__ import annotations

import pytest

from vision.imaging.formats import (
    FAMILIES,
    OTHER_KINDS,
    extension_of,
    family_of,
    kind_of,
)


def test_families() -> None:
    assert {family_of(f"a.{name}") for name in ("jpg", "JPEG", "heic", "avif", "tif", "bmp")} == {"pillow"}
    assert {family_of(f"a.{name}") for name in ("cr2", "CR3", "nef", "arw", "dng", "orf", "rw2", "raf")} == {
        "raw"
    }
    assert family_of("a.mp4") is None
    assert not FAMILIES.keys() & OTHER_KINDS.keys()


def test_extension_of_any_name() -> None:
    assert extension_of(b"caf\xe9.JPG") == "jpg"
    assert extension_of("archive.tar.gz") == "gz"
    assert extension_of("no_extension") == ""


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("a.jpg", "photo"),
        ("a.MOV", "video"),
        ("a.xmp", "sidecar"),
        ("a.jxl", "unsupported picture"),
        (".DS_Store", "system"),
        ("LICENSE", "unknown"),
    ],
)
def test_kinds(name: str, kind: str) -> None:
    assert kind_of(name) == kind
