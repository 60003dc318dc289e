"""Named faces as an XMP sidecar: the reverse of ``vision.imaging.regions``.

Regions of the Metadata Working Group (Guidelines for Handling Image Metadata 2.0, 5.9) count in the rows as
they are stored, so they are turned back from the picture as it is seen. Names stand once more in
``Iptc4xmpExt:PersonInImage``, for programs that know no regions.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final
from xml.etree.ElementTree import Element, SubElement, indent, register_namespace, tostring

from vision.imaging.regions import NamedPerson, upright_box
from vision.results import Box

#: What the toolkit of the packet is called: a sidecar that says so was written here.
TOOLKIT: Final = "Heirloom"
_NAMESPACES: Final = {
    "x": "adobe:ns:meta/",
    "rdf": "http://www.w3.org/1999/02/22-rdf-syntax-ns#",
    "mwg-rs": "http://www.metadataworkinggroup.com/schemas/regions/",
    "stArea": "http://ns.adobe.com/xmp/sType/Area#",
    "stDim": "http://ns.adobe.com/xap/1.0/sType/Dimensions#",
    "Iptc4xmpExt": "http://iptc.org/std/Iptc4xmpExt/2008-02-29/",
}
#: The orientation that turns back what an orientation turned: quarter turns are each other's reverse.
_BACK: Final = {6: 8, 8: 6}


def sidecar_of(people: Sequence[NamedPerson], *, orientation: int, upright: tuple[int, int]) -> bytes:
    """An XMP packet that names these people, with regions for those who have a box.

    ``orientation`` is that of the file (EXIF, 1..8), ``upright`` its size in pixels as it is seen.
    """
    for prefix, address in _NAMESPACES.items():
        register_namespace(prefix, address)
    root = Element(_name("x:xmpmeta"), {_name("x:xmptk"): TOOLKIT})
    about = SubElement(SubElement(root, _name("rdf:RDF")), _name("rdf:Description"), {_name("rdf:about"): ""})
    names = SubElement(SubElement(about, _name("Iptc4xmpExt:PersonInImage")), _name("rdf:Bag"))
    for name in dict.fromkeys(person.name for person in people):
        SubElement(names, _name("rdf:li")).text = name
    stored = upright[::-1] if orientation >= 5 else upright
    _add_regions(about, [person for person in people if person.box], orientation, stored)
    indent(root)
    packet: bytes = tostring(root, encoding="utf-8", xml_declaration=True)
    return packet + b"\n"


def written_here(packet: bytes) -> bool:
    """Whether a sidecar is one of ours: only such a one is written anew."""
    return f'xmptk="{TOOLKIT}"'.encode() in packet[:2000]


def _add_regions(
    about: Element, people: Sequence[NamedPerson], orientation: int, stored: tuple[int, int]
) -> None:
    if not people:
        return
    regions = SubElement(about, _name("mwg-rs:Regions"), _resource())
    size = {_name("stDim:w"): str(stored[0]), _name("stDim:h"): str(stored[1]), _name("stDim:unit"): "pixel"}
    SubElement(regions, _name("mwg-rs:AppliedToDimensions"), size)
    bag = SubElement(SubElement(regions, _name("mwg-rs:RegionList")), _name("rdf:Bag"))
    for person in people:
        if person.box is None:
            continue
        item = SubElement(bag, _name("rdf:li"), _resource())
        SubElement(item, _name("mwg-rs:Name")).text = person.name
        SubElement(item, _name("mwg-rs:Type")).text = "Face"
        SubElement(
            item, _name("mwg-rs:Area"), _area(upright_box(person.box, _BACK.get(orientation, orientation)))
        )


def _area(box: Box) -> dict[str, str]:
    centre = {"x": box.x + box.width / 2, "y": box.y + box.height / 2, "w": box.width, "h": box.height}
    return {_name(f"stArea:{key}"): f"{value:.6f}" for key, value in centre.items()} | {
        _name("stArea:unit"): "normalized"
    }


def _resource() -> dict[str, str]:
    return {_name("rdf:parseType"): "Resource"}


def _name(short: str) -> str:
    prefix, _, name = short.partition(":")
    return f"{{{_NAMESPACES[prefix]}}}{name}"
