"""Sidecars with named faces are read back as they were written, however the file is turned."""

from __future__ import annotations

import pytest

from vision.imaging.region_writer import sidecar_of, written_here
from vision.imaging.regions import NamedPerson, people_in
from vision.imaging.xmp import parse_tree
from vision.results import Box

PEOPLE = [
    NamedPerson("Anna & Ben <the elder>", Box(0.1, 0.2, 0.3, 0.25), "mwg"),
    NamedPerson("Zoë Müller", Box(0.6, 0.5, 0.2, 0.4), "mwg"),
]


@pytest.mark.parametrize("orientation", range(1, 9))
def test_people_are_read_back_where_they_were(orientation: int) -> None:
    upright = (1200, 800)
    packet = sidecar_of(PEOPLE, orientation=orientation, upright=upright)
    found = people_in(parse_tree(packet), orientation=orientation, upright=upright)
    assert [(one.name, one.source) for one in found] == [(one.name, "mwg") for one in PEOPLE]
    for one, other in zip(found, PEOPLE, strict=True):
        assert one.box is not None and other.box is not None
        for side in ("x", "y", "width", "height"):
            assert getattr(one.box, side) == pytest.approx(getattr(other.box, side), abs=2e-6)


def test_somebody_without_a_place_is_named() -> None:
    packet = sidecar_of([NamedPerson("Anna", None, "mwg")], orientation=1, upright=(10, 10))
    (found,) = people_in(parse_tree(packet), orientation=1, upright=(10, 10))
    assert (found.name, found.box) == ("Anna", None)


def test_our_own_sidecars_are_known() -> None:
    assert written_here(sidecar_of(PEOPLE, orientation=1, upright=(10, 10)))
    assert not written_here(b'<x:xmpmeta xmlns:x="adobe:ns:meta/" x:xmptk="XMP Core 5.6.0"/>')
