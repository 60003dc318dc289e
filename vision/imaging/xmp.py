"""XMP packets (in the picture or beside it) to plain lists of text."""

from __future__ import annotations

import codecs
from collections.abc import Iterator, Mapping
from typing import Final
from xml.etree.ElementTree import Element, ParseError

from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import fromstring

from vision.imaging.text import clean_text

_RDF: Final = "{http://www.w3.org/1999/02/22-rdf-syntax-ns#}"
_MAX_BYTES: Final = 8 << 20
_PREFIXES: Final = {
    "http://ns.adobe.com/xap/1.0/": "xmp",
    "http://ns.adobe.com/exif/1.0/": "exif",
    "http://ns.adobe.com/exif/1.0/aux/": "aux",
    "http://cipa.jp/exif/1.0/": "exifEX",
    "http://ns.adobe.com/tiff/1.0/": "tiff",
    "http://ns.adobe.com/photoshop/1.0/": "photoshop",
    "http://purl.org/dc/elements/1.1/": "dc",
    "http://ns.adobe.com/lightroom/1.0/": "lr",
    "http://www.digikam.org/ns/1.0/": "digiKam",
    "http://ns.microsoft.com/photo/1.0/": "MicrosoftPhoto",
    "http://ns.google.com/photos/1.0/camera/": "GCamera",
}
_XML_ERRORS: Final = (ParseError, DefusedXmlException, ValueError, LookupError)

#: ``prefix:name`` (the customary prefixes) to the values of that property, in their order.
Properties = Mapping[str, tuple[str, ...]]


def parse_xmp(packet: bytes) -> Properties:
    """The simple properties and lists of the known namespaces. Raises ValueError when it is not XMP."""
    return properties_of(parse_tree(packet))


def parse_tree(packet: bytes) -> Element:
    """The packet as XML, for structures. Raises ValueError when it is not XMP."""
    if len(packet) > _MAX_BYTES:
        raise ValueError(f"XMP of {len(packet)} bytes is not read")
    try:
        return fromstring(_text(packet), forbid_dtd=True)
    except _XML_ERRORS as error:
        raise ValueError(f"XMP cannot be parsed: {error}") from error


def properties_of(root: Element) -> Properties:
    """The simple properties and lists of the known namespaces."""
    found: dict[str, tuple[str, ...]] = {}
    for description in descriptions(root):
        for name, values in _properties(description):
            if values:
                found.setdefault(name, values)
    return found


def descriptions(root: Element) -> Iterator[Element]:
    """What is said about the picture itself; deeper descriptions are about parts of it."""
    for rdf in root.iter(f"{_RDF}RDF"):
        yield from rdf.findall(f"{_RDF}Description")


def _text(packet: bytes) -> str:
    """Decode (UTF-16 exists in the wild) and cut to the element: padding and junk surround it."""
    if packet.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        text = packet.decode("utf-16", "replace")
    else:
        text = packet.decode("utf-8-sig", "replace")
    start = min((at for at in (text.find("<x:xmpmeta"), text.find("<rdf:RDF")) if at >= 0), default=0)
    return text[start : text.rfind(">") + 1 if "<?xpacket end" not in text else text.rfind("<?xpacket end")]


def _properties(description: Element) -> Iterator[tuple[str, tuple[str, ...]]]:
    for attribute, value in description.attrib.items():
        if name := _name(attribute):
            yield name, _cleaned([value])
    for child in description:
        if name := _name(child.tag):
            yield name, _cleaned(_values(child))


def _values(element: Element) -> list[str]:
    items = element.findall(f"./*/{_RDF}li")
    if items:
        return [item.text or "" for item in items]
    return [element.text or ""] if len(element) == 0 else []


def _cleaned(values: list[str]) -> tuple[str, ...]:
    return tuple(text for text in map(clean_text, values) if text)


def _name(tag: str) -> str | None:
    namespace, _, local = tag.removeprefix("{").partition("}")
    prefix = _PREFIXES.get(namespace)
    return f"{prefix}:{local}" if prefix and local else None
