"""What pages ask and tell about faces, put together for one user in a constant number of queries."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from django.db.models import Max, QuerySet

from library.access import hidden_roots
from library.models import Photo
from people.access import faces_for, figures_for, people_for
from people.models import Face, PeopleEvent, Person, Suggestion
from people.review import Question, questions

if TYPE_CHECKING:
    from people.access import User

#: Names offered at once: as many as there are keys from 1 to 9.
MOST_GUESSES: Final = 9
#: Faces shown beside the cover of a question.
MOST_SHOWN: Final = 12
#: Names offered while typing, the most frequent ones.
MOST_NAMES: Final = 1_000


@dataclass(frozen=True, slots=True)
class Item:
    """One question with all that its card shows.

    ``reference`` is a known face of ``person``; ``guesses`` are others it may be, or who was named last.
    """

    face_ids: tuple[int, ...]
    cover: Face
    sample: tuple[Face, ...]
    person: Person | None
    reference: Face | None
    probability: float | None
    reasons: tuple[Mapping[str, Any], ...]
    settles: int
    guesses: tuple[Person, ...]


@dataclass(frozen=True, slots=True)
class PhotoFace:
    """A face of a photo as its page shows it: whose it is, or whose it may be."""

    face: Face
    person: Person | None
    suggestion: Person | None
    probability: float | None
    reasons: tuple[Mapping[str, Any], ...]

    @property
    def name(self) -> str:
        """Whose face it is; empty when nobody said so."""
        return self.person.name if self.person else ""

    @property
    def guessed(self) -> bool:
        """Whether the program or another one said so, and no person did."""
        return self.person is not None and self.face.person_source != Face.Source.HUMAN_CONFIRMED

    @property
    def ignored(self) -> bool:
        """Whether somebody said that it does not matter."""
        return self.face.status == Face.Status.IGNORED

    @property
    def asked(self) -> Person | None:
        """Whom yes and no are about."""
        return self.person if self.guessed else self.suggestion


def items(
    user: User,
    limit: int,
    *,
    person_id: int | None = None,
    without: Collection[int] = (),
    shown: int = MOST_SHOWN,
) -> list[Item]:
    """The next questions, with so many faces beside the cover (``shown``).

    Those whose cover is in ``without`` are put off.
    """
    asked = questions(user, limit + len(without), person_id=person_id)
    asked = [question for question in asked if question.cover_id not in set(without)][:limit]
    faces = _faces(user, [pk for question in asked for pk in question.face_ids[: shown + 1]])
    asked = [question for question in asked if question.cover_id in faces]
    wanted = {question.person_id for question in asked if question.person_id}
    people = people_for(user).in_bulk(wanted)
    covers = portraits(user, wanted)
    guesses = _guesses(user, [question.cover_id for question in asked])
    return [_item(question, faces, people, covers, guesses) for question in asked]


def single_items(user: User, faces: Iterable[Face]) -> list[Item]:
    """Cards for faces that nothing is known about."""
    keys = [face.pk for face in faces]
    found, guesses = _faces(user, keys), _guesses(user, keys)
    return [
        Item((pk,), found[pk], (), None, None, None, (), 1, tuple(guesses[pk][:MOST_GUESSES]))
        for pk in keys
        if pk in found
    ]


def photo_faces(photo: Photo, user: User) -> list[PhotoFace]:
    """The faces of a photo from left to right, without what is no face; people this user may not know of are
    nobody. Why somebody is suggested is told as in ``people.review``: to those who may see all folders.
    """
    gone = (Face.Status.NOT_A_FACE, Face.Status.DELETED)
    found = faces_for(user).filter(photo=photo).exclude(status__in=gone).order_by("x", "pk")
    faces = list(found.select_related("photo").defer("embedding", "landmarks", "photo__exif"))
    suggestions: dict[int, Suggestion] = {}
    open_faces = [face.pk for face in faces if face.person_id is None]
    for one in Suggestion.objects.filter(face__in=open_faces).order_by("face", "rank"):
        suggestions.setdefault(one.face_id, one)
    wanted = {face.person_id for face in faces} | {one.person_id for one in suggestions.values()}
    people = people_for(user).in_bulk([pk for pk in wanted if pk])
    may_know_why = bool(suggestions) and not hidden_roots(user)
    return [_photo_face(face, suggestions.get(face.pk), people, may_know_why=may_know_why) for face in faces]


def names(user: User) -> list[str]:
    """Names to choose from while typing, each once."""
    found = people_for(user).order_by("name").values_list("name", flat=True)
    return list(dict.fromkeys(found[:MOST_NAMES]))


def person_by_name(user: User, name: str) -> Person | None:
    """Whom this user means by a name: the one of that name with most photos; upper case does not matter."""
    wanted = " ".join(name.replace("\0", " ").split())  # which PostgreSQL cannot compare
    named = {person.pk: person for person in people_for(user).filter(name__iexact=wanted)}
    if len(named) < 2:
        return next(iter(named.values()), None)
    figures = figures_for(user, named)
    return named[min(named, key=lambda pk: (-figures[pk].photos if pk in figures else 0, pk))]


def portraits(user: User, person_ids: Collection[int]) -> dict[int, Face]:
    """By person: the face to show, with its photo."""
    covers = {pk: figures.cover for pk, figures in figures_for(user, person_ids).items() if figures.cover}
    faces = _faces(user, covers.values())
    return {pk: faces[cover] for pk, cover in covers.items() if cover in faces}


def _item(
    question: Question,
    faces: Mapping[int, Face],
    people: Mapping[int, Person],
    covers: Mapping[int, Face],
    guesses: Mapping[int, Sequence[Person]],
) -> Item:
    person = people.get(question.person_id) if question.person_id else None
    others = [faces[pk] for pk in question.face_ids[1 : MOST_SHOWN + 1] if pk in faces]
    offered = [one for one in guesses[question.cover_id] if one.pk != question.person_id]
    return Item(
        face_ids=question.face_ids,
        cover=faces[question.cover_id],
        sample=tuple(others),
        person=person,
        reference=covers.get(person.pk) if person else None,
        probability=question.probability,
        reasons=question.reasons,
        settles=question.settles,
        guesses=tuple(offered[:MOST_GUESSES]),
    )


def _photo_face(
    face: Face, one: Suggestion | None, people: Mapping[int, Person], *, may_know_why: bool
) -> PhotoFace:
    suggested = people.get(one.person_id) if one else None
    return PhotoFace(
        face=face,
        person=people.get(face.person_id) if face.person_id else None,
        suggestion=suggested,
        probability=one.probability if one and suggested else None,
        reasons=tuple(one.reasons) if one and suggested and may_know_why else (),
    )


def _faces(user: User, pks: Iterable[int]) -> dict[int, Face]:
    return with_photo(faces_for(user)).in_bulk(list(pks))


def with_photo(faces: QuerySet[Face]) -> QuerySet[Face]:
    """With what a portrait needs of the photo."""
    return faces.select_related("photo").defer("embedding", "landmarks", "photo__exif")


def _guesses(user: User, covers: Sequence[int]) -> dict[int, list[Person]]:
    """By face: who is suggested for it, then whom this user named last."""
    suggested = Suggestion.objects.filter(face__in=covers, rank__lte=MOST_GUESSES).order_by("face", "rank")
    pairs = list(suggested.values_list("face", "person"))
    recent = (
        PeopleEvent.objects.filter(by=user.pk, person__isnull=False, undone_at__isnull=True)
        .order_by()
        .values("person")
        .annotate(latest=Max("pk"))
        .order_by("-latest")
        .values_list("person", flat=True)[:MOST_GUESSES]
    )
    last = list(recent)
    people = people_for(user).in_bulk({person for _, person in pairs} | set(last))
    found: dict[int, list[Person]] = {}
    for face in covers:
        keys = dict.fromkeys([person for one, person in pairs if one == face] + last)
        found[face] = [people[pk] for pk in keys if pk in people]
    return found
