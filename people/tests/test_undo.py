"""Taking back: exactly, and only as long as nothing that people did later builds on it."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from library.models import Photo
from library.tests.factories import make_photo
from people.actions.answers import assign, confirm, ignore, reject, unassign
from people.actions.guesses import record_guesses
from people.actions.merge import merge
from people.actions.names import import_names
from people.actions.persons import create_person, edit, pin, rename, set_cover, unpin
from people.actions.undo import undo
from people.models import Face, Person, Prototype
from people.refusals import BeforeBirth, CannotUndo, PeopleRefused
from people.tests.factories import add_face
from vision.imaging.regions import NamedPerson

pytestmark = pytest.mark.django_db


def name_of(face: Face) -> str | None:
    face.refresh_from_db()
    return face.person.name if face.person else None


def guess(face: Face, person: Person) -> Any:
    return record_guesses(assignments=[(face.pk, person.pk, 0.9)], engine="test")


def test_what_gave_way_comes_back(photo: Photo, anna: Person, ben: Person, member: Any) -> None:
    one, two = add_face(photo, x=0.1), add_face(photo, x=0.6)
    guess(one, anna)
    guess(two, ben)
    event = confirm(face_ids=[two.pk], person=anna, by=member)
    assert (name_of(one), name_of(two)) == (None, "Anna")
    undoing = undo(event=event, by=member)
    assert (name_of(one), name_of(two)) == ("Anna", "Ben")
    assert two.person_source == "model_guess"
    event.refresh_from_db()
    assert (event.undone_by, undoing.kind, undoing.by) == (undoing, "undo", member)
    assert event.undone_at is not None


def test_nothing_is_undone_twice_and_no_undo_is_undone(photo: Photo, anna: Person, member: Any) -> None:
    event = confirm(face_ids=[add_face(photo).pk], person=anna, by=member)
    undoing = undo(event=event, by=member)
    for again in (event, undoing):
        with pytest.raises(CannotUndo):
            undo(event=again, by=member)


def test_a_later_answer_stands_against_it_until_it_is_undone(
    photo: Photo, anna: Person, ben: Person, owner: Any, member: Any
) -> None:
    face = add_face(photo)
    first = confirm(face_ids=[face.pk], person=anna, by=member)
    second = assign(face_ids=[face.pk], person=ben, by=owner)
    with pytest.raises(CannotUndo, match="answered again since then: moved by olga"):
        undo(event=first, by=member)
    assert name_of(face) == "Ben"
    undo(event=second, by=owner)
    undo(event=first, by=member)
    assert name_of(face) is None


def test_a_name_taken_off_does_not_come_back_over_another(
    photo: Photo, anna: Person, ben: Person, member: Any
) -> None:
    face = add_face(photo)
    confirm(face_ids=[face.pk], person=anna, by=member)
    off = unassign(face_ids=[face.pk], by=member)
    confirm(face_ids=[face.pk], person=ben, by=member)
    with pytest.raises(CannotUndo, match="answered again"):
        undo(event=off, by=member)
    assert name_of(face) == "Ben"


def test_a_guess_since_then_gives_way(photo: Photo, anna: Person, ben: Person, member: Any) -> None:
    face = add_face(photo)
    confirm(face_ids=[face.pk], person=anna, by=member)
    off = unassign(face_ids=[face.pk], by=member)
    guess(face, ben)
    undo(event=off, by=member)
    assert (name_of(face), face.labels.in_force().count()) == ("Anna", 1)


def test_a_name_that_is_anothers_by_now_does_not_come_back(photo: Photo, anna: Person, member: Any) -> None:
    one, two = add_face(photo, x=0.1), add_face(photo, x=0.6)
    confirm(face_ids=[one.pk], person=anna, by=member)
    off = unassign(face_ids=[one.pk], by=member)
    confirm(face_ids=[two.pk], person=anna, by=member)
    with pytest.raises(CannotUndo, match="nobody is in a photo twice"):
        undo(event=off, by=member)
    assert (name_of(one), name_of(two)) == (None, "Anna")


def test_a_rejection_is_taken_back_with_the_guess_it_took(photo: Photo, anna: Person, member: Any) -> None:
    face = add_face(photo)
    guess(face, anna)
    event = reject(face_ids=[face.pk], person=anna, by=member)
    undo(event=event, by=member)
    assert name_of(face) == "Anna"


def test_a_rejection_since_then_keeps_a_guess_away(photo: Photo, anna: Person, member: Any) -> None:
    face = add_face(photo)
    guess(face, anna)
    strange = ignore(face_ids=[face.pk], by=member)
    reject(face_ids=[face.pk], person=anna, by=member, overrule=True)
    undo(event=strange, by=member)
    assert (name_of(face), face.status) == (None, "face")


def test_a_guess_that_a_rejection_hides_comes_back_hidden(
    photo: Photo, anna: Person, ben: Person, member: Any
) -> None:
    """Guessed as Ben, not Anna, and then the two were one: nobody, until the merge is undone."""
    face = add_face(photo)
    reject(face_ids=[face.pk], person=anna, by=member)
    guess(face, ben)
    merging = merge(into=anna, others=[ben], by=member)
    assert name_of(face) is None
    event = create_person(name="Cleo", face_ids=[face.pk], by=member)
    undo(event=event, by=member)
    assert name_of(face) is None
    undo(event=merging, by=member)
    assert name_of(face) == "Ben"


def test_what_the_program_did_is_undone_around_what_people_said(
    anna: Person, ben: Person, owner: Any, member: Any
) -> None:
    faces = [add_face(make_photo()) for _ in range(3)]
    event = record_guesses(assignments=[(face.pk, anna.pk, 0.9) for face in faces], engine="test")
    confirm(face_ids=[faces[0].pk], person=anna, by=member)
    assign(face_ids=[faces[1].pk], person=ben, by=member)
    assert event is not None
    undo(event=event, by=owner)
    assert [name_of(face) for face in faces] == ["Anna", "Ben", None]


def test_imported_names_are_taken_back_and_not_read_again(photo: Photo, member: Any) -> None:
    face = add_face(photo)
    named = {photo.pk: [NamedPerson("Anna", None, "mwg")]}
    import_names(named=named)
    assert name_of(face) == "Anna"
    label = face.labels.get()
    assert label.event is not None and label.event.kind == "import"
    undo(event=label.event, by=member)
    import_names(named=named)
    assert name_of(face) is None


def test_a_new_person_goes_as_it_came(photo: Photo, member: Any) -> None:
    face = add_face(photo)
    event = create_person(name="Cleo", face_ids=[face.pk], by=member, user=member)
    cleo = event.person
    assert cleo is not None
    guess(add_face(make_photo()), cleo)
    undo(event=event, by=member)
    assert not Face.objects.filter(person__isnull=False).exists()
    assert not Person.objects.active().exists()
    again = create_person(name="Cleo", face_ids=[face.pk], by=member, user=member)
    assert again.person != cleo and name_of(face) == "Cleo"


@pytest.mark.parametrize("later", ["confirm", "rename", "import"])
def test_a_new_person_stays_once_somebody_built_on_it(photo: Photo, member: Any, later: str) -> None:
    event = create_person(name="Cleo", by=member)
    cleo = event.person
    assert cleo is not None
    if later == "confirm":
        confirm(face_ids=[add_face(photo).pk], person=cleo, by=member)
    elif later == "rename":
        rename(person=cleo, name="Cleopatra", by=member)
    else:
        import_names(named={photo.pk: [NamedPerson("cleo", None, "mwg")]})
    with pytest.raises(CannotUndo, match="Cleo"):
        undo(event=event, by=member)
    assert Person.objects.active().count() == 1


def test_a_person_is_edited_and_taken_back(anna: Person, member: Any) -> None:
    early = add_face(make_photo(taken_local="1980-01-01T00:00:00Z"))
    guess(early, anna)
    event = edit(
        person=anna, name="Anna  M.", birth_date=date(1990, 1, 1), user=member, hidden=True, by=member
    )
    anna.refresh_from_db()
    assert (anna.name, anna.birth_date, anna.user, anna.hidden) == ("Anna M.", date(1990, 1, 1), member, True)
    assert name_of(early) is None, "a guess from before the birth"
    undo(event=event, by=member)
    anna.refresh_from_db()
    assert (anna.name, anna.birth_date, anna.user, anna.hidden) == ("Anna", None, None, False)
    assert name_of(early) == "Anna"


def test_an_edit_is_undone_only_while_it_is_the_last(anna: Person, member: Any) -> None:
    first = rename(person=anna, name="Anne", by=member)
    second = rename(person=anna, name="Annette", by=member)
    with pytest.raises(CannotUndo, match="Annette was changed again"):
        undo(event=first, by=member)
    undo(event=second, by=member)
    undo(event=first, by=member)
    assert Person.objects.get().name == "Anna"


def test_a_birth_date_that_people_contradict_is_refused(anna: Person, ben: Person, member: Any) -> None:
    early = add_face(make_photo(taken_local="1980-01-01T00:00:00Z"))
    confirm(face_ids=[early.pk], person=anna, by=member)
    with pytest.raises(BeforeBirth, match="1980-01-01"):
        edit(person=anna, birth_date=date(1990, 1, 1), by=member)
    with pytest.raises(PeopleRefused, match="still to come"):
        edit(person=anna, birth_date=date(2999, 1, 1), by=member)
    edit(person=ben, user=member, by=member)
    with pytest.raises(PeopleRefused, match="max is the account of Ben"):
        edit(person=anna, user=member, by=member)
    anna.refresh_from_db()
    assert (anna.birth_date, anna.user) == (None, None)


def test_covers_and_good_faces_go_and_come_with_the_name(photo: Photo, anna: Person, member: Any) -> None:
    face = add_face(photo)
    confirm(face_ids=[face.pk], person=anna, by=member)
    set_cover(person=anna, face_id=face.pk, by=member)
    pin(face_id=face.pk, by=member)
    event = unassign(face_ids=[face.pk], by=member)
    anna.refresh_from_db()
    assert anna.cover is None and not Prototype.objects.exists()
    undo(event=event, by=member)
    anna.refresh_from_db()
    prototype = Prototype.objects.get()
    assert (anna.cover, prototype.face, prototype.pinned, prototype.year) == (face, face, True, 2019)


def test_pins_are_taken_back(photo: Photo, anna: Person, member: Any) -> None:
    face = add_face(photo)
    confirm(face_ids=[face.pk], person=anna, by=member)
    pinned = pin(face_id=face.pk, by=member)
    unpinned = unpin(face_id=face.pk, by=member)
    with pytest.raises(CannotUndo):
        undo(event=pinned, by=member)
    undo(event=unpinned, by=member)
    assert Prototype.objects.get().pinned
    undo(event=pinned, by=member)
    assert not Prototype.objects.exists()


def test_who_comes_back_from_a_merge_is_not_shown_by_a_face_that_lost_the_name_meanwhile(
    photo: Photo, anna: Person, ben: Person, member: Any
) -> None:
    face, other = add_face(photo), add_face(make_photo())
    confirm(face_ids=[face.pk, other.pk], person=ben, by=member)
    set_cover(person=ben, face_id=face.pk, by=member)
    merged = merge(into=anna, others=[ben], by=member)
    unassign(face_ids=[face.pk], by=member)
    undo(event=merged, by=member)
    ben.refresh_from_db()
    assert (name_of(face), name_of(other), ben.cover_id) == (None, "Ben", None)
