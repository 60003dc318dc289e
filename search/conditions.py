"""One field of the language → a condition on photos. Names are resolved here, folded like everything else.

What a condition asks of files it asks of those in roots the user may see, so that no answer tells of others.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from django.contrib.postgres.search import SearchQuery as TsQuery
from django.db.models import Exists, F, JSONField, OuterRef, Q, Value
from django.db.models.fields.json import DataContains
from django.db.models.functions import Concat, Lower
from django.db.models.lookups import Contains

from library.access import photos_for
from library.models import (
    Album,
    AlbumPhoto,
    Category,
    DetectedObject,
    Favourite,
    OcrText,
    Photo,
    PhotoFile,
    Place,
    Root,
    Tag,
)
from library.models.photo import LOWER_KEYWORDS
from library.timeline import gallery_photos
from people.finding import known_names, photos_of, photos_with_somebody
from search import measures
from search.models import SearchDocument
from search.query import Field
from search.query.values import choice
from search.text import fold, folded, phrase
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


@dataclass(slots=True)
class Scope:
    """Who asks, which roots are hidden from them, and what there is to say about the filters."""

    user: AbstractBaseUser | AnonymousUser
    hidden_roots: Sequence[int] = ()
    notices: list[str] = field(default_factory=list)

    @property
    def files(self) -> Q:
        """Files that are there and may be known of."""
        return Q(missing_since__isnull=True) & ~Q(root__in=list(self.hidden_roots))

    def miss(self, condition: Q, found: Iterable[object], notice: str) -> None:
        """Say that a name is nobody's: when it is, or when it is only that of photos that are hidden."""
        if not found or (self.hidden_roots and not gallery_photos(self.user).filter(condition).exists()):
            self.notices.append(notice)


def condition_of(atom: Field, scope: Scope) -> Q:
    """What the field asks."""
    if (asked := measures.CONDITIONS.get(atom.name)) is not None:
        return asked(atom.value)
    return _CONDITIONS[atom.name](atom, scope)


def document_query(terms: Iterable[str], weights: str = "") -> TsQuery:
    """Consecutive folded words as a ``tsquery``, as they are or by their English stems.

    ``weights`` limits the match to fields of these weights (see ``search.indexing``).
    """
    text = phrase(terms, weights)
    plain = TsQuery(text, config="simple", search_type="raw")
    return plain | TsQuery(text, config="english", search_type="raw")


def in_document(terms: Sequence[str], weights: str = "", hidden: Sequence[int] = ()) -> Q:
    """The words are in the document: with ``hidden`` roots, in its names only if no file lies there."""
    documents = SearchDocument.objects.filter(photo=OuterRef("pk"), document=document_query(terms, weights))
    if hidden:
        in_hidden = PhotoFile.objects.filter(photo=OuterRef("photo"), root__in=hidden)
        documents = documents.filter(Q(document=document_query(terms, NAMELESS)) | ~Exists(in_hidden))
    return Q(Exists(documents))


def _album(atom: Field, scope: Scope) -> Q:
    """Albums whose title has all these words. Imported titles are names of folders, and hidden with them."""
    found = _with_words(Album.objects.values_list("pk", "title"), atom.words)
    entries = AlbumPhoto.objects.filter(photo=OuterRef("pk"), album__in=found)
    if scope.hidden_roots:
        in_hidden = PhotoFile.objects.filter(photo=OuterRef("photo"), root__in=scope.hidden_roots)
        entries = entries.filter(Q(album__source="") | ~Exists(in_hidden))
    return Q(Exists(entries))


def _tag(atom: Field, scope: Scope) -> Q:
    """Tags by name, and keywords that came with the file (case-insensitive)."""
    found = _named(Tag.objects.values_list("pk", "name"), atom.words)
    tagged = DetectedObject.objects.filter(tag__in=found).order_by().values("photo")
    with_keyword = Photo.objects.filter(
        DataContains(LOWER_KEYWORDS, Value([atom.value.lower()], JSONField()))
    )
    return Q(pk__in=tagged.union(with_keyword.values("pk"), all=True))


def _category(atom: Field, scope: Scope) -> Q:
    names = [(pk, name) for pk, *both in Category.objects.values_list("pk", "name", "slug") for name in both]
    found = _named(names, atom.words)
    if not found:
        scope.notices.append(f"There is no category “{atom.value}”.")
    return Q(Exists(DetectedObject.objects.filter(photo=OuterRef("pk"), category__in=found)))


def _text(atom: Field, scope: Scope) -> Q:
    """Text in the picture, or its description: the words in their order."""
    return in_document(atom.words, weights="B")


