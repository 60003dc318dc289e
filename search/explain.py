"""Why a page of photos was found: which words of the query stand where. A constant number of queries."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from django.db import connection
from django.db.models import Exists, OuterRef

from library.models import DetectedObject, Photo, PhotoFile
from library.presentation import generated_description
from search.query import SearchQuery, Term
from search.results import FieldName, Fragment, Match, TagFound, Why
from search.text import folded, name_words, word_spans, words

SNIPPET_BEFORE = 40
SNIPPET_LENGTH = 180
TAGS = 8
NAME_LENGTH = 60

_FIELDS_OF_WORDS = ("tag", "text", "category", "camera", "place")
_PROSE = ("text", "description")


@dataclass(frozen=True, slots=True)
class _Value:
    """One value of a photo that could have matched, with its words in the readings that were indexed."""

    field: FieldName
    value: str
    readings: list[list[str]]


@dataclass(frozen=True, slots=True)
class _Asked:
    """Words that follow one another: as they were typed, and as they are looked for."""

    typed: tuple[str, ...]
    words: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Found:
    """What is known about a photo that could have matched."""

    values: list[_Value]
    tags: list[TagFound]


def explain(photo_ids: Sequence[int], query: SearchQuery, hidden_roots: Sequence[int]) -> dict[int, Why]:
    """By photo: matched words with their fields, a snippet of its text, its tags.

    Names are told as they count: not those of photos with a file in a root hidden from the user. Photos
    that are gone are left out.
    """
    known = _known(photo_ids, hidden_roots)
    terms = list(_terms(query))
    words_there = (word for found in known.values() for value in found.values for word in _words_of(value))
    stems = _stems(terms, words_there)
    return {pk: _why(found, terms, stems) for pk, found in known.items()}


def matching_lines(lines: Sequence[str], query: SearchQuery) -> set[int]:
    """The positions of the lines that have words of the query; a phrase may go on in the next line."""
    terms = list(_terms(query))
    spoken = [(word, number) for number, line in enumerate(lines) for word in words(line)]
    reading = [word for word, _ in spoken]
    stems = _stems(terms, reading)
    return {
        number
        for term in terms
        for start in _positions(reading, term.words, stems)
        for _, number in spoken[start : start + len(term.words)]
    }


def _terms(query: SearchQuery) -> Iterator[_Asked]:
    """Every part of the query that looks for words, and the other words it may stand for."""
    for clause in query.clauses:
        for atom in clause.leaves():
            if isinstance(atom, Term) or atom.name in _FIELDS_OF_WORDS:
                typed = tuple(atom.words)
                yield _Asked(typed, typed)
                others = atom.expanded if isinstance(atom, Term) else ()
                yield from (_Asked(typed, other.words) for other in others)


def _words_of(value: _Value) -> Iterator[str]:
    for reading in value.readings:
        yield from reading


def _known(photo_ids: Sequence[int], hidden_roots: Sequence[int]) -> dict[int, _Found]:
    known: dict[int, _Found] = {}
    photos = Photo.objects.filter(pk__in=photo_ids).select_related("ocr_text", "model_description", "place")
    for photo in photos.defer("exif", "thumbhash", "colours", "ocr_text__blocks"):
        text = photo.ocr_text.text if hasattr(photo, "ocr_text") else ""
        places = dict.fromkeys(filter(None, photo.place.names)) if photo.place else ()
        values = [
            _plain("title", photo.title),
            *(_plain("keyword", str(keyword)) for keyword in photo.keywords),
            _plain("text", text),
            _plain("description", photo.description),
            _plain("description", generated_description(photo)),
            _plain("camera", photo.camera),
            *(_plain("place", name) for name in places),
        ]
        known[photo.pk] = _Found(values, [])
    _add_tags(known)
    _add_files(known, hidden_roots)
    return known


def _plain(field: FieldName, value: str) -> _Value:
    # Names come again and again; texts of pictures need not be remembered.
    return _Value(field, value, [list(folded(value)) if len(value) <= NAME_LENGTH else words(value)])


def _add_tags(known: dict[int, _Found]) -> None:
    detections = DetectedObject.objects.filter(photo__in=known).order_by("photo", "-confidence", "tag")
    seen: set[tuple[int, str]] = set()
    for pk, tag, confidence, category in detections.values_list(
        "photo", "tag__name", "confidence", "category__name"
    ):
        known[pk].tags.append(TagFound(tag, round(confidence, 4)))
        known[pk].values.append(_plain("tag", tag))
        if category and (pk, category) not in seen:
            known[pk].values.append(_plain("category", category))
            seen.add((pk, category))


def _add_files(known: dict[int, _Found], hidden_roots: Sequence[int]) -> None:
    files = PhotoFile.objects.present().filter(photo__in=known).order_by("photo", "pk")
    if hidden_roots:
        hidden = PhotoFile.objects.filter(photo=OuterRef("photo"), root__in=hidden_roots)
        files = files.filter(~Exists(hidden))
    for pk, path in files.values_list("photo", "display_path"):
        *folders, name = path.split("/")
        known[pk].values.append(_Value("file", name, name_words(name.rpartition(".")[0] or name)))
        known[pk].values.extend(_Value("folder", folder, name_words(folder)) for folder in folders)


def _stems(terms: Iterable[_Asked], candidates: Iterable[str]) -> Mapping[str, str]:
    """The English stems of the query's words, and of the candidates that could share one with them."""
    asked = {word for term in terms for word in term.words}
    starts = {word[:2] for word in asked}
    wanted = sorted(asked | {word for word in candidates if word[:2] in starts})
    if not wanted:
        return {}
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT word, (ts_lexize('english_stem', word))[1] FROM unnest(%s::text[]) AS word", [wanted]
        )
        return {word: stem for word, stem in cursor.fetchall() if stem}


def _why(found: _Found, terms: list[_Asked], stems: Mapping[str, str]) -> Why:
    typed: dict[tuple[FieldName, str], dict[str, None]] = defaultdict(dict)
    other: dict[tuple[FieldName, str], dict[str, None]] = defaultdict(dict)
    for value in found.values:
        for term in terms:
            if any(_positions(reading, term.words, stems) for reading in value.readings):
                typed[value.field, value.value].update(dict.fromkeys(term.typed))
                if term.words != term.typed:
                    other[value.field, value.value].update(dict.fromkeys(term.words))
    matches = tuple(
        Match(field, "" if field in _PROSE else value, tuple(words), tuple(other[field, value]))
        for (field, value), words in typed.items()
    )
    prose = [v.value for v in found.values if v.field in _PROSE and (v.field, v.value) in typed]
    snippet = _snippet(prose[0], terms, stems) if prose else ()
    return Why(matches=matches, snippet=snippet, tags=_shown(found.tags, typed))


def _shown(tags: list[TagFound], typed: Container[tuple[FieldName, str]]) -> tuple[TagFound, ...]:
    """The surest ones, and those that matched."""
    return tuple(tag for rank, tag in enumerate(tags) if rank < TAGS or ("tag", tag.name) in typed)


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


def _snippet(text: str, terms: list[_Asked], stems: Mapping[str, str]) -> tuple[Fragment, ...]:
    """The surroundings of the first match in one line, with every match in them marked."""
    line = " ".join(text.split())
    spans = list(word_spans(line))
    reading = [word for word, _, _ in spans]
    marked: set[tuple[int, int]] = set()
    for term in terms:
        for start in _positions(reading, term.words, stems):
            marked.update((begin, end) for _, begin, end in spans[start : start + len(term.words)])
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
