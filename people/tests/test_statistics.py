"""Figures of a person, and whom they may be the same as: only of what a user may see."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

import pytest

from library.models import Root
from library.tests.factories import make_photo, make_root, make_user
from people.actions.persons import mark_not_same
from people.actions.prototypes import choose_prototypes
from people.lookalikes import merge_candidates
from people.models import Person
from people.statistics import coverage_of, statistics_of
from people.tests.recognition import between, confirmed, face_like, known_person, look

pytestmark = pytest.mark.django_db


@pytest.fixture
def owner() -> Any:
    return make_user("olga", owner=True)


@pytest.fixture
def closed(owner: Any) -> Root:
    root: Root = make_root()
    root.visible_to.add(owner)
    return root


def shot(year: int, root: Root | None = None, **fields: Any) -> Any:
    return make_photo(root=root, taken_local=datetime(year, 6, 1, 12, tzinfo=UTC), **fields)


def test_figures_are_of_what_a_user_may_see(owner: Any, closed: Root) -> None:
    member = make_user("max")
    open_root = make_root()
    anna, bea = Person.objects.create(name="Anna"), Person.objects.create(name="Bea")
    for year in (2001, 2003):
        photo = shot(year, open_root)
        confirmed(face_like(look(0), photo, x=0.1), anna)
        confirmed(face_like(look(1), photo, x=0.6), bea)
    confirmed(face_like(look(0), shot(2010, closed)), anna)
    undated = make_photo(root=open_root, taken_local=None, taken_at=None)
    best = confirmed(face_like(look(0), undated, quality=0.9), anna)
    mine, theirs = statistics_of(anna, member), statistics_of(anna, owner)
    assert (mine.photos, theirs.photos) == (3, 4)
    assert mine.first and mine.first.year == 2001 and mine.last and mine.last.year == 2003
    assert theirs.last and theirs.last.year == 2010
    assert [(one.person.name, one.photos) for one in mine.companions] == [("Bea", 2)]
    assert [(one.year, one.photos) for one in mine.years] == [(2003, 1), (2001, 1), (None, 1)]
    assert mine.years[-1].face_id == best.pk
    assert mine.confirmed == 3


def test_coverage_shows_the_eras_without_a_good_face(owner: Any, closed: Root) -> None:
    anna = Person.objects.create(name="Anna", birth_date=date(2000, 1, 1))
    confirmed(face_like(look(0), shot(2006), quality=0.9), anna)
    confirmed(face_like(look(1), shot(2014), quality=0.1), anna)
    choose_prototypes(person_ids=[anna.pk])
    found = {one.era: one for one in coverage_of(anna, owner)}
    assert [era for era, one in found.items() if one.lacking] == ["infant", "teen"]
    assert (found["child"].faces, found["child"].good, found["child"].prototypes) == (1, 1, 1)


def test_two_who_look_alike_are_candidates_for_a_merge(owner: Any) -> None:
    anna, annie, bea = known_person("Anna", 0), known_person("Annie", 0), known_person("Bea", 1)
    (found,) = merge_candidates(anna, owner)
    assert found.person == annie and found.similarity == pytest.approx(1.0, abs=1e-3)
    assert found.probability > 0.9 and found.photos == 1
    assert merge_candidates(bea, owner) == []


def test_who_is_not_the_same_or_stands_beside_is_no_candidate(owner: Any) -> None:
    anna, annie = known_person("Anna", 0), known_person("Annie", 0)
    twin = Person.objects.create(name="Twin")
    photo = make_photo()
    confirmed(face_like(look(0), photo, x=0.1), twin)
    confirmed(face_like(between(0, 1, 0.8, 0.3), photo, x=0.6), anna)
    choose_prototypes(person_ids=[twin.pk, anna.pk])
    assert [one.person for one in merge_candidates(anna, owner)] == [annie]
    mark_not_same(one=anna, two=annie, by=owner)
    assert merge_candidates(anna, owner) == []


def test_people_in_closed_roots_are_no_candidates(owner: Any, closed: Root) -> None:
    anna = known_person("Anna", 0)
    secret = Person.objects.create(name="Secret")
    confirmed(face_like(look(0), make_photo(root=closed)), secret)
    choose_prototypes(person_ids=[secret.pk])
    assert [one.person for one in merge_candidates(anna, owner)] == [secret]
    assert merge_candidates(anna, make_user("max")) == []
