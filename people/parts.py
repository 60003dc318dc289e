"""The faces of a person, put in an order in which wrong ones stand out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from people.models import Face
from people.scores import scale_of

#: ``unlike``: those that look least like the rest come first. ``parts``: in groups of those that look alike.
ORDERS: Final = ("date", "unlike", "parts")


@dataclass(frozen=True, slots=True)
class Part:
    """Faces that belong together; ``title`` is empty when there is one part only."""

    title: str
    faces: list[Face]


def parts_of(faces: Sequence[Face], order: str) -> list[Part]:
    """These faces in one of ORDERS. What cannot be compared, drawn or seen by another engine, comes last.

    ``parts`` are what single linkage at the engine's lowest threshold leaves apart: between two parts no pair
    of faces is alike enough even to be asked about.
    """
    if not faces:
        return []
    if order == "date":
        return [Part("", list(faces))]
    known, rest = _comparable(faces)
    if not known:
        return [Part("", list(faces))]
    vectors = _vectors(known)
    if order == "unlike":
        middle = vectors.mean(axis=0)
        ranked = [known[number] for number in np.argsort(vectors @ middle, kind="stable")]
        return [Part("", [*ranked, *rest])]
    groups = _groups(vectors, scale_of(known[0].space).now.low if known[0].space else 1.0)
    parts = [Part(f"Part {number}", [known[one] for one in group]) for number, group in enumerate(groups, 1)]
    return parts + ([Part("Not compared", rest)] if rest else [])


def _comparable(faces: Sequence[Face]) -> tuple[list[Face], list[Face]]:
    """The faces in the space that has most of them, and the others."""
    spaces = [face.space_id for face in faces if face.space_id is not None]
    most = max(set(spaces), key=spaces.count, default=None)
    known = [face for face in faces if face.space_id is not None and face.space_id == most]
    return known, [face for face in faces if face not in known]


def _vectors(faces: Sequence[Face]) -> npt.NDArray[np.float32]:
    """float32 [N, D], in one statement."""
    found = dict(Face.objects.filter(pk__in=[face.pk for face in faces]).values_list("pk", "embedding"))
    return np.stack([np.asarray(found[face.pk], dtype=np.float32) for face in faces])


def _groups(vectors: npt.NDArray[np.float32], threshold: float) -> list[list[int]]:
    """Connected components of the graph of pairs with this cosine or more, the largest first."""
    alike = vectors @ vectors.T >= threshold
    left = set(range(len(vectors)))
    groups: list[list[int]] = []
    while left:
        group, edge = set[int](), {min(left)}
        while edge:
            group |= edge
            edge = {int(one) for one in np.flatnonzero(alike[sorted(edge)].any(axis=0))} - group
        groups.append(sorted(group))
        left -= group
    return sorted(groups, key=lambda group: (-len(group), group[0]))
