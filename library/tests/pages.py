"""What every page of ours must be, checked on the HTML it was sent as."""

from __future__ import annotations

import re
from collections import Counter
from html.parser import HTMLParser

from django.http import HttpResponse

VOID = [
    "area",
    "base",
    "br",
    "col",
    "embed",
    "hr",
    "img",
    "input",
    "link",
    "meta",
    "source",
    "track",
    "wbr",
    "rect",
    "circle",
    "path",
    "use",
]


class _Page(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.faults: list[str] = []
        self.ids: Counter[str] = Counter()
        self.open: list[str] = []
        self.in_script = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        self._look(tag, values)
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._look(tag, dict(attrs))

    def _look(self, tag: str, values: dict[str, str | None]) -> None:
        if "style" in values or tag == "style":
            self.faults.append(f"inline style on <{tag}>")
        if tag == "script" and not values.get("src"):
            self.faults.append("inline script")
        if tag == "img" and values.get("alt") is None:
            self.faults.append("img without alt")
        self.faults += [f"{name} on <{tag}>" for name in values if name.startswith(("on", "hx-on"))]
        for name in ("src", "href", "action", "hx-get"):
            if re.match(r"(https?:)?//|javascript:", values.get(name) or ""):
                self.faults.append(f"{name} leads elsewhere: {values[name]}")
        if "id" in values:
            self.ids[values["id"] or ""] += 1

    def handle_endtag(self, tag: str) -> None:
        if tag in VOID:
            return
        if not self.open or self.open.pop() != tag:
            self.faults.append(f"</{tag}> closes nothing")


def assert_sound(response: HttpResponse) -> str:
    """The page is well-formed and needs nothing that our Content-Security-Policy forbids; its text."""
    html: str = response.content.decode()
    page = _Page()
    page.feed(html)
    doubled = [name for name, count in page.ids.items() if count > 1]
    assert not page.faults, page.faults
    assert not page.open, f"left open: {page.open}"
    assert not doubled, f"ids used twice: {doubled}"
    return html
