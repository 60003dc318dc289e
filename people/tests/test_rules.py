"""Random deeds of two people, an engine and other programs: no order of them breaks a hard rule.

After every deed the library is looked at whole: who is where, which labels hold, whether the derived columns
are what the labels say. Some deeds are undone at once, and then everything has to be as it was before.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, date, datetime
from random import Random
from typing import Any

import numpy as np
import pytest
from django.db import connection, transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from library.models import EmbeddingSpace, Photo
from library.tests.factories import make_photo, make_space, make_user
from people.actions.answers import assign, confirm, ignore, not_a_face, reject, unassign
from people.actions.detect import replace_faces
from people.actions.draw import delete_face, draw_face, move_face
from people.actions.guesses import record_guesses, withdraw_guesses
from people.actions.merge import merge, split
from people.actions.names import import_names
from people.actions.persons import (
    create_person,
    edit,
    mark_maybe_same,
    mark_not_same,
    pin,
    rename,
    set_cover,
    unpin,
)
from people.actions.undo import undo
from people.derivation import disagreeing
from people.models import Face, FaceLabel, NotSame, PeopleEvent, Person, Prototype
from people.refusals import PeopleRefused
from people.tests.factories import add_face, make_person
from vision.imaging.regions import NamedPerson
from vision.results import Box, DetectedFace

pytestmark = pytest.mark.django_db

PLACES = (Box(0.1, 0.1, 0.2, 0.3), Box(0.4, 0.1, 0.2, 0.3), Box(0.7, 0.1, 0.2, 0.3), Box(0.1, 0.6, 0.2, 0.3))
BIRTHS = (None, date(1990, 1, 1), date(2005, 6, 1), date(2015, 1, 1))
Deed = tuple[str, int, int, int]


class World:
    """Four photos of ten years each, two faces in each, four people."""

    def __init__(self) -> None:
        self.users = [make_user("olga", owner=True), make_user("max")]
        years = [datetime(year, 7, 1, tzinfo=UTC) for year in (1985, 2000, 2010)]
        self.photos: list[Photo] = [make_photo(taken_local=year) for year in years]
        self.photos.append(make_photo(taken_local=None))
        for photo in self.photos:
            for box in PLACES[:2]:
                add_face(photo, x=box.x, y=box.y, width=box.width, height=box.height)
        for name, birth in zip("ABCD", BIRTHS, strict=True):
            make_person(name, birth_date=birth)
        other = EmbeddingSpace.objects.create(kind="face", engine="other", model="2", dimensions=4)
        self.spaces = [make_space("face", 4), other]

    def face(self, number: int) -> Face:
        faces = list(Face.objects.order_by("pk"))
        return faces[number % len(faces)]

    def faces(self, number: int) -> list[int]:
        keys = list(Face.objects.order_by("pk").values_list("pk", flat=True))
        return sorted({keys[number % len(keys)], keys[(number // 7) % len(keys)]})

    def person(self, number: int) -> Person:
        """Anybody, also somebody who was merged: a page may be old."""
        people = list(Person.objects.order_by("pk"))
        return people[number % len(people)]

    def do(self, deed: Deed) -> PeopleEvent | None:
        name, one, two, three = deed
        done: PeopleEvent | None = getattr(self, f"do_{name}")(one, two, self.users[three % 2])
        return done

    def do_confirm(self, one: int, two: int, by: Any) -> PeopleEvent:
        options = {"leave_out": bool(one % 2), "instead": one % 5 == 0}
        return confirm(face_ids=self.faces(one), person=self.person(two), by=by, **options)

    def do_assign(self, one: int, two: int, by: Any) -> PeopleEvent:
        return assign(face_ids=self.faces(one), person=self.person(two), by=by, instead=two % 3 == 0)

    def do_reject(self, one: int, two: int, by: Any) -> PeopleEvent:
        return reject(face_ids=self.faces(one), person=self.person(two), by=by, overrule=one % 4 == 0)

    def do_unassign(self, one: int, two: int, by: Any) -> PeopleEvent:
        return unassign(face_ids=[self.face(one).pk], by=by)

    def do_ignore(self, one: int, two: int, by: Any) -> PeopleEvent:
        return ignore(face_ids=self.faces(one), by=by, overrule=two % 2 == 0)

    def do_not_a_face(self, one: int, two: int, by: Any) -> PeopleEvent:
        return not_a_face(face_ids=[self.face(one).pk], by=by, overrule=two % 2 == 0)

    def do_create_person(self, one: int, two: int, by: Any) -> PeopleEvent:
        return create_person(name=f"New {one}", face_ids=self.faces(one), by=by, leave_out=two % 2 == 0)

    def do_rename(self, one: int, two: int, by: Any) -> PeopleEvent:
        return rename(person=self.person(one), name=f"Name {two}", by=by)

    def do_edit(self, one: int, two: int, by: Any) -> PeopleEvent:
        return edit(
            person=self.person(one), birth_date=BIRTHS[two % 4], user=by if one % 3 == 0 else None, by=by
        )

    def do_set_cover(self, one: int, two: int, by: Any) -> PeopleEvent | None:
        face = self.face(one)
        return set_cover(person=face.person, face_id=face.pk, by=by) if face.person else None

    def do_pin(self, one: int, two: int, by: Any) -> PeopleEvent:
        return pin(face_id=self.face(one).pk, by=by)

    def do_unpin(self, one: int, two: int, by: Any) -> PeopleEvent:
        return unpin(face_id=self.face(one).pk, by=by)

    def do_merge(self, one: int, two: int, by: Any) -> PeopleEvent:
        others = [self.person(two), self.person(two // 5)]
        return merge(into=self.person(one), others=others, by=by, overrule=two % 3 == 0)

    def do_split(self, one: int, two: int, by: Any) -> PeopleEvent | None:
        face = self.face(one)
        if face.person is None:
            return None
        into = self.person(two) if two % 2 else None
        return split(person=face.person, face_ids=[face.pk], name=f"Part {two}", into=into, by=by)

    def do_mark_not_same(self, one: int, two: int, by: Any) -> PeopleEvent:
        return mark_not_same(one=self.person(one), two=self.person(two), by=by)

    def do_mark_maybe_same(self, one: int, two: int, by: Any) -> PeopleEvent:
        return mark_maybe_same(one=self.person(one), two=self.person(two), by=by)

    def do_guess(self, one: int, two: int, by: Any) -> PeopleEvent | None:
        guesses = [
            (pk, self.person(two + place).pk, 0.5 + place / 10) for place, pk in enumerate(self.faces(one))
        ]
        return record_guesses(assignments=guesses, engine="test")

    def do_withdraw(self, one: int, two: int, by: Any) -> PeopleEvent | None:
        return withdraw_guesses(face_ids=self.faces(one))

    def do_import(self, one: int, two: int, by: Any) -> None:
        person = self.person(two)
        named = [NamedPerson(person.name, PLACES[one % 4], "mwg")]
        import_names(named={self.photos[two % 4].pk: named})

    def do_look(self, one: int, two: int, by: Any) -> None:
        """An engine looks again, and finds some of the faces, perhaps a little moved."""
        found = [
            DetectedFace(Box(box.x + 0.01, box.y, box.width, box.height), 0.8, 0.6, unit(place))
            for place, box in enumerate(PLACES)
            if one >> place & 1
        ]
        replace_faces(space=self.spaces[two % 2], found={self.photos[two // 2 % 4].pk: found})

    def do_draw(self, one: int, two: int, by: Any) -> PeopleEvent:
        person = self.person(two) if two % 2 else None
        return draw_face(photo=self.photos[one % 4], box=PLACES[2 + one // 4 % 2], person=person, by=by)

    def do_move(self, one: int, two: int, by: Any) -> PeopleEvent:
        box = PLACES[two % 4]
        return move_face(
            face_id=self.face(one).pk, box=Box(box.x + 0.02, box.y, box.width, box.height), by=by
        )

    def do_delete(self, one: int, two: int, by: Any) -> PeopleEvent:
        return delete_face(face_id=self.face(one).pk, by=by)

    def do_undo(self, one: int, two: int, by: Any) -> PeopleEvent | None:
        events = list(PeopleEvent.objects.order_by("-pk")[:6])
        return undo(event=events[one % len(events)], by=by) if events else None


def unit(place: int) -> Any:
    return np.eye(4, dtype=np.float32)[place]


DEEDS = [name.removeprefix("do_") for name in vars(World) if name.startswith("do_")]
#: What happens most in a library; the rest is as likely as each other.
OFTEN = ["confirm", "guess", "import", "look", "undo", "merge"] * 2
LENGTH = 30


def story_of(seed: int) -> Iterator[Deed]:
    """Any seed is a story; plain random numbers reach more of them than hypothesis' favourites."""
    random = Random(seed)  # noqa: S311 - a story, no secret
    for _ in range(LENGTH):
        yield (
            random.choice(DEEDS + OFTEN),
            random.randrange(5000),
            random.randrange(5000),
            random.randrange(2),
        )


