"""Embedding spaces: which one answers, and when the next one takes over."""

from __future__ import annotations

import threading

import pytest
from django.db import connections

from library.models import EmbeddingSpace
from library.spaces import activate, space_for
from vision.results import SpaceInfo

pytestmark = pytest.mark.django_db

Kind = EmbeddingSpace.Kind
OLD = SpaceInfo("onnx_clip", "old@1", 4)
NEW = SpaceInfo("onnx_clip", "new@1", 8)


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


def test_an_engine_that_comes_back_fills_its_space_again() -> None:
    old, new = space_for(Kind.IMAGE, OLD), space_for(Kind.IMAGE, NEW)
    activate(new)
    again = space_for(Kind.IMAGE, OLD)
    assert (again.pk, again.status) == (old.pk, "building")
    assert EmbeddingSpace.objects.active(Kind.IMAGE) == new


def test_what_was_switched_away_from_by_hand_is_marked() -> None:
    old, new = space_for(Kind.IMAGE, OLD), space_for(Kind.IMAGE, NEW)
    activate(new, by_hand=True)
    old.refresh_from_db()
    assert not old.promotes
    activate(old)
    assert EmbeddingSpace.objects.filter(promotes=True).count() == 2


def test_a_space_keeps_what_its_engine_was_chosen_by() -> None:
    space_for(Kind.IMAGE, OLD, written_by="a/1", source={"embedder": "x"})
    space_for(Kind.IMAGE, OLD)
    space = EmbeddingSpace.objects.get()
    assert (space.written_by, space.source) == ("a/1", {"embedder": "x"})
    space_for(Kind.IMAGE, OLD, written_by="a/2", source={"embedder": "y"})
    space.refresh_from_db()
    assert (space.written_by, space.source) == ("a/2", {"embedder": "y"})
    assert space.info == OLD


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
