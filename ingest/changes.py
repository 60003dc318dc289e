"""Events of the file system become folders to look at: few, however many files were touched.

An event is only a hint. What is there is always found out by a walk over the folder, so an event that is
doubled, late or out of order does no harm.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass, field

from ingest.scanner import Area, ScanRules
from vision.imaging.formats import extension_of, kind_of

#: More folders than these are put together into the folders around them.
MOST_AREAS = 64


@dataclass(slots=True)
class Pending:
    """Folders of one root that changed, since when, and when the last event came (seconds of one clock)."""

    first: float
    last: float
    areas: set[Area] = field(default_factory=set)

    def is_due(self, now: float, *, quiet: float, longest: float) -> bool:
        """Whether all is quiet; or it has been waited long enough: some folders are never quiet."""
        return now - self.last >= quiet or now - self.first >= longest


def area_of(root: bytes, path: bytes, rules: ScanRules) -> Area | None:
    """The folder to look at after an event about ``path``; None when it is nothing to us.

    For a picture or a sidecar that is the folder it lies in; for a folder that came, went or was opened to us
    it is that folder with everything below. What is gone was a folder unless its name says otherwise.
    """
    relative = path[len(root.rstrip(b"/")) + 1 :]
    folder, _, name = relative.rpartition(b"/")
    if not relative or any(_passed_over(part, rules) for part in folder.split(b"/") if part):
        return None
    if os.path.isdir(path):  # noqa: PTH112 - bytes
        return None if _passed_over(name, rules) else Area(relative)
    if extension_of(name) in rules.extensions or name.lower().endswith(b".xmp"):
        return Area(folder, deep=False)
    is_gone = not os.path.lexists(path)
    unknown = kind_of(name.decode("utf-8", "replace")) == "unknown"
    return Area(relative) if is_gone and unknown and not _passed_over(name, rules) else None


def _passed_over(name: bytes, rules: ScanRules) -> bool:
    hidden = name.startswith(b".") and not rules.include_hidden
    return hidden or name.decode("utf-8", "replace").casefold() in rules.excluded_folders


def coalesce(areas: Iterable[Area], most: int = MOST_AREAS) -> tuple[Area, ...]:
    """The same folders and as little more as possible in at most ``most`` areas, none inside another."""
    chosen = _without_inner(areas)
    while len(chosen) > most:
        deepest = max(_depth(area) for area in chosen)
        if not deepest:
            break
        chosen = _without_inner(
            Area(area.folder.rpartition(b"/")[0]) if _depth(area) == deepest else area for area in chosen
        )
    return tuple(chosen)


def common_folder(areas: Iterable[Area]) -> bytes:
    """The folder that holds all of them."""
    parts = [area.folder.split(b"/") if area.folder else [] for area in areas]
    common = os.path.commonprefix(parts)
    return b"/".join(common)


def _depth(area: Area) -> int:
    return area.folder.count(b"/") + 1 if area.folder else 0


def _without_inner(areas: Iterable[Area]) -> list[Area]:
    """Leave out what lies inside a deep area."""
    wanted = sorted(set(areas), key=lambda area: (_depth(area), not area.deep, area.folder))
    deep: set[bytes] = set()
    kept = []
    for area in wanted:
        parts = area.folder.split(b"/") if area.folder else []
        around = {b"/".join(parts[:n]) for n in range(len(parts) + 1)}
        if around & deep:
            continue
        if area.deep:
            deep.add(area.folder)
        kept.append(area)
    return kept
