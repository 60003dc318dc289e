"""Why a page of photos was found: which words of the query stand where. A constant number of queries."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from django.db import connection
from django.db.models import Exists, OuterRef

from library.models import DetectedObject, Photo, PhotoFile
from library.presentation import generated_description
from search.query import SearchQuery, Term
from search.results import Fragment, Match, Why
from search.text import name_words, word_spans, words

SNIPPET_BEFORE = 40
SNIPPET_LENGTH = 180
TAGS = 8

FieldName = Literal["tag", "category", "title", "keyword", "text", "description", "folder", "file", "camera"]


@dataclass(frozen=True, slots=True)
class _Value:
    """One value of a photo that could have matched, with its words in the readings that were indexed."""

    field: FieldName
    value: str
    readings: list[list[str]]


def explain(photo_ids: Sequence[int], query: SearchQuery, hidden_roots: Sequence[int]) -> dict[int, Why]:
    """By photo: matched words with their fields, a snippet of its text, its tags.

    Names are told as they count: not those of photos with a file in a root hidden from the user. Photos
    that are gone are left out.
    """
    values = {pk: list(found) for pk, found in _values(photo_ids, hidden_roots).items()}
    terms = list(_terms(query))
    stems = _stems(terms, (word for found in values.values() for value in found for word in _words_of(value)))
    return {pk: _why(found, terms, stems) for pk, found in values.items()}


def _terms(query: SearchQuery) -> Iterator[list[str]]:
    """The words of every part of the query that looks for words, each part in its order."""
    for clause in query.clauses:
        for atom in clause.leaves():
            if isinstance(atom, Term) or atom.name in ("tag", "text", "category", "camera"):
                yield atom.words


def _words_of(value: _Value) -> Iterator[str]:
    for reading in value.readings:
        yield from reading


def _values(photo_ids: Sequence[int], hidden_roots: Sequence[int]) -> dict[int, list[_Value]]:
    values: dict[int, list[_Value]] = {}
    photos = Photo.objects.filter(pk__in=photo_ids).select_related("ocr_text", "model_description")
    for photo in photos.defer("exif", "thumbhash"):
        text = photo.ocr_text.text if hasattr(photo, "ocr_text") else ""
        values[photo.pk] = [
            _plain("title", photo.title),
            *(_plain("keyword", str(keyword)) for keyword in photo.keywords),
            _plain("text", text),
            _plain("description", photo.description),
            _plain("description", generated_description(photo)),
            _plain("camera", photo.camera),
        ]
    _add_tags(values)
    _add_files(values, hidden_roots)
    return values


def _plain(field: FieldName, value: str) -> _Value:
    return _Value(field, value, [words(value)])


def _add_tags(values: dict[int, list[_Value]]) -> None:
    detections = DetectedObject.objects.filter(photo__in=values).order_by("photo", "-confidence", "tag")
    seen: set[tuple[int, str]] = set()
    for pk, tag, category in detections.values_list("photo", "tag__name", "category__name"):
        values[pk].append(_plain("tag", tag))
        if category and (pk, category) not in seen:
            values[pk].append(_plain("category", category))
            seen.add((pk, category))


def _add_files(values: dict[int, list[_Value]], hidden_roots: Sequence[int]) -> None:
    files = PhotoFile.objects.present().filter(photo__in=values).order_by("photo", "pk")
    if hidden_roots:
        hidden = PhotoFile.objects.filter(photo=OuterRef("photo"), root__in=hidden_roots)
        files = files.filter(~Exists(hidden))
    for pk, path in files.values_list("photo", "display_path"):
        *folders, name = path.split("/")
        values[pk].append(_Value("file", name, name_words(name.rpartition(".")[0] or name)))
        values[pk].extend(_Value("folder", folder, name_words(folder)) for folder in folders)


def _stems(terms: Iterable[list[str]], candidates: Iterable[str]) -> Mapping[str, str]:
    """The English stems of the query's words, and of the candidates that could share one with them."""
    asked = {word for term in terms for word in term}
    starts = {word[:2] for word in asked}
    wanted = sorted(asked | {word for word in candidates if word[:2] in starts})
    if not wanted:
        return {}
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT word, (ts_lexize('english_stem', word))[1] FROM unnest(%s::text[]) AS word", [wanted]
        )
        return {word: stem for word, stem in cursor.fetchall() if stem}


def _why(values: list[_Value], terms: list[list[str]], stems: Mapping[str, str]) -> Why:
    by_field: dict[tuple[FieldName, str], dict[str, None]] = defaultdict(dict)
    for value in values:
        for term in terms:
            if any(_positions(reading, term, stems) for reading in value.readings):
                by_field[value.field, value.value].update(dict.fromkeys(term))
    matches = tuple(
        Match(field, "" if field in ("text", "description") else value, tuple(found))
        for (field, value), found in by_field.items()
    )
    texts = [
        value.value for field, value in ((v.field, v) for v in values) if (field, value.value) in by_field
    ]
    prose = [v.value for v in values if v.field in ("text", "description") and v.value in texts]
    snippet = _snippet(prose[0], terms, stems) if prose else ()
    return Why(
        matches=matches, snippet=snippet, tags=tuple(v.value for v in values if v.field == "tag")[:TAGS]
    )


def _positions(reading: Sequence[str], term: Sequence[str], stems: Mapping[str, str]) -> list[int]:
    """Where the words of the term follow one another: as they are, or all by their stems."""
    size = len(term)
    return [
        start
        for start in range(len(reading) - size + 1)
        if all(_same(reading[start + index], term[index], stems) for index in range(size))
    ]


def _same(word: str, other: str, stems: Mapping[str, str]) -> bool:
    return word == other or (word in stems and stems[word] == stems.get(other))


def _snippet(text: str, terms: list[list[str]], stems: Mapping[str, str]) -> tuple[Fragment, ...]:
    """The surroundings of the first match in one line, with every match in them marked."""
    line = " ".join(text.split())
    spans = list(word_spans(line))
    reading = [word for word, _, _ in spans]
    marked: set[tuple[int, int]] = set()
    for term in terms:
        for start in _positions(reading, term, stems):
            marked.update((begin, end) for _, begin, end in spans[start : start + len(term)])
    if not marked:
        return ()
    return tuple(_fragments(line, sorted(marked)))


def _fragments(line: str, marked: list[tuple[int, int]]) -> Iterator[Fragment]:
    first = marked[0][0]
    start = 0 if first <= SNIPPET_BEFORE else line.rfind(" ", 0, first - SNIPPET_BEFORE) + 1
    stop = len(line)
    if stop > start + SNIPPET_LENGTH:
        stop = max(line.rfind(" ", start, start + SNIPPET_LENGTH), marked[0][1])
    if start:
        yield Fragment("… ")
    at = start
    for begin, end in marked:
        if end > stop:
            break
        if begin > at:
            yield Fragment(line[at:begin])
        yield Fragment(line[begin:end], matched=True)
        at = max(at, end)
    if at < stop:
        yield Fragment(line[at:stop])
    if stop < len(line):
        yield Fragment(" …")
