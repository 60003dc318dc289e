"""What the settings name and what the code can do are the same; the settings may not import the code."""

from __future__ import annotations

from photos_project.env import DEFAULT_FORMATS
from vision.imaging.formats import FAMILIES


def test_every_format_that_can_be_read_is_read_by_default() -> None:
    assert set(DEFAULT_FORMATS) == set(FAMILIES)
    assert len(DEFAULT_FORMATS) == len(FAMILIES)
