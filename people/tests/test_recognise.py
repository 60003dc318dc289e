"""Faces get names, questions, or neither; hard rules hold; what people said is not touched."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest

from library.tests.factories import make_photo
from people.actions.answers import confirm, reject, unassign
from people.actions.recognise import recognise
from people.matching import nearest_people
from people.models import Face, PeopleEvent, Person, Suggestion
from people.tests.recognition import between, confirmed, face_like, known_person, look

pytestmark = pytest.mark.django_db


def decide(*faces: Face) -> None:
    recognise(photo_ids=[face.photo_id for face in faces])
    for face in faces:
        face.refresh_from_db()


def suggested(face: Face) -> list[str]:
    return [one.person.name for one in Suggestion.objects.filter(face=face).order_by("rank")]


def test_a_clear_face_is_named_and_the_engine_says_so() -> None:
    anna = known_person("Anna", 0)
    face = face_like(look(0, 0.9))
    decide(face)
    assert (face.person, face.person_source) == (anna, "model_guess")
    label = face.labels.get()
    assert label.engine == "test/small recognition/1" and label.confidence and label.confidence > 0.95
    assert not suggested(face)


@pytest.mark.parametrize(("alike", "names"), [(0.74, ["Anna"]), (0.6, ["Anna"]), (0.3, [])])
def test_between_the_thresholds_it_is_a_question_below_it_is_nobody(alike: float, names: list[str]) -> None:
    known_person("Anna", 0)
    face = face_like(look(0, alike))
    decide(face)
    assert face.person is None
    assert suggested(face) == names


def test_a_close_runner_up_makes_it_a_question_about_both() -> None:
    known_person("Anna", 0)
    known_person("Bea", 1)
    face = face_like(between(0, 1, 0.72, 0.68))
    decide(face)
    assert face.person is None
    assert suggested(face) == ["Anna", "Bea"]
    first, second = Suggestion.objects.filter(face=face).order_by("rank")
    assert first.margin == pytest.approx(0.04, abs=1e-3) and second.margin < 0
    assert first.probability > second.probability


def test_a_poor_picture_is_asked_about_however_alike() -> None:
    known_person("Anna", 0)
    known_person("Bea", 1)
    face = face_like(between(0, 1, 0.755, 0.6495), quality=0.0)
    decide(face)
    assert face.person is None and suggested(face)[0] == "Anna"


def test_nobody_is_twice_in_a_photo() -> None:
    anna = known_person("Anna", 0)
    photo = make_photo()
    better, worse = face_like(look(0, 0.95), photo, x=0.1), face_like(look(0, 0.9, noise=1), photo, x=0.6)
    decide(better, worse)
    assert better.person == anna
    assert worse.person is None and not suggested(worse)


def test_the_whole_photo_is_solved_at_once() -> None:
    """Each for itself would make both Anna; together one is Bea."""
    known_person("Anna", 0)
    known_person("Bea", 1)
    photo = make_photo()
    both = face_like(between(0, 1, 0.68, 0.66), photo, x=0.1)
    only_anna = face_like(look(0, 0.66, noise=3), photo, x=0.6)
    decide(both, only_anna)
    assert suggested(both)[0] == "Bea"
    assert suggested(only_anna) == ["Anna"]


def test_somebody_confirmed_in_the_photo_is_not_suggested_again() -> None:
    anna = known_person("Anna", 0)
    photo = make_photo()
    confirmed(face_like(look(5), photo, x=0.1), anna)
    face = face_like(look(0, 0.9), photo, x=0.6)
    decide(face)
    assert face.person is None and not suggested(face)


def test_a_rejected_pair_never_returns_and_is_no_runner_up() -> None:
    anna, bea = known_person("Anna", 0), known_person("Bea", 1)
    face = face_like(between(0, 1, 0.6, 0.78))
    reject(face_ids=[face.pk], person=bea, by=None)
    decide(face)
    assert face.person is None
    assert suggested(face) == ["Anna"]
    assert Suggestion.objects.get(face=face).margin > 0.5
    reject(face_ids=[face.pk], person=anna, by=None)
    decide(face)
    assert not suggested(face)


def test_nobody_is_seen_before_their_birth() -> None:
    known_person("Anna", 0, birth_date=date(2015, 6, 1))
    before = face_like(look(0, 0.9), make_photo(taken_local=datetime(2015, 5, 31, 12, tzinfo=UTC)))
    after = face_like(look(0, 0.9), make_photo(taken_local=datetime(2015, 6, 1, 12, tzinfo=UTC)))
    undated = face_like(look(0, 0.9), make_photo(taken_local=None, taken_at=None))
    decide(before, after, undated)
    assert before.person is None and not suggested(before)
    assert after.person is not None and undated.person is not None


def test_what_people_said_stands() -> None:
    known_person("Anna", 0)
    bea = known_person("Bea", 1)
    face = face_like(look(0, 0.95))
    confirm(face_ids=[face.pk], person=bea, by=None)
    decide(face)
    assert (face.person, face.person_source) == (bea, "human_confirmed")


def test_a_guess_is_taken_back_when_nothing_speaks_for_it_any_more() -> None:
    anna = known_person("Anna", 0)
    face = face_like(look(0, 0.9))
    decide(face)
    anna.prototypes.all().delete()
    decide(face)
    assert face.person is None
    assert PeopleEvent.objects.filter(kind="withdraw").count() == 1
    decide(face)
    assert PeopleEvent.objects.filter(kind="withdraw").count() == 1


def test_a_guess_goes_over_to_somebody_who_is_clearly_more_alike() -> None:
    known_person("Anna", 0)
    face = face_like(between(0, 1, 0.76, 0.64))
    decide(face)
    assert face.person and face.person.name == "Anna"
    bea = Person.objects.create(name="Bea")
    confirmed(face_like(between(0, 1, 0.74, 0.66)), bea)
    from people.actions.prototypes import choose_prototypes

    choose_prototypes(person_ids=[bea.pk])
    decide(face)
    assert face.person == bea


def test_naming_can_be_switched_off(settings: object) -> None:
    settings.PEOPLE_NAMING = False  # type: ignore[attr-defined]
    known_person("Anna", 0)
    face = face_like(look(0, 0.95))
    decide(face)
    assert face.person is None and suggested(face) == ["Anna"]


def test_doing_it_again_changes_nothing() -> None:
    known_person("Anna", 0)
    faces = [face_like(look(0, alike)) for alike in (0.9, 0.6, 0.2)]
    decide(*faces)
    events, rows = PeopleEvent.objects.count(), list(Suggestion.objects.values_list("face", "person", "rank"))
    decide(*faces)
    assert PeopleEvent.objects.count() == events
    assert list(Suggestion.objects.values_list("face", "person", "rank")) == rows


def test_it_stops_between_transactions_and_goes_on() -> None:
    known_person("Anna", 0)
    face = face_like(look(0, 0.9))
    recognise(photo_ids=[face.photo_id], should_stop=lambda: True)
    face.refresh_from_db()
    assert face.person is None
    decide(face)
    assert face.person is not None


def test_few_and_many_faces_are_compared_alike() -> None:
    for number, name in enumerate(("Anna", "Bea", "Cleo")):
        known_person(name, number, faces=2)
    faces = [face_like(between(n % 3, (n + 1) % 3, 0.6, 0.3, noise=n)) for n in range(25)]
    space = faces[0].space
    assert space is not None
    many = nearest_people([face.pk for face in faces], space)
    assert len(many) == len(faces)
    few = nearest_people([face.pk for face in faces[:5]], space)
    for face in faces[:5]:
        assert [one.person_id for one in few[face.pk]] == [one.person_id for one in many[face.pk]]
        for one, other in zip(few[face.pk], many[face.pk], strict=True):
            assert one.similarity == pytest.approx(other.similarity, abs=1e-5)


def test_what_changes_about_prototypes_is_seen_at_once() -> None:
    """Their vectors are kept in memory, and everything here happens in one transaction."""
    anna, bea = known_person("Anna", 0), known_person("Bea", 1)
    face = face_like(look(0, 0.9))
    assert face.space is not None

    def nearest() -> dict[int, float]:
        assert face.space is not None
        return {
            one.person_id: round(one.similarity, 3) for one in nearest_people([face.pk], face.space)[face.pk]
        }

    assert nearest() == {anna.pk: 0.9, bea.pk: 0.0}
    cleo = known_person("Cleo", 0)
    assert nearest() == {anna.pk: 0.9, bea.pk: 0.0, cleo.pk: 0.9}
    prototype = bea.prototypes.get()
    Face.objects.filter(pk=prototype.face_id).update(embedding=look(0, 0.5, noise=1))
    assert nearest()[bea.pk] == 0.45
    Face.objects.filter(pk=prototype.face_id).update(embedding=look(0, 0.6, noise=1))
    assert nearest()[bea.pk] == 0.54
    Person.objects.filter(pk=anna.pk).update(removed=True)
    assert set(nearest()) == {bea.pk, cleo.pk}
    Person.objects.filter(pk=cleo.pk).update(merged_into=bea)
    assert set(nearest()) == {bea.pk}
    prototype.delete()
    assert nearest_people([face.pk], face.space) == {}


def test_a_name_that_was_taken_off_is_asked_about_and_not_given_again() -> None:
    anna = known_person("Anna", 0)
    face = face_like(look(0, 0.9))
    decide(face)
    assert face.person == anna
    unassign(by=None, face_ids=[face.pk])
    decide(face)
    assert face.person is None
    assert suggested(face) == ["Anna"]
