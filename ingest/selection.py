"""A small language that says which photos: ``state:partial tag:dog after:2019-05 -camera:iPhone``.

Terms stand beside each other and must all hold; ``-`` before a term turns it round; commas within a value
are alternatives, unless it is in double quotes (``folder:"2019/Summer, at sea"``). Nothing of it becomes SQL
text: a selection is a frozen value, and a value is only ever a parameter.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from django.db.models import Exists, OuterRef, Q

from ingest.models import StepRun
from library.models import DetectedObject, Photo, PhotoFile, PhotoQuerySet, Root
from search.query import period

FIELDS = {
    "root": "name or number of a root: root:Family",
    "folder": 'folder below a root, with all below it: folder:"2019/Summer holidays"',
    "after": "taken from then on: after:2019, after:2019-05 or after:2019-05-31",
    "before": "taken before that: before:2020 ends with 2019",
    "state": f"one of {', '.join(Photo.State.values)}",
    "engine": "part of the name of an engine that ran a step: engine:rapidocr",
    "tag": "a tag, in full: tag:dog,cat",
    "camera": "part of its maker or model: camera:iPhone",
    "ids": "numbers of photos: ids:17,20-29",
}
_TERM = re.compile(r"(-?)([A-Za-z]+):(?:\"([^\"]*)\"|([^\s\"]+))(?=\s|$)")
_LARGEST_ID = 2**63 - 1


class SelectionError(ValueError):
    """What was typed is no selection; the message says which part and what is allowed."""


@dataclass(frozen=True, slots=True)
class Term:
    """One condition; any of the values makes it true."""

    field: str
    values: tuple[str, ...]
    negated: bool = False


@dataclass(frozen=True, slots=True)
class Selection:
    """Photos for which all terms hold; without any, all photos."""

    terms: tuple[Term, ...] = ()


def parse(text: str) -> Selection:
    """Read a selection. Raises SelectionError; never touches the database."""
    terms: list[Term] = []
    position = 0
    text = text.strip()
    while position < len(text):
        match = _TERM.match(text, position)
        if match is None:
            rest = text[position:].split(maxsplit=1)[0]
            raise SelectionError(
                f"{rest!r} is not of the form field:value (values with spaces in double quotes). Fields are "
                f"{', '.join(FIELDS)}."
            )
        terms.append(_term(match))
        position = match.end()
        position += len(text[position:]) - len(text[position:].lstrip())
    return Selection(tuple(terms))


def _term(match: re.Match[str]) -> Term:
    negated, name, quoted, plain = match.groups()
    field = {"id": "ids"}.get(name.lower(), name.lower())
    if field not in FIELDS:
        raise SelectionError(f"{name!r} is not a field. Fields are {', '.join(FIELDS)}.")
    values = (quoted,) if quoted is not None else tuple(plain.split(","))
    if "\0" in "".join(values) or not all(value.strip() for value in values):
        raise SelectionError(f"{name}: needs a value; {FIELDS[field]}.")
    term = Term(field, tuple(value.strip() for value in values), bool(negated))
    for value in term.values:
        _check(field, value)
    return term


def _check(field: str, value: str) -> None:
    wrong = (
        (field in ("after", "before") and period(value) is None)
        or (field == "state" and value.lower() not in Photo.State.values)
        or (field == "ids" and _ids(value) is None)
    )
    if wrong:
        raise SelectionError(f"{field}:{value} cannot be used; {FIELDS[field]}.")


def _ids(value: str) -> tuple[int, int] | None:
    """``7`` or ``7-9`` as its first and last number."""
    match = re.fullmatch(r"([0-9]{1,19})(?:-([0-9]{1,19}))?", value)
    if match is None:
        return None
    first, last = int(match[1]), int(match[2] or match[1])
    return (first, last) if first <= last <= _LARGEST_ID else None


def photos(selection: Selection) -> PhotoQuerySet:
    """The photos of a selection, unordered. Raises SelectionError for a root that does not exist."""
    found = Photo.objects.order_by()
    for term in selection.terms:
        # Files are asked once for all their terms: the folder must lie in that root.
        if term.field in ("root", "folder"):
            continue
        condition = _any(term, _CONDITIONS[term.field])
        found = found.exclude(condition) if term.negated else found.filter(condition)
    return _filter_by_files(found, selection)


def _filter_by_files(found: PhotoQuerySet, selection: Selection) -> PhotoQuerySet:
    files = PhotoFile.objects.present().filter(photo=OuterRef("pk"))
    wanted: list[Q] = []
    for term in selection.terms:
        if term.field not in ("root", "folder"):
            continue
        condition = _any(term, _in_root if term.field == "root" else _in_folder)
        if term.negated:
            found = found.filter(~Exists(files.filter(condition)))
        else:
            wanted.append(condition)
    return found.filter(Exists(files.filter(*wanted))) if wanted else found


def _any(term: Term, condition: Callable[[str], Q]) -> Q:
    either = Q()
    for value in term.values:
        either |= condition(value)
    return either


def _in_root(value: str) -> Q:
    number = Q(pk=int(value)) if re.fullmatch(r"[0-9]{1,18}", value) else Q(pk=None)
    roots = list(Root.objects.filter(Q(name__iexact=value) | number).values_list("pk", flat=True))
    if not roots:
        names = ", ".join(f"{root.name} ({root.pk})" for root in Root.objects.order_by("name", "pk")[:20])
        raise SelectionError(f"No root is called {value!r}. Roots are {names or 'not there yet'}.")
    return Q(root__in=roots)


def _in_folder(value: str) -> Q:
    return Q(display_path__startswith=value.strip("/") + "/")


def _after(value: str) -> Q:
    found = period(value)
    return Q(taken_local__gte=found[0]) if found else Q(pk__in=())


def _before(value: str) -> Q:
    found = period(value)
    return Q(taken_local__lt=found[0]) if found else Q(pk__in=())


def _with_id(value: str) -> Q:
    first, last = _ids(value) or (0, 0)
    return Q(pk__range=(first, last))


_CONDITIONS: dict[str, Callable[[str], Q]] = {
    "after": _after,
    "before": _before,
    "ids": _with_id,
    "state": lambda value: Q(state=value.lower()),
    "engine": lambda value: Q(Exists(StepRun.objects.filter(photo=OuterRef("pk"), engine__icontains=value))),
    "tag": lambda value: Q(
        Exists(DetectedObject.objects.filter(photo=OuterRef("pk"), tag__name__iexact=value))
    ),
    "camera": lambda value: Q(camera_make__icontains=value) | Q(camera_model__icontains=value),
}
