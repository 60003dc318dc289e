"""Embedding spaces: which one answers, and when the next one takes over."""

from __future__ import annotations

import threading

import pytest
from django.db import connections

from library.models import EmbeddingSpace
from library.spaces import activate, promote_complete, space_for
from library.tests.factories import add_embedding, make_photo
from vision.results import SpaceInfo

pytestmark = pytest.mark.django_db

Kind = EmbeddingSpace.Kind
OLD = SpaceInfo("onnx_clip", "old@1", 4)
NEW = SpaceInfo("onnx_clip", "new@1", 8)
VECTORS = {4: [1.0, 0, 0, 0], 8: [0, 1.0, 0, 0, 0, 0, 0, 0]}


def fill(space: EmbeddingSpace, *photos: object) -> None:
    for photo in photos:
        add_embedding(photo, VECTORS[space.dimensions], space)  # type: ignore[arg-type]


def statuses() -> dict[str, str]:
    return dict(EmbeddingSpace.objects.values_list("model", "status"))


def test_the_first_space_of_a_kind_answers_at_once() -> None:
    space = space_for(Kind.IMAGE, OLD)
    assert (space.status, space.dimensions) == ("active", 4)
    assert space_for(Kind.FACE, OLD).status == "active"


def test_an_engine_finds_its_space_again() -> None:
    assert space_for(Kind.IMAGE, OLD) == space_for(Kind.IMAGE, OLD)
    assert EmbeddingSpace.objects.count() == 1


def test_a_later_space_is_built_while_the_old_one_answers() -> None:
    old, new = space_for(Kind.IMAGE, OLD), space_for(Kind.IMAGE, NEW)
    assert new.status == "building"
    assert EmbeddingSpace.objects.active(Kind.IMAGE) == old


def test_activating_a_space_retires_the_one_before_and_leaves_other_kinds_alone() -> None:
    space_for(Kind.IMAGE, OLD)
    face = space_for(Kind.FACE, OLD)
    new = space_for(Kind.IMAGE, NEW)
    activate(new)
    assert EmbeddingSpace.objects.active(Kind.IMAGE) == new
    assert EmbeddingSpace.objects.active(Kind.FACE) == face
    assert EmbeddingSpace.objects.get(kind=Kind.IMAGE, model="old@1").status == "retired"
    activate(new)
    assert EmbeddingSpace.objects.active(Kind.IMAGE) == new


def test_a_new_space_takes_over_when_it_has_every_photo_of_the_old() -> None:
    first, second = make_photo(), make_photo()
    old, new = space_for(Kind.IMAGE, OLD), space_for(Kind.IMAGE, NEW)
    fill(old, first, second)
    fill(new, first)
    promote_complete()
    assert statuses() == {"old@1": "active", "new@1": "building"}
    fill(new, second)
    promote_complete()
    assert statuses() == {"old@1": "retired", "new@1": "active"}


def test_a_photo_the_new_engine_fails_on_does_not_hold_it_up() -> None:
    first, second = make_photo(), make_photo()
    old, new = space_for(Kind.IMAGE, OLD), space_for(Kind.IMAGE, NEW)
    fill(old, first, second)
    fill(new, first)
    promote_complete(given_up=[second.pk])
    assert statuses() == {"old@1": "retired", "new@1": "active"}


def test_an_engine_that_comes_back_answers_again() -> None:
    photo = make_photo()
    old, new = space_for(Kind.IMAGE, OLD), space_for(Kind.IMAGE, NEW)
    fill(old, photo)
    fill(new, photo)
    promote_complete()
    again = space_for(Kind.IMAGE, OLD)
    assert (again.pk, again.status) == (old.pk, "building")
    promote_complete()
    assert statuses() == {"old@1": "active", "new@1": "retired"}


def test_faces_are_never_switched_by_themselves() -> None:
    space_for(Kind.FACE, OLD)
    space_for(Kind.FACE, NEW)
    promote_complete()
    assert statuses() == {"old@1": "active", "new@1": "building"}


@pytest.mark.django_db(transaction=True)
def test_of_two_first_spaces_opened_at_once_one_answers() -> None:
    start = threading.Barrier(2)
    errors: list[Exception] = []

    def open_space(info: SpaceInfo) -> None:
        try:
            start.wait(20)
            space_for(Kind.IMAGE, info)
        except Exception as error:  # noqa: BLE001 - told by the test
            errors.append(error)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=open_space, args=(info,)) for info in (OLD, NEW)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert not errors
    assert sorted(statuses().values()) == ["active", "building"]
