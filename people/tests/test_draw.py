"""Boxes that people draw, move and delete, and engines that look again."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from library.models import EmbeddingSpace, Photo
from library.tests.factories import make_photo, make_space
from people.actions.answers import confirm, ignore, reject, unassign
from people.actions.detect import forget_faces, replace_faces
from people.actions.draw import delete_face, draw_face, move_face
from people.actions.guesses import record_guesses
from people.actions.undo import undo
from people.models import Face, FaceLabel, Person, Suggestion
from people.refusals import AlreadyAnswered, BadBox, CannotUndo, FaceThere, TwiceInPhoto
from people.tests.factories import add_face
from vision.results import Box, DetectedFace

pytestmark = pytest.mark.django_db

HERE = Box(0.4, 0.2, 0.2, 0.3)
THERE = Box(0.1, 0.5, 0.1, 0.2)


def look(photo: Photo, *boxes: Box, engine: str = "test", dimensions: int = 4) -> None:
    """An engine finds these faces."""
    space = make_space("face", 4)
    if engine != "test":
        values = {"model": "1", "dimensions": dimensions}
        space, _ = EmbeddingSpace.objects.get_or_create(kind="face", engine=engine, defaults=values)
    vector = np.ones(dimensions, dtype=np.float32)
    replace_faces(space=space, found={photo.pk: [DetectedFace(box, 0.7, 0.6, vector) for box in boxes]})


def box_of(face: Face) -> Box:
    face.refresh_from_db()
    return Box(face.x, face.y, face.width, face.height)


def drawn_by(photo: Photo, by: Any, box: Box = HERE, person: Person | None = None) -> Face:
    event = draw_face(photo=photo, box=box, person=person, by=by)
    return Face.objects.get(pk=event.data["drawn"])


def test_a_drawn_face_is_somebodys(photo: Photo, anna: Person, member: Any) -> None:
    event = draw_face(photo=photo, box=HERE, person=anna, by=member)
    face = photo.faces.get()
    assert (face.person, face.person_source, face.drawn) == (anna, "human_confirmed", True)
    assert (face.embedding, face.space, box_of(face)) == (None, None, HERE)
    undo(event=event, by=member)
    assert not Face.objects.exists()


@pytest.mark.parametrize("box", [Box(0.5, 0.5, 0, 0.1), Box(1.2, 0.1, 0.2, 0.2), Box(float("nan"), 0, 1, 1)])
def test_a_box_is_inside_the_photo(photo: Photo, member: Any, box: Box) -> None:
    with pytest.raises(BadBox):
        draw_face(photo=photo, box=box, by=member)
    assert not Face.objects.exists()


def test_a_box_is_cut_at_the_edge(photo: Photo, member: Any) -> None:
    face = drawn_by(photo, member, Box(-0.1, 0.75, 0.3, 0.5))
    assert box_of(face) == Box(0.0, 0.75, 0.2, 0.25)


def test_nothing_is_drawn_over_a_face_nor_named_twice(photo: Photo, anna: Person, member: Any) -> None:
    known = add_face(photo)
    with pytest.raises(FaceThere) as refused:
        draw_face(photo=photo, box=HERE, by=member)
    assert refused.value.face == known
    confirm(face_ids=[known.pk], person=anna, by=member)
    with pytest.raises(TwiceInPhoto):
        draw_face(photo=photo, box=THERE, person=anna, by=member)
    assert photo.faces.count() == 1


@pytest.mark.parametrize("engine", ["test", "better"])
def test_an_engine_gives_a_drawn_face_its_vector_and_leaves_the_box(
    photo: Photo, anna: Person, member: Any, engine: str
) -> None:
    face = drawn_by(photo, member, person=anna)
    look(photo, Box(0.42, 0.22, 0.2, 0.3), engine=engine)
    face.refresh_from_db()
    assert photo.faces.get() == face
    assert face.embedding is not None and face.space is not None and face.space.engine == engine
    assert (box_of(face), face.person, face.drawn) == (HERE, anna, True)
    look(photo)
    assert photo.faces.get() == face, "not found this time"


def test_a_drawn_face_without_a_name_stays_too(photo: Photo, member: Any) -> None:
    face = drawn_by(photo, member)
    look(photo, THERE)
    forget_faces(photo_ids=[photo.pk])
    assert photo.faces.get() == face


def test_a_moved_box_is_a_persons(photo: Photo, member: Any) -> None:
    face = add_face(photo)
    near = Box(0.41, 0.21, 0.2, 0.3)
    event = move_face(face_id=face.pk, box=near, by=member)
    look(photo, HERE)
    assert (photo.faces.get(), box_of(face)) == (face, near)
    assert face.embedding is not None
    undo(event=event, by=member)
    assert (box_of(face), face.drawn) == (HERE, False)


def test_a_box_moved_away_forgets_what_was_seen_until_undone(photo: Photo, member: Any) -> None:
    face = add_face(photo, yaw=12.0, landmarks=[[0.5, 0.5]])
    event = move_face(face_id=face.pk, box=THERE, by=member)
    assert box_of(face) == THERE
    assert (face.embedding, face.space, face.yaw, face.landmarks) == (None, None, None, [])
    undo(event=event, by=member)
    assert (box_of(face), face.yaw, face.landmarks) == (HERE, 12.0, [[0.5, 0.5]])
    assert list(np.asarray(face.embedding)) == [1, 0, 0, 0] and face.space is not None


def test_a_box_does_not_move_onto_another(photo: Photo, member: Any) -> None:
    face, other = add_face(photo), add_face(photo, x=0.05)
    with pytest.raises(FaceThere) as refused:
        move_face(face_id=face.pk, box=Box(0.06, 0.2, 0.2, 0.3), by=member)
    assert refused.value.face == other
    moved = move_face(face_id=face.pk, box=THERE, by=member)
    move_face(face_id=face.pk, box=Box(0.7, 0.5, 0.1, 0.2), by=member)
    with pytest.raises(CannotUndo, match="moved again"):
        undo(event=moved, by=member)


def test_a_deleted_box_does_not_come_back(photo: Photo, anna: Person, member: Any) -> None:
    found, own = add_face(photo), drawn_by(photo, member, THERE, anna)
    event = delete_face(face_id=found.pk, by=member)
    delete_face(face_id=own.pk, by=member)
    statuses = dict(Face.objects.values_list("pk", "status"))
    assert statuses == {found.pk: "not_a_face", own.pk: "deleted"}
    look(photo, HERE, engine="better")
    assert photo.faces.filter(status="face").count() == 0
    with pytest.raises(AlreadyAnswered):
        move_face(face_id=own.pk, box=HERE, by=member)
    undo(event=event, by=member)
    found.refresh_from_db()
    assert found.status == "face"


def test_where_a_drawn_box_was_deleted_an_engine_may_find_a_face(photo: Photo, member: Any) -> None:
    drawn = drawn_by(photo, member)
    delete_face(face_id=drawn.pk, by=member)
    look(photo, HERE)
    assert photo.faces.filter(status="face").count() == 1


def test_a_drawn_face_that_was_named_is_not_undrawn(photo: Photo, anna: Person, member: Any) -> None:
    event = draw_face(photo=photo, box=HERE, by=member)
    confirm(face_ids=[event.data["drawn"]], person=anna, by=member)
    with pytest.raises(CannotUndo, match="named or moved"):
        undo(event=event, by=member)


# --- Another look -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("engine", ["test", "better"])
def test_rejections_and_strangers_survive_another_look(
    photo: Photo, anna: Person, member: Any, engine: str
) -> None:
    face, stranger = add_face(photo), add_face(photo, x=0.7)
    reject(face_ids=[face.pk], person=anna, by=member)
    ignore(face_ids=[stranger.pk], by=member)
    look(photo, Box(0.41, 0.2, 0.2, 0.3), Box(0.71, 0.2, 0.2, 0.3), engine=engine)
    assert set(photo.faces.all()) == {face, stranger}
    assert record_guesses(assignments=[(face.pk, anna.pk, 0.99)], engine=engine) is None
    stranger.refresh_from_db()
    assert stranger.status == "ignored"


def test_a_guess_stays_with_a_face_that_is_found_again_and_goes_with_one_that_is_not(
    photo: Photo, anna: Person, member: Any
) -> None:
    found, lost = add_face(photo), add_face(photo, x=0.7)
    guesses = [(found.pk, anna.pk, 0.9), (lost.pk, Person.objects.create(name="Ben").pk, 0.9)]
    record_guesses(assignments=guesses, engine="test")
    Suggestion.objects.create(face=found, person=anna, similarity=0.5, margin=0.1, probability=0.5)
    look(photo, Box(0.41, 0.2, 0.2, 0.3), engine="better")
    (face,) = photo.faces.all()
    assert (face, face.x, face.person) == (found, 0.41, anna)
    assert not Suggestion.objects.exists(), "made out by the old engine's numbers"


def test_an_unknown_face_keeps_its_key_when_it_is_found_again(photo: Photo) -> None:
    face = add_face(photo)
    look(photo, Box(0.42, 0.2, 0.2, 0.3), THERE)
    face.refresh_from_db()
    assert (face.x, face.confidence) == (0.42, 0.7)
    assert photo.faces.count() == 2


def test_what_was_once_said_keeps_a_face(photo: Photo, anna: Person, member: Any) -> None:
    """Taken back or not: its story may still be told."""
    face = add_face(photo)
    confirm(face_ids=[face.pk], person=anna, by=member)
    unassign(face_ids=[face.pk], by=member)
    look(make_photo())
    look(photo)
    assert photo.faces.get() == face
    assert FaceLabel.objects.count() == 1
