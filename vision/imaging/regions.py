"""People in XMP: named face regions of the Metadata Working Group, Microsoft and IPTC, and names alone.

MWG (Guidelines for Handling Image Metadata 2.0, 5.9): centre and size in fractions, with the dimensions they
were applied to. Microsoft Photo 1.2: ``x, y, width, height`` from the top left corner. IPTC Extension 2019.1:
``rbX rbY rbW rbH``, relative or in pixels.

The trap is the frame: programs that follow the MWG count in the rows as they are stored, some (Picasa, for
one) in the picture as it is seen. The dimensions they were applied to tell which, where the two differ;
without them the stored rows are meant. Microsoft's regions have no dimensions, and photos were seen in which
they stayed behind when the photo was turned: where the MWG's tell of somebody, Microsoft's are not asked.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Final, Literal
from xml.etree.ElementTree import Element

from vision.imaging.text import clean_text, finite
from vision.imaging.xmp import descriptions
from vision.results import Box

RegionSource = Literal["mwg", "microsoft", "iptc", "picasa", "takeout"]

_RDF: Final = "{http://www.w3.org/1999/02/22-rdf-syntax-ns#}"
_MWG: Final = "{http://www.metadataworkinggroup.com/schemas/regions/}"
_AREA: Final = "{http://ns.adobe.com/xmp/sType/Area#}"
_DIMENSIONS: Final = "{http://ns.adobe.com/xap/1.0/sType/Dimensions#}"
_MP: Final = "{http://ns.microsoft.com/photo/1.2/}"
_MPRI: Final = "{http://ns.microsoft.com/photo/1.2/t/RegionInfo#}"
_MPREG: Final = "{http://ns.microsoft.com/photo/1.2/t/Region#}"
_IPTC: Final = "{http://iptc.org/std/Iptc4xmpExt/2008-02-29/}"
_CONTAINERS: Final = (f"{_RDF}Bag", f"{_RDF}Seq", f"{_RDF}Alt")
_MOST: Final = 200
#: Regions of two programs for the same person that overlap this much are one.
_SAME: Final = 0.3

_Pixels = tuple[int, int]
_Fields = Mapping[str, "str | Element"]


@dataclass(frozen=True, slots=True)
class NamedPerson:
    """Somebody a file names. ``box`` is in fractions of the upright picture; None: somewhere in it."""

    name: str
    box: Box | None
    source: RegionSource


def people_in(root: Element, *, orientation: int, upright: _Pixels | None) -> list[NamedPerson]:
    """Everybody this XMP packet names. ``orientation`` is EXIF's (1..8), ``upright`` the size as seen."""
    found = list(_mwg(root, orientation, upright))
    known = {person.name.casefold() for person in found}
    found += (one for one in _microsoft(root, orientation) if one.name.casefold() not in known)
    found += _iptc(root, orientation, upright)
    return without_doubles(found)


def without_doubles(people: Iterable[NamedPerson]) -> list[NamedPerson]:
    """Each person once for each place; a name alone only for those who have no place."""
    kept: list[NamedPerson] = []
    for person in sorted(people, key=lambda person: person.box is None):
        same = (other for other in kept if other.name.casefold() == person.name.casefold())
        if not any(_alike(person.box, other.box) for other in same):
            kept.append(person)
    return kept[:_MOST]


def overlap(one: Box, other: Box) -> float:
    """Intersection over union, 0..1."""
    width = min(one.x + one.width, other.x + other.width) - max(one.x, other.x)
    height = min(one.y + one.height, other.y + other.height) - max(one.y, other.y)
    if width <= 0 or height <= 0:
        return 0.0
    shared = width * height
    return shared / (one.width * one.height + other.width * other.height - shared)


def _alike(one: Box | None, other: Box | None) -> bool:
    return one is None or other is None or overlap(one, other) > _SAME


# Where a corner (x, y) of the stored rows is seen, for each EXIF orientation (CIPA DC-008, Orientation).
_TURNS: Final[Mapping[int, Callable[[float, float], tuple[float, float]]]] = {
    2: lambda x, y: (1 - x, y),
    3: lambda x, y: (1 - x, 1 - y),
    4: lambda x, y: (x, 1 - y),
    5: lambda x, y: (y, x),
    6: lambda x, y: (1 - y, x),
    7: lambda x, y: (1 - y, 1 - x),
    8: lambda x, y: (y, 1 - x),
}


def upright_box(box: Box, orientation: int) -> Box:
    """A box of the stored rows as it is seen."""
    turn = _TURNS.get(orientation)
    if turn is None:
        return box
    (x1, y1), (x2, y2) = turn(box.x, box.y), turn(box.x + box.width, box.y + box.height)
    return Box(min(x1, x2), min(y1, y2), abs(x2 - x1), abs(y2 - y1))


def _clipped(box: Box | None) -> Box | None:
    """The part inside the picture; None when hardly anything is."""
    if box is None:
        return None
    left, top = min(max(box.x, 0.0), 1.0), min(max(box.y, 0.0), 1.0)
    right, bottom = min(max(box.x + box.width, 0.0), 1.0), min(max(box.y + box.height, 0.0), 1.0)
    if right - left < 1e-4 or bottom - top < 1e-4:
        return None
    return Box(round(left, 6), round(top, 6), round(right - left, 6), round(bottom - top, 6))