@settings(
    max_examples=8,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(st.integers(0, 1_000_000))
def test_no_order_of_deeds_breaks_a_rule(db: None, seed: int) -> None:
    with fresh():
        world = World()
        for number, deed in enumerate(story_of(seed)):
            with suppress(PeopleRefused), transaction.atomic():
                if number % 2:
                    do_undo_do(world, deed)
                else:
                    world.do(deed)
            look_at(deed)


def do_undo_do(world: World, deed: Deed) -> None:
    before = everything()
    event = world.do(deed)
    if event is not None and event.kind != "undo":
        look_at(deed)
        undo(event=event, by=world.users[0])
        assert everything() == before, f"{deed} was not undone"
        world.do(deed)


class fresh:  # noqa: N801 - reads as a word
    """A database without the examples before."""

    def __enter__(self) -> None:
        self._atomic = transaction.atomic()
        self._atomic.__enter__()

    def __exit__(self, *error: Any) -> None:
        transaction.set_rollback(True)
        self._atomic.__exit__(None, None, None)


def look_at(deed: Deed) -> None:
    """All rules, on the whole library."""
    connection.check_constraints()
    assert disagreeing() == [], deed
    named = Face.objects.filter(person__isnull=False).select_related("person", "photo")
    places = Counter((face.photo_id, face.person_id) for face in named)
    assert max(places.values(), default=0) <= 1, f"{deed}: twice in a photo"
    rejections = FaceLabel.objects.in_force().filter(verdict="rejected").pairs()
    for face in named:
        assert face.person is not None and face.person.is_active, deed
        taken, birth = face.photo.taken_local, face.person.birth_date
        assert not (taken and birth and taken.date() < birth), f"{deed}: before birth"
        assert (face.pk, face.person_id) not in rejections, f"{deed}: a rejected pair returned"
    for pair in NotSame.objects.select_related("one", "two"):
        assert pair.one.final_id != pair.two.final_id, f"{deed}: merged though not the same"
    for merged in Person.objects.filter(merged_into__isnull=False).select_related("merged_into"):
        assert merged.merged_into and merged.merged_into.merged_into_id is None, deed
    revoked = FaceLabel.objects.filter(source="human_confirmed", revoked_by__isnull=False)
    assert not revoked.filter(revoked_by__by__isnull=True).exists(), f"{deed}: the program overruled a person"
    lifted = set(revoked.filter(verdict="rejected").values_list("revoked_by__kind", flat=True))
    assert lifted <= {"assign", "split", "merge", "draw", "undo"}, f"{deed}: a rejection was lifted"
    for person in Person.objects.active().filter(cover__isnull=False).select_related("cover"):
        assert person.cover and person.cover.person_id == person.pk, f"{deed}: a strange cover"
    for prototype in Prototype.objects.select_related("face"):
        assert prototype.person_id == prototype.face.person_id, f"{deed}: recognised by a strange face"


def everything() -> dict[str, Any]:
    """All that undo has to bring back."""
    face = (
        "pk",
        "photo",
        "x",
        "y",
        "width",
        "height",
        "drawn",
        "space",
        "quality",
        "person",
        "person_source",
    )
    person = ("pk", "name", "birth_date", "notes", "user", "hidden", "cover", "merged_into")
    rows: dict[str, Callable[[], Any]] = {
        "labels": lambda: set(FaceLabel.objects.in_force().values_list("pk", flat=True)),
        "faces": lambda: set(Face.objects.values_list(*face, "status")),
        "vectors": lambda: {
            pk: None if vector is None else tuple(np.asarray(vector))
            for pk, vector in Face.objects.values_list("pk", "embedding")
        },
        "people": lambda: set(Person.objects.filter(removed=False).values_list(*person)),
        "not same": lambda: set(NotSame.objects.values_list("one", "two")),
        "prototypes": lambda: set(Prototype.objects.values_list("face", "person", "pinned", "year")),
    }
    return {name: read() for name, read in rows.items()}
