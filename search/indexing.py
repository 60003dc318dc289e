"""The only write side of search: what is known about a photo → its weighted document.

A  tags, their categories, title, keywords, the names of its place
B  text in the picture, description
C  file and folder names
D  camera, and what a model wrote about the photo: a guess ranks below what is written somewhere

Every text is folded and split into words here (``search.text``); PostgreSQL adds positions and English
stems. A document holds each word twice, as it is (``simple``) and by its stem (``english``), so plain words
of any language and inflected English ones are both found.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from itertools import chain
from pathlib import Path
from typing import Any

from django.db import connection

from library.models import DetectedObject, OcrText, Photo, PhotoFile
from library.presentation import generated_description
from search import library_words
from search.models import SearchDocument
from search.text import bounded, name_words, words

GAP = "zzheirloomgapzz"
"""Stands between two fields of a document while it is built, so that no phrase reaches across."""

BATCH = 500

MAX_TEXT = 400_000
"""Characters of the text in a picture that are looked at; the limits below cut further."""

# A position beyond 16,383 cannot be told from its neighbours, and a document must stay under 1 MB. Words are
# there twice: 2 * (1,000 + 5,000 + 1,000 + 300) positions, 2 * 350 kB at most.
_LIMITS = {"A": (1_000, 60_000), "B": (5_000, 200_000), "C": (1_000, 60_000), "D": (300, 30_000)}

_PHOTO_FIELDS = ("title", "description", "keywords", "camera_make", "camera_model")

Readings = Iterable[list[str]]


def index_photos(photo_ids: Iterable[int]) -> int:
    """(Re)write the documents of these photos; say how many changed. Unknown ids are left out.

    A handful of queries for each ``BATCH``; a document that is right already is not written.
    """
    wanted = sorted(set(photo_ids))
    batches = (wanted[start : start + BATCH] for start in range(0, len(wanted), BATCH))
    return sum(_write(_documents(batch)) for batch in batches)


def remove(photo_ids: Iterable[int]) -> int:
    """Forget the documents of these photos; say how many there were."""
    deleted, _ = SearchDocument.objects.filter(photo__in=list(photo_ids)).delete()
    return deleted


def reindex_photos_of_tags(tag_ids: Iterable[int]) -> int:
    """Re-index every photo with one of these tags (their name or category changed); say how many changed."""
    photos = (
        DetectedObject.objects.filter(tag__in=list(tag_ids)).order_by("photo").values_list("photo", flat=True)
    )
    return index_photos(photos.distinct().iterator())


def reindex_all(batch: int = BATCH) -> Iterator[tuple[int, int]]:
    """Re-index the whole library; after each batch give how many photos were seen and changed in it."""
    last = 0
    while ids := list(Photo.objects.filter(pk__gt=last).order_by("pk").values_list("pk", flat=True)[:batch]):
        yield len(ids), index_photos(ids)
        last = ids[-1]


def _documents(photo_ids: Sequence[int]) -> dict[int, dict[str, str]]:
    """By photo and weight: the words, with gaps."""
    fields: dict[int, dict[str, list[list[str]]]] = {}
    photos = Photo.objects.filter(pk__in=photo_ids).select_related("model_description", "place")
    for photo in photos.only(*_PHOTO_FIELDS, "model_description__text", "place"):
        places = photo.place.names if photo.place else ()
        fields[photo.pk] = {
            "A": [words(text) for text in (photo.title, *map(str, photo.keywords), *places)],
            "B": [],
            "C": [],
            "D": [words(photo.camera), words(generated_description(photo))],
        }
        fields[photo.pk]["B"].append(words(photo.description))
    _add_tags(fields)
    _add_text(fields)
    _add_names(fields)
    return {pk: {weight: _joined(weight, fields[pk][weight]) for weight in "ABCD"} for pk in fields}


def _add_tags(fields: dict[int, dict[str, list[list[str]]]]) -> None:
    detections = DetectedObject.objects.filter(photo__in=fields).order_by("photo", "-confidence", "tag")
    categories: dict[int, set[str]] = defaultdict(set)
    for pk, tag, category in detections.values_list("photo", "tag__name", "category__name"):
        fields[pk]["A"].append(words(tag))
        if category:
            categories[pk].add(category)
    for pk, names in categories.items():
        fields[pk]["A"].extend(words(name) for name in sorted(names))


def _add_text(fields: dict[int, dict[str, list[list[str]]]]) -> None:
    for pk, text in OcrText.objects.filter(photo__in=fields).values_list("photo", "text"):
        fields[pk]["B"].insert(0, words(text[:MAX_TEXT]))


def _add_names(fields: dict[int, dict[str, list[list[str]]]]) -> None:
    files = PhotoFile.objects.present().filter(photo__in=fields).order_by("photo", "pk")
    for pk, path in files.values_list("photo", "display_path"):
        folder, _, name = path.rpartition("/")
        readings = chain(name_words(Path(name).stem), *(name_words(part) for part in folder.split("/")))
        fields[pk]["C"].extend(reading for reading in readings if reading not in fields[pk]["C"])


def _joined(weight: str, readings: Readings) -> str:
    max_words, max_bytes = _LIMITS[weight]
    kept = bounded(readings, max_words=max_words, max_bytes=max_bytes)
    return f" {GAP} ".join([*(" ".join(reading) for reading in kept), ""]).strip()


@cache
def _statement() -> str:
    return (Path(__file__).parent / "sql" / "index.sql").read_text(encoding="utf-8")


def _write(documents: dict[int, dict[str, str]]) -> int:
    if not documents:
        return 0
    parameters: dict[str, Any] = {"photos": list(documents), "gap": GAP}
    for weight in "ABCD":
        parameters[weight] = [fields[weight] for fields in documents.values()]
    with connection.cursor() as cursor:
        cursor.execute(_statement(), parameters)
        changed = int(cursor.rowcount)
    library_words.note(documents.values(), GAP)
    return changed
