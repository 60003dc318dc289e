"""``SearchQuery`` and a user → the photos that may be found at all.

Access rights are the first condition and always there: what can be found is what the gallery of this user
holds. Free text ranks and does not filter; everything else does: quoted words, fields, ``-not`` words and
alternatives that mix words with fields. Nearly identical photos are represented by the one they stand
behind: words that only a hidden copy has do not find it.

The names of a photo's files are one part of its document, whichever roots they lie in. So for whoever may
not see one of these roots none of the names counts, or what is found would tell the hidden ones.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from django.contrib.postgres.search import SearchQuery as TsQuery
from django.db.models import Exists, F, JSONField, OuterRef, Q, TextField, Value
from django.db.models.functions import Cast, Concat, Lower

from library.access import hidden_roots
from library.models import Album, AlbumPhoto, Category, DetectedObject, Photo, PhotoFile, PhotoQuerySet, Tag
from library.timeline import gallery_photos
from people.models import FaceLabel, ImportedName, Person
from search.models import SearchDocument
from search.query import Atom, Field, SearchQuery, Term
from search.text import fold, phrase, words
from vision.imaging.formats import FAMILIES

if TYPE_CHECKING:
    from django.contrib.auth.models import AbstractBaseUser, AnonymousUser

NAMELESS: Final = "ABD"
"""The weights of all fields but file and folder names (see ``search.indexing``)."""

# Formats are stored as they are called by their decoder; raw ones by the name of their file extension.
_FORMATS: Final = {
    "jpg": ["JPEG", "JPG", "MPO"],
    "jpeg": ["JPEG", "JPG", "MPO"],
    "tif": ["TIFF", "TIF"],
    "tiff": ["TIFF", "TIF"],
    "heic": ["HEIC", "HEIF"],
    "heif": ["HEIC", "HEIF"],
    "raw": [extension.upper() for extension, family in FAMILIES.items() if family == "raw"],
}


# Kinds of photos that are no formats.
_KINDS: Final = {
    "screenshot": Q(is_screenshot=True),
    "motion": Q(video__isnull=False),
    "live": Q(video__kind="live"),
}


@dataclass(frozen=True, slots=True)
class Eligible:
    """The photos that may be found, unordered, and what there is to say about the filters.

    The names of photos with a file in one of ``hidden_roots`` must not count.
    """

    photos: PhotoQuerySet
    notices: tuple[str, ...] = ()
    hidden_roots: tuple[int, ...] = ()


def eligible(query: SearchQuery, user: AbstractBaseUser | AnonymousUser) -> Eligible:
    """Apply the filters of the query to what this user may see.

    Names (of tags, categories and people) are resolved here, folded like everything else; a name nobody
    has matches nothing and is said in ``notices``.
    """
    photos = gallery_photos(user)
    hidden = tuple(hidden_roots(user))
    notices: list[str] = []
    for clause in query.filters:
        condition = Q()
        for atom in clause.alternatives:
            condition |= _condition(atom, notices, hidden)
        photos = photos.exclude(condition) if clause.negated else photos.filter(condition)
    return Eligible(photos, tuple(dict.fromkeys(notices)), hidden)


def document_query(terms: Iterable[str], weights: str = "") -> TsQuery:
    """Consecutive folded words as a ``tsquery``, as they are or by their English stems.

    ``weights`` limits the match to fields of these weights (see ``search.indexing``).
    """
    text = phrase(terms, weights)
    plain = TsQuery(text, config="simple", search_type="raw")
    return plain | TsQuery(text, config="english", search_type="raw")


def _condition(atom: Atom, notices: list[str], hidden: Sequence[int]) -> Q:
    if isinstance(atom, Term):
        return _in_document(atom.words, hidden=hidden)
    if atom.name == "album":
        return _album(atom, hidden)
    return _CONDITIONS[atom.name](atom, notices)


def _album(atom: Field, hidden: Sequence[int]) -> Q:
    """Albums whose title has all these words. Titles are names of folders: the same is hidden with them."""
    wanted = set(atom.words)
    found = [pk for pk, title in Album.objects.values_list("pk", "title") if wanted <= set(words(title))]
    entries = AlbumPhoto.objects.filter(photo=OuterRef("pk"), album__in=found)
    if hidden:
        entries = entries.exclude(Exists(PhotoFile.objects.filter(photo=OuterRef("photo"), root__in=hidden)))
    return Q(Exists(entries))


def _in_document(terms: Sequence[str], weights: str = "", hidden: Sequence[int] = ()) -> Q:
    """The words are in the document: with ``hidden`` roots, in its names only if no file lies there."""
    documents = SearchDocument.objects.filter(photo=OuterRef("pk"), document=document_query(terms, weights))
    if hidden:
        in_hidden = PhotoFile.objects.filter(photo=OuterRef("photo"), root__in=hidden)
        documents = documents.filter(Q(document=document_query(terms, NAMELESS)) | ~Exists(in_hidden))
    return Q(Exists(documents))


def _tag(atom: Field, notices: list[str]) -> Q:
    """Tags by name, and keywords that came with the file (case-insensitive)."""
    found = _named(Tag.objects.values_list("pk", "name"), atom.words)
    lower_keywords = Cast(Lower(Cast("keywords", TextField())), JSONField())
    with_keyword = Photo.objects.alias(lower_keywords=lower_keywords).filter(
        pk=OuterRef("pk"), lower_keywords__contains=Value([atom.value.lower()], JSONField())
    )
    tagged = DetectedObject.objects.filter(photo=OuterRef("pk"), tag__in=found)
    return Q(Exists(tagged)) | Q(Exists(with_keyword))


def _category(atom: Field, notices: list[str]) -> Q:
    names = [(pk, name) for pk, *both in Category.objects.values_list("pk", "name", "slug") for name in both]
    found = _named(names, atom.words)
    if not found:
        notices.append(f"There is no category “{atom.value}”.")
    return Q(Exists(DetectedObject.objects.filter(photo=OuterRef("pk"), category__in=found)))


def _text(atom: Field, notices: list[str]) -> Q:
    """Text in the picture, or its description: the words in their order."""
    return _in_document(atom.words, weights="B")


def _camera(atom: Field, notices: list[str]) -> Q:
    """Every word of the value is somewhere in maker and model."""
    name = Lower(Concat(F("camera_make"), Value(" "), F("camera_model")))
    cameras = Photo.objects.alias(camera_name=name).filter(pk=OuterRef("pk"))
    for word in fold(atom.value).split():
        cameras = cameras.filter(camera_name__contains=word)
    return Q(Exists(cameras))


def _type(atom: Field, notices: list[str]) -> Q:
    name = fold(atom.value).removeprefix(".")
    if name in _KINDS:
        return _KINDS[name]
    condition = Q()
    for file_format in _FORMATS.get(name, [name]):
        condition |= Q(format__iexact=file_format)
    return condition


def _person(atom: Field, notices: list[str]) -> Q:
    """People whose name has all these words. Each face is who its last standing label says."""
    wanted = set(atom.words)
    names = Person.objects.filter(hidden=False).values_list("pk", "name")
    found = [pk for pk, name in names if wanted <= set(words(name))]
    if not found:
        notices.append(f"Nobody is called “{atom.value}”.")
    later = FaceLabel.objects.filter(face=OuterRef("face"), at__gte=OuterRef("at"), pk__gt=OuterRef("pk"))
    undone = later.filter(
        Q(verdict=FaceLabel.Verdict.CONFIRMED)
        | Q(verdict=FaceLabel.Verdict.REJECTED, person=OuterRef("person"))
    )
    labels = FaceLabel.objects.filter(
        ~Exists(undone), verdict=FaceLabel.Verdict.CONFIRMED, person__in=found, face__photo=OuterRef("pk")
    )
    # Whom another program named without a face that could be found for the name.
    told = ImportedName.objects.filter(photo=OuterRef("pk"), person__in=found, face__isnull=True)
    return Q(Exists(labels)) | Q(Exists(told))


def _before(atom: Field, notices: list[str]) -> Q:
    return Q(taken_local__lt=atom.period[0])


def _after(atom: Field, notices: list[str]) -> Q:
    return Q(taken_local__gte=atom.period[0])


def _year(atom: Field, notices: list[str]) -> Q:
    start, end = atom.period
    return Q(taken_local__gte=start, taken_local__lt=end)


_CONDITIONS: Final[dict[str, Callable[[Field, list[str]], Q]]] = {
    "tag": _tag,
    "category": _category,
    "text": _text,
    "camera": _camera,
    "type": _type,
    "person": _person,
    "before": _before,
    "after": _after,
    "year": _year,
}


def _named(rows: Iterable[tuple[int, str]], wanted: list[str]) -> list[int]:
    """The keys of the rows whose name has exactly these words."""
    return [pk for pk, name in rows if words(name) == wanted]