def _camera(atom: Field, scope: Scope) -> Q:
    """Every word of the value is somewhere in maker and model."""
    return _all_words(atom, Lower(Concat(F("camera_make"), Value(" "), F("camera_model"))))


def _lens(atom: Field, scope: Scope) -> Q:
    """Every word of the value is somewhere in the name of the lens."""
    return _all_words(atom, Lower(F("lens")))


def _all_words(atom: Field, name: Lower) -> Q:
    condition = Q()
    for word in fold(atom.value).split():
        condition &= Q(Contains(name, word))
    return condition


def _type(atom: Field, scope: Scope) -> Q:
    name = fold(atom.value).removeprefix(".")
    return _KINDS[name] if name in _KINDS else _format(atom, scope)


def _format(atom: Field, scope: Scope) -> Q:
    name = fold(atom.value).removeprefix(".")
    condition = Q()
    for file_format in _FORMATS.get(name, [name]):
        condition |= Q(format__iexact=file_format)
    return condition


def _person(atom: Field, scope: Scope) -> Q:
    """People whose name has all these words, also one under which they were merged away."""
    found = _with_words(known_names(), atom.words)
    condition = Q(pk__in=photos_of(found))
    scope.miss(condition, found, f"Nobody is called “{atom.value}”.")
    return condition


def _place(atom: Field, scope: Scope) -> Q:
    """Cities, regions or countries whose name has all these words."""
    found = [
        pk for pk, *names in Place.objects.values_list("pk", "city", "region", "country")
        if any(set(atom.words) <= set(folded(name)) for name in names)
    ]  # fmt: skip
    condition = Q(place__in=found)
    scope.miss(condition, found, f"No photo was taken in a place called “{atom.value}”.")
    return condition


def _folder(atom: Field, scope: Scope) -> Q:
    """A folder below any root, or below the root whose name comes first."""
    files = PhotoFile.objects.filter(scope.files)
    places = [files.below(atom.value)]
    first, _, rest = atom.value.strip("/").partition("/")
    for root in Root.objects.filter(name__iexact=first).exclude(pk__in=list(scope.hidden_roots)):
        in_root = files.filter(root=root)
        places.append(in_root.below(rest) if rest else in_root)
    first_place, *others = [found.order_by().values("photo") for found in places]
    return Q(pk__in=first_place.union(*others, all=True) if others else first_place)


def _is(atom: Field, scope: Scope) -> Q:
    asked = choice("is", atom.value)
    if asked == "favourite":
        return Q(Exists(Favourite.objects.filter(photo=OuterRef("pk"), user=scope.user.pk)))
    if asked == "duplicate":
        seen = photos_for(scope.user).shown()
        in_front = seen.filter(duplicate_of__isnull=False).order_by().values("duplicate_of")
        behind = seen.filter(duplicate_of__in=seen.values("pk")).order_by().values("pk")
        return Q(pk__in=in_front.union(behind, all=True))
    if asked == "screenshot":
        return _KINDS["screenshot"]
    return Q(state__in=(Photo.State.FAILED, Photo.State.PARTIAL))


def _has(atom: Field, scope: Scope) -> Q:
    asked = choice("has", atom.value)
    if asked == "text":
        return Q(Exists(OcrText.objects.filter(photo=OuterRef("pk")).exclude(text="")))
    if asked == "faces":
        return measures.CONDITIONS["faces"]("1+")
    if asked == "people":
        return Q(pk__in=photos_with_somebody())
    return Q(latitude__isnull=False) if asked == "gps" else Q(video__isnull=False)


def _show(atom: Field, scope: Scope) -> Q:
    """No condition: it changes what the gallery holds (see ``search.filters``)."""
    return ~Q(pk__in=[])


def _size(atom: Field, scope: Scope) -> Q:
    return measures.size(atom.value, scope.files)


_CONDITIONS: Final[dict[str, Callable[[Field, Scope], Q]]] = {
    "tag": _tag,
    "category": _category,
    "text": _text,
    "camera": _camera,
    "lens": _lens,
    "type": _type,
    "format": _format,
    "person": _person,
    "album": _album,
    "place": _place,
    "folder": _folder,
    "size": _size,
    "is": _is,
    "has": _has,
    "show": _show,
}


def _named(rows: Iterable[tuple[int, str]], wanted: list[str]) -> list[int]:
    """The keys of the rows whose name has exactly these words."""
    return [pk for pk, name in rows if list(folded(name)) == wanted]


def _with_words(rows: Iterable[tuple[int, str]], wanted: list[str]) -> list[int]:
    """The keys of the rows whose name has all these words."""
    return [pk for pk, name in rows if set(wanted) <= set(folded(name))]