def _mwg(root: Element, orientation: int, upright: _Pixels | None) -> Iterator[NamedPerson]:
    for regions in root.iter(f"{_MWG}Regions"):
        info = _fields(regions)
        dimensions = _fields(info.get(f"{_MWG}AppliedToDimensions"))
        applied = (finite(_text(dimensions, f"{_DIMENSIONS}w")), finite(_text(dimensions, f"{_DIMENSIONS}h")))
        turn = 1 if _is_upright(applied, orientation, upright) else orientation
        for item in _items(info.get(f"{_MWG}RegionList")):
            region = _fields(item)
            kind = _text(region, f"{_MWG}Type") or "Face"
            name = clean_text(_text(region, f"{_MWG}Name"), 200)
            box = _mwg_box(_fields(region.get(f"{_MWG}Area")), applied)
            if name and kind.casefold() in ("face", "person"):
                yield NamedPerson(name, _turned(box, turn), "mwg")


def _mwg_box(area: _Fields, applied: tuple[float | None, float | None]) -> Box | None:
    x, y, w, h = (finite(_text(area, f"{_AREA}{name}")) for name in "xywh")
    if x is None or y is None or w is None or h is None:
        return None
    if _text(area, f"{_AREA}unit") == "pixel":
        if not applied[0] or not applied[1]:
            return None
        x, y, w, h = x / applied[0], y / applied[1], w / applied[0], h / applied[1]
    return Box(x - w / 2, y - h / 2, w, h)


def _is_upright(
    applied: tuple[float | None, float | None], orientation: int, upright: _Pixels | None
) -> bool:
    """Whether the regions count in the picture as it is seen: told only where a quarter turn shows."""
    width, height = applied
    if orientation < 5 or not width or not height or not upright or upright[0] == upright[1]:
        return False
    return (width > height) == (upright[0] > upright[1]) and width != height


def _microsoft(root: Element, orientation: int) -> Iterator[NamedPerson]:
    for info in root.iter(f"{_MP}RegionInfo"):
        for item in _items(_fields(info).get(f"{_MPRI}Regions")):
            region = _fields(item)
            name = clean_text(_text(region, f"{_MPREG}PersonDisplayName"), 200)
            numbers = [finite(part) for part in _text(region, f"{_MPREG}Rectangle").split(",")]
            values = [number for number in numbers if number is not None]
            box = Box(*values) if len(values) == len(numbers) == 4 else None
            if name:
                yield NamedPerson(name, _turned(box, orientation), "microsoft")


def _iptc(root: Element, orientation: int, upright: _Pixels | None) -> Iterator[NamedPerson]:
    stored = (upright[::-1] if orientation >= 5 else upright) if upright else None
    for regions in root.iter(f"{_IPTC}ImageRegion"):
        for item in _items(regions):
            region = _fields(item)
            box = _turned(_iptc_box(_fields(region.get(f"{_IPTC}RegionBoundary")), stored), orientation)
            for name in _names(region.get(f"{_IPTC}PersonInImage")):
                yield NamedPerson(name, box, "iptc")
    for description in descriptions(root):
        for name in _names(description.find(f"{_IPTC}PersonInImage")):
            yield NamedPerson(name, None, "iptc")


def _iptc_box(boundary: _Fields, stored: _Pixels | None) -> Box | None:
    if _text(boundary, f"{_IPTC}rbShape") != "rectangle":
        return None
    x, y, w, h = (finite(_text(boundary, f"{_IPTC}rb{name}")) for name in "XYWH")
    if x is None or y is None or w is None or h is None:
        return None
    if _text(boundary, f"{_IPTC}rbUnit") == "pixel":
        if not stored:
            return None
        x, y, w, h = x / stored[0], y / stored[1], w / stored[0], h / stored[1]
    return Box(x, y, w, h)


def _turned(box: Box | None, orientation: int) -> Box | None:
    return _clipped(upright_box(box, orientation)) if box else None


def _fields(element: str | Element | None) -> _Fields:
    """The fields of an RDF structure, however it is written: attributes, children, Description."""
    if element is None or isinstance(element, str):
        return {}
    found: dict[str, str | Element] = dict(element.attrib)
    for child in element:
        if child.tag == f"{_RDF}Description":
            found |= _fields(child)
        else:
            found[child.tag] = child
    return found


def _text(fields: _Fields, name: str) -> str:
    value = fields.get(name, "")
    return value.strip() if isinstance(value, str) else (value.text or "").strip()


def _items(element: str | Element | None) -> list[Element]:
    if element is None or isinstance(element, str):
        return []
    return [item for box in element if box.tag in _CONTAINERS for item in box.findall(f"{_RDF}li")][:_MOST]


def _names(element: str | Element | None) -> list[str]:
    if isinstance(element, str):
        values = [element]
    else:
        values = [item.text or "" for item in _items(element)]
    return [name for name in (clean_text(value, 200) for value in values) if name]


def of_picasa(faces: Iterable[tuple[str, Box]]) -> list[NamedPerson]:
    """Faces of a ``.picasa.ini``: Picasa counts in the picture as it is seen."""
    return [replace(NamedPerson(name, None, "picasa"), box=_clipped(box)) for name, box in faces]
