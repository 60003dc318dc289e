"""Two people who are one, one who is two, and what speaks against it."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from library.models import Photo
from library.tests.factories import make_photo, make_root, make_user
from people.actions.answers import confirm, reject
from people.actions.guesses import record_guesses
from people.actions.merge import merge, split
from people.actions.names import import_names
from people.actions.persons import create_person, mark_maybe_same, mark_not_same, pin
from people.actions.undo import undo
from people.merging import merge_conflicts
from people.models import Face, ImportedName, NotSame, Person, Prototype
from people.refusals import AlreadyAnswered, CannotUndo, MergeRefused, PeopleRefused
from people.tests.factories import add_face, make_person
from vision.imaging.regions import NamedPerson

pytestmark = pytest.mark.django_db


def named(person: Person, by: Any, photo: Photo | None = None, **fields: Any) -> Face:
    """A face that somebody says is this person."""
    face = add_face(photo or make_photo(), **fields)
    confirm(face_ids=[face.pk], person=person, by=by)
    return face


def kinds(into: Person, others: list[Person], by: Any = None) -> list[tuple[str, str]]:
    return [(one.kind, one.severity) for one in merge_conflicts(into=into, others=others, by=by)]


def test_a_merge_combines_everything_and_is_taken_back(member: Any, anna: Person) -> None:
    annie = make_person("Annie", birth_date=date(1990, 1, 1), notes="Aunt", user=member)
    mine, theirs, no = named(anna, member), named(annie, member), add_face(make_photo())
    reject(face_ids=[no.pk], person=annie, by=member)
    pin(face_id=theirs.pk, by=member)
    Person.objects.filter(pk=annie.pk).update(cover=theirs)
    ImportedName.objects.create(photo=make_photo(), person=annie, name="Annie", source="mwg")
    before = list(Person.objects.order_by("pk").values())

    event = merge(into=anna, others=[annie], by=member)
    anna.refresh_from_db()
    annie.refresh_from_db()
    assert set(anna.faces.all()) == {mine, theirs}
    assert (anna.birth_date, anna.notes, anna.user, anna.cover) == (date(1990, 1, 1), "Aunt", member, theirs)
    assert (annie.merged_into, annie.is_active) == (anna, False)
    assert Prototype.objects.get().person == anna
    assert record_guesses(assignments=[(no.pk, anna.pk, 0.99)], engine="test") is None, "rejected as Annie"
    assert (event.kind, event.person, event.data["merged"]) == ("merge", anna, [[annie.pk, "Annie"]])

    undo(event=event, by=member)
    assert list(Person.objects.order_by("pk").values()) == before
    assert (set(anna.faces.all()), set(annie.faces.all())) == ({mine}, {theirs})
    assert Prototype.objects.get().person == annie


def test_a_merged_person_leads_to_the_last_of_a_chain(member: Any, anna: Person, ben: Person) -> None:
    annie = make_person("Annie")
    face = named(annie, member)
    first = merge(into=anna, others=[annie], by=member)
    second = merge(into=ben, others=[anna], by=member)
    assert Person.objects.get(pk=annie.pk).merged_into == ben
    assert list(ben.faces.all()) == [face]
    with pytest.raises(CannotUndo, match="Annie was changed again"):
        undo(event=first, by=member)
    undo(event=second, by=member)
    undo(event=first, by=member)
    assert list(annie.faces.all()) == [face]


def test_names_of_a_merged_person_lead_to_who_it_is_now(member: Any, anna: Person) -> None:
    annie = make_person("Annie")
    merge(into=anna, others=[annie], by=member)
    face = add_face(make_photo())
    import_names(named={face.photo_id: [NamedPerson("ANNIE", None, "mwg")]})
    face.refresh_from_db()
    assert face.person == anna
    assert Person.objects.count() == 2


def test_two_faces_of_one_photo_are_a_conflict(member: Any, anna: Person, ben: Person) -> None:
    photo = make_photo()
    mine, theirs = named(anna, member, photo, x=0.1), named(ben, member, photo, x=0.6)
    assert kinds(anna, [ben], member) == [("twice", "ask")]
    with pytest.raises(MergeRefused, match="1 photo with another face of Anna") as refused:
        merge(into=anna, others=[ben], by=member)
    (conflict,) = refused.value.conflicts
    assert (conflict.face_ids, conflict.photo_ids) == ((theirs.pk,), (photo.pk,))
    event = merge(into=anna, others=[ben], by=member, overrule=True)
    assert list(anna.faces.all()) == [mine]
    undo(event=event, by=member)
    assert list(ben.faces.all()) == [theirs]


def test_a_guess_in_the_way_only_gives_way(member: Any, anna: Person, ben: Person) -> None:
    photo = make_photo()
    guessed, said = add_face(photo, x=0.1), named(ben, member, photo, x=0.6)
    record_guesses(assignments=[(guessed.pk, anna.pk, 0.9)], engine="test")
    assert kinds(anna, [ben]) == [("twice", "note")]
    event = merge(into=anna, others=[ben], by=member)
    assert list(anna.faces.all()) == [said]
    undo(event=event, by=member)
    assert (list(anna.faces.all()), list(ben.faces.all())) == ([guessed], [said])


def test_rejected_faces_are_a_conflict(member: Any, anna: Person, ben: Person) -> None:
    """Somebody said "that is not Ben", and then that it is Anna; who makes them one sees it, and decides."""
    face = add_face(make_photo())
    reject(face_ids=[face.pk], person=ben, by=member)
    confirm(face_ids=[face.pk], person=anna, by=member)
    assert kinds(anna, [ben]) == [("rejected", "ask")]
    event = merge(into=anna, others=[ben], by=member, overrule=True)
    assert list(anna.faces.all()) == [face]
    undo(event=event, by=member)
    assert record_guesses(assignments=[(face.pk, ben.pk, 0.9)], engine="test") is None


def test_a_photo_from_before_the_birth_is_in_the_way(member: Any, anna: Person, ben: Person) -> None:
    named(ben, member, make_photo(taken_local="1970-01-01T00:00:00Z"))
    Person.objects.filter(pk=anna.pk).update(birth_date=date(1990, 1, 1))
    assert kinds(anna, [ben]) == [("birth", "never")]
    with pytest.raises(MergeRefused, match="before the birth"):
        merge(into=anna, others=[ben], by=member, overrule=True)


def test_two_who_are_not_the_same_are_never_merged(member: Any, anna: Person, ben: Person) -> None:
    annie = make_person("Annie")
    mark_not_same(one=ben, two=anna, by=member)
    with pytest.raises(PeopleRefused, match="known"):
        mark_not_same(one=anna, two=ben, by=member)
    merge(into=anna, others=[annie], by=member)
    for pair in ((anna, ben), (ben, anna), (ben, annie)):
        assert kinds(pair[0], [pair[1]]) == [("not_same", "never")]
        with pytest.raises(MergeRefused, match="not the same"):
            merge(into=pair[0], others=[pair[1]], by=member, overrule=True)
    event = mark_maybe_same(one=anna, two=ben, by=member)
    assert kinds(anna, [ben]) == []
    undo(event=event, by=member)
    assert kinds(anna, [ben]) == [("not_same", "never")]


def test_differences_are_told_and_those_of_the_first_stay(owner: Any, member: Any) -> None:
    anna = make_person("Anna", birth_date=date(1990, 1, 1), user=owner)
    annie = make_person("Annie", birth_date=date(1991, 1, 1), user=member, hidden=True)
    assert kinds(anna, [annie]) == [("account", "ask"), ("birth_dates", "note"), ("hidden", "note")]
    merge(into=anna, others=[annie], by=owner, overrule=True)
    anna.refresh_from_db()
    assert (anna.user, anna.birth_date, anna.hidden) == (owner, date(1990, 1, 1), False)


def test_one_person_is_not_merged(member: Any, anna: Person) -> None:
    with pytest.raises(MergeRefused, match="takes two"):
        merge(into=anna, others=[anna], by=member)


def test_a_member_learns_nothing_of_closed_roots_from_conflicts(
    owner: Any, member: Any, anna: Person, ben: Person
) -> None:
    root = make_root()
    root.visible_to.add(owner)
    photo = make_photo(root=root)
    named(anna, owner, photo, x=0.1)
    named(ben, owner, photo, x=0.6)
    (conflict,) = merge_conflicts(into=anna, others=[ben], by=member)
    assert (conflict.kind, conflict.severity, conflict.face_ids) == ("unseen", "never", ())
    assert "photo" not in conflict.text
    with pytest.raises(MergeRefused, match="owner"):
        merge(into=anna, others=[ben], by=member, overrule=True)
    assert kinds(anna, [ben], owner) == [("twice", "ask")]


# --- Split --------------------------------------------------------------------------------------------------


def test_a_split_makes_two_who_stay_two(member: Any, anna: Person) -> None:
    stays, goes = named(anna, member), named(anna, member)
    event = split(person=anna, face_ids=[goes.pk], name="Bea", by=member)
    bea = event.person
    assert bea is not None and bea.name == "Bea"
    assert (list(anna.faces.all()), list(bea.faces.all())) == ([stays], [goes])
    assert record_guesses(assignments=[(goes.pk, anna.pk, 0.99)], engine="test") is None
    with pytest.raises(MergeRefused, match="not the same"):
        merge(into=anna, others=[bea], by=member, overrule=True)
    undo(event=event, by=member)
    assert set(anna.faces.all()) == {stays, goes}
    assert not NotSame.objects.exists()
    assert [person.name for person in Person.objects.active()] == ["Anna"]


def test_a_split_into_somebody_who_is_there(member: Any, anna: Person, ben: Person) -> None:
    face = named(anna, member)
    split(person=anna, face_ids=[face.pk], into=ben, by=member)
    assert list(ben.faces.all()) == [face]
    with pytest.raises(AlreadyAnswered):
        split(person=anna, face_ids=[face.pk], into=ben, by=member)
    with pytest.raises(PeopleRefused, match="already"):
        split(person=ben, face_ids=[face.pk], into=ben, by=member)


def test_who_was_merged_and_split_is_not_mixed_up_again(member: Any, anna: Person) -> None:
    annie = make_person("Annie")
    face, other = named(annie, member), named(annie, member)
    merging = merge(into=anna, others=[annie], by=member)
    split(person=anna, face_ids=[face.pk], name="Bea", by=member)
    undo(event=merging, by=member)
    assert list(annie.faces.all()) == [other]
    assert list(Person.objects.get(name="Bea").faces.all()) == [face]


def test_many_people_merge_in_as_many_queries_as_few(member: Any, django_assert_max_num_queries: Any) -> None:
    into = create_person(name="All", by=make_user("eve")).person
    assert into is not None
    several = [make_person(f"Person {number}") for number in range(3)]
    for person in several:
        for _ in range(5):
            named(person, member)
    with django_assert_max_num_queries(40):
        merge(into=into, others=several, by=member)
    assert into.faces.count() == 15
