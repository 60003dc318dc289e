"""Answers about faces, one by one and in lots, and what gives way to them."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from library.models import Photo
from library.tests.factories import make_photo
from people.actions.answers import assign, confirm, ignore, not_a_face, reject, unassign
from people.actions.guesses import record_guesses, withdraw_guesses
from people.actions.persons import create_person
from people.models import Face, FaceLabel, PeopleEvent, Person
from people.refusals import AlreadyAnswered, BadName, BeforeBirth, PersonGone, TwiceInPhoto
from people.tests.factories import add_face, make_person

pytestmark = pytest.mark.django_db


def state(face: Face) -> tuple[str | None, str, str]:
    """Whose face it is, who said so, and what it counts as."""
    face.refresh_from_db()
    return (face.person.name if face.person else None, face.person_source, face.status)


def guess(face: Face, person: Person, sure: float = 0.9) -> PeopleEvent | None:
    return record_guesses(assignments=[(face.pk, person.pk, sure)], engine="test")


NOBODY = (None, "", "face")


def test_a_confirmed_face_is_somebodys(photo: Photo, anna: Person, member: Any) -> None:
    face = add_face(photo)
    event = confirm(face_ids=[face.pk], person=anna, by=member)
    assert state(face) == ("Anna", "human_confirmed", "face")
    label = face.labels.get()
    assert (label.event, label.by, label.person, label.verdict) == (event, member, anna, "confirmed")
    assert (event.kind, event.by, event.person) == ("confirm", member, anna)


def test_a_face_is_answered_once(photo: Photo, anna: Person, ben: Person, owner: Any, member: Any) -> None:
    face = add_face(photo)
    confirm(face_ids=[face.pk], person=anna, by=owner)
    for answer in (
        lambda: confirm(face_ids=[face.pk], person=anna, by=member),
        lambda: confirm(face_ids=[face.pk], person=ben, by=member),
        lambda: reject(face_ids=[face.pk], person=anna, by=member),
        lambda: ignore(face_ids=[face.pk], by=member),
        lambda: not_a_face(face_ids=[face.pk], by=member),
        lambda: create_person(name="Cleo", face_ids=[face.pk], by=member),
    ):
        with pytest.raises(AlreadyAnswered) as refused:
            answer()
        assert refused.value.face_ids == [face.pk]
    assert state(face) == ("Anna", "human_confirmed", "face")
    assert PeopleEvent.objects.count() == 1 and Person.objects.count() == 2


def test_a_face_that_is_gone_is_no_question(anna: Person, member: Any) -> None:
    with pytest.raises(AlreadyAnswered):
        confirm(face_ids=[404], person=anna, by=member)
    with pytest.raises(AlreadyAnswered):
        ignore(face_ids=[], by=member)


def test_a_face_moves_when_somebody_says_so(photo: Photo, anna: Person, ben: Person, member: Any) -> None:
    face = add_face(photo)
    confirm(face_ids=[face.pk], person=anna, by=member)
    assign(face_ids=[face.pk], person=ben, by=member)
    assert state(face) == ("Ben", "human_confirmed", "face")
    assert [label.person for label in face.labels.in_force()] == [ben]


def test_a_rejection_holds_until_a_person_overrules_it(photo: Photo, anna: Person, member: Any) -> None:
    face = add_face(photo)
    guess(face, anna)
    reject(face_ids=[face.pk], person=anna, by=member)
    assert state(face) == NOBODY
    assert guess(face, anna) is None
    with pytest.raises(AlreadyAnswered):
        reject(face_ids=[face.pk], person=anna, by=member)
    with pytest.raises(AlreadyAnswered):
        confirm(face_ids=[face.pk], person=anna, by=member)
    assign(face_ids=[face.pk], person=anna, by=member)
    assert state(face) == ("Anna", "human_confirmed", "face")


def test_what_a_person_said_is_rejected_only_on_purpose(photo: Photo, anna: Person, member: Any) -> None:
    face = add_face(photo)
    confirm(face_ids=[face.pk], person=anna, by=member)
    reject(face_ids=[face.pk], person=anna, by=member, overrule=True)
    assert state(face) == NOBODY


@pytest.mark.parametrize(("answer", "status"), [(ignore, "ignored"), (not_a_face, "not_a_face")])
def test_nobodys_face(photo: Photo, anna: Person, member: Any, answer: Any, status: str) -> None:
    face = add_face(photo)
    guess(face, anna)
    answer(face_ids=[face.pk], by=member)
    assert state(face) == (None, "", status)
    assert guess(face, anna) is None
    with pytest.raises(AlreadyAnswered):
        confirm(face_ids=[face.pk], person=anna, by=member)
    unassign(face_ids=[face.pk], by=member)
    assert state(face) == NOBODY


def test_a_name_taken_off_is_not_guessed_again(photo: Photo, anna: Person, ben: Person, member: Any) -> None:
    face = add_face(photo)
    guess(face, anna)
    unassign(face_ids=[face.pk], by=member)
    assert state(face) == NOBODY
    assert guess(face, anna) is None
    assert guess(face, ben) is not None
    confirm(face_ids=[face.pk], person=anna, by=member)
    with pytest.raises(AlreadyAnswered):
        unassign(face_ids=[add_face(photo, x=0.7).pk], by=member)


def test_a_guess_gives_way_to_what_a_person_says(photo: Photo, anna: Person, member: Any) -> None:
    one, two = add_face(photo, x=0.1), add_face(photo, x=0.6)
    guess(one, anna)
    confirm(face_ids=[two.pk], person=anna, by=member)
    assert (state(one), state(two)) == (NOBODY, ("Anna", "human_confirmed", "face"))


def test_nobody_is_confirmed_twice_in_a_photo(photo: Photo, anna: Person, member: Any) -> None:
    one, two = add_face(photo, x=0.1), add_face(photo, x=0.6)
    confirm(face_ids=[one.pk], person=anna, by=member)
    with pytest.raises(TwiceInPhoto, match="Anna is another face in this photo already") as refused:
        confirm(face_ids=[two.pk], person=anna, by=member)
    assert (refused.value.face_id, refused.value.other_id) == (two.pk, one.pk)
    assert state(two) == NOBODY
    confirm(face_ids=[two.pk], person=anna, by=member, instead=True)
    assert (state(one), state(two)[0]) == (NOBODY, "Anna")


def test_nobody_is_in_a_photo_from_before_the_birth(anna: Person, member: Any) -> None:
    face = add_face(make_photo(taken_local="2001-05-01T12:00:00Z"))
    Person.objects.filter(pk=anna.pk).update(birth_date=date(2001, 5, 2))
    assert guess(face, anna) is None
    with pytest.raises(BeforeBirth, match="born on 2001-05-02, and this photo was taken on 2001-05-01"):
        confirm(face_ids=[face.pk], person=anna, by=member)
    assert state(face) == NOBODY
    Person.objects.filter(pk=anna.pk).update(birth_date=date(2001, 5, 1))
    confirm(face_ids=[face.pk], person=anna, by=member)


def test_a_lot_leaves_out_what_cannot_be_and_says_why(
    photo: Photo, anna: Person, ben: Person, member: Any
) -> None:
    """Naming a cluster: one face was answered meanwhile, one is Anna a second time, one is too early."""
    Person.objects.filter(pk=anna.pk).update(birth_date=date(1990, 1, 1))
    good, worse = add_face(photo, x=0.1, quality=0.9), add_face(photo, x=0.6, quality=0.2)
    answered, early = add_face(make_photo()), add_face(make_photo(taken_local="1980-01-01T00:00:00Z"))
    fine = add_face(make_photo())
    confirm(face_ids=[answered.pk], person=ben, by=member)
    faces = [face.pk for face in (worse, good, answered, early, fine)]
    event = confirm(face_ids=faces, person=anna, by=member, leave_out=True)
    assert set(anna.faces.all()) == {good, fine}
    left_out = dict(event.data["left_out"])
    assert set(left_out) == {worse.pk, answered.pk, early.pk}
    assert "answered meanwhile" in left_out[answered.pk] and "born on" in left_out[early.pk]


def test_a_new_person_comes_with_faces_or_not_at_all(photo: Photo, member: Any) -> None:
    face = add_face(photo)
    event = create_person(name="  Cleo  Marie ", face_ids=[face.pk], by=member, birth_date=date(2001, 1, 1))
    assert state(face)[0] == "Cleo Marie"
    assert event.person == Person.objects.get(name="Cleo Marie")
    with pytest.raises(BadName):
        create_person(name=" \n", by=member)
    with pytest.raises(AlreadyAnswered):
        create_person(name="Dora", face_ids=[face.pk], by=member)
    assert not Person.objects.filter(name="Dora").exists()


def test_somebody_taken_back_is_nobody(photo: Photo, anna: Person, member: Any) -> None:
    Person.objects.filter(pk=anna.pk).update(removed=True)
    with pytest.raises(PersonGone):
        confirm(face_ids=[add_face(photo).pk], person=anna, by=member)


# --- Guesses ------------------------------------------------------------------------------------------------


def test_of_two_guesses_in_a_photo_the_surer_stays(photo: Photo, anna: Person) -> None:
    one, two = add_face(photo, x=0.1), add_face(photo, x=0.6)
    event = record_guesses(
        assignments=[(one.pk, anna.pk, 0.7), (two.pk, anna.pk, 0.8)], engine="insightface/1"
    )
    assert (state(one), state(two)) == (NOBODY, ("Anna", "model_guess", "face"))
    label = two.labels.get()
    assert (label.confidence, label.engine, label.by, label.event) == (0.8, "insightface/1", None, event)
    assert event is not None and (event.kind, event.by, event.data["faces"]) == ("guess", None, 1)


def test_a_guess_replaces_a_guess_and_nothing_else(
    photo: Photo, anna: Person, ben: Person, member: Any
) -> None:
    face = add_face(photo)
    guess(face, anna)
    guess(face, ben)
    assert state(face) == ("Ben", "model_guess", "face")
    assert face.labels.in_force().count() == 1
    assert guess(face, ben) is None, "said already"
    confirm(face_ids=[face.pk], person=ben, by=member)
    assert guess(face, anna) is None


def test_guesses_go_to_whom_a_person_is_now(photo: Photo, anna: Person, ben: Person) -> None:
    Person.objects.filter(pk=ben.pk).update(merged_into=anna)
    face = add_face(photo)
    guess(face, ben)
    assert state(face) == ("Anna", "model_guess", "face")
    gone = make_person("Cleo", removed=True)
    assert guess(add_face(make_photo()), gone) is None


def test_guesses_are_withdrawn_and_answers_are_not(photo: Photo, anna: Person, member: Any) -> None:
    guessed, said = add_face(photo), add_face(make_photo())
    guess(guessed, anna)
    confirm(face_ids=[said.pk], person=anna, by=member)
    withdraw_guesses(face_ids=[guessed.pk, said.pk])
    assert (state(guessed), state(said)[0]) == (NOBODY, "Anna")
    assert withdraw_guesses(face_ids=[guessed.pk, said.pk]) is None


def test_too_many_guesses_would_hold_people_up(anna: Person) -> None:
    with pytest.raises(ValueError, match="at most 1000"):
        record_guesses(assignments=[(pk, anna.pk, 0.9) for pk in range(1001)], engine="test")


def test_many_guesses_cost_as_many_queries_as_one(anna: Person, django_assert_num_queries: Any) -> None:
    faces = [add_face(make_photo()) for _ in range(30)]
    with django_assert_num_queries(15):
        guess(faces[0], anna)
    with django_assert_num_queries(15):
        record_guesses(assignments=[(face.pk, anna.pk, 0.9) for face in faces[1:]], engine="test")
    assert anna.faces.count() == 30
    assert FaceLabel.objects.count() == 30
