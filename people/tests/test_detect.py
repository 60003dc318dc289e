"""Faces that an engine found, and those that somebody said something about."""

from __future__ import annotations

import numpy as np
import pytest

from library.models import EmbeddingSpace, Photo
from library.tests.factories import make_photo, make_space
from people.actions.detect import forget_faces, replace_faces
from people.models import Face, FaceLabel, Person, Prototype
from people.tests.factories import add_face
from vision.results import Box, DetectedFace, Pose

pytestmark = pytest.mark.django_db


@pytest.fixture
def photo() -> Photo:
    return make_photo()


@pytest.fixture
def space() -> EmbeddingSpace:
    return make_space("face", 4)


@pytest.fixture
def anna() -> Person:
    return Person.objects.create(name="Anna")


def detected(x: float = 0.4, y: float = 0.2, width: float = 0.2, height: float = 0.3) -> DetectedFace:
    embedding = np.array([0, 1, 0, 0], dtype=np.float32)
    pose = Pose(yaw=12.0, pitch=-5.0, roll=3.0)
    return DetectedFace(
        Box(x, y, width, height), 0.7, 0.6, embedding, ((0.123456789, 0.5),), pose, 41.0, "female"
    )


def label(face: Face, person: Person, verdict: str = "confirmed") -> FaceLabel:
    return FaceLabel.objects.create(face=face, person=person, verdict=verdict, source="human_confirmed")


def test_found_faces_are_stored_with_all_their_values(photo: Photo, space: EmbeddingSpace) -> None:
    replace_faces(space=space, found={photo.pk: [detected(), detected(x=0.1)]})
    left, right = Face.objects.filter(photo=photo).order_by("x")
    assert (left.x, right.x) == (0.1, 0.4)
    assert (right.y, right.width, right.height) == (0.2, 0.2, 0.3)
    assert (right.confidence, right.quality) == (0.7, 0.6)
    assert right.landmarks == [[0.12346, 0.5]]
    assert list(np.asarray(right.embedding)) == [0, 1, 0, 0]
    assert (right.yaw, right.pitch, right.roll) == (12, -5, 3)
    assert (right.age_guess, right.sex_guess) == (41, "female")
    assert right.space == space


def test_what_an_engine_does_not_estimate_is_empty(photo: Photo, space: EmbeddingSpace) -> None:
    plain = DetectedFace(Box(0.1, 0.1, 0.2, 0.2), 0.7, 0.6, np.array([0, 1, 0, 0], dtype=np.float32))
    replace_faces(space=space, found={photo.pk: [plain]})
    face = photo.faces.get()
    assert (face.yaw, face.pitch, face.roll, face.age_guess, face.sex_guess) == (None, None, None, None, "")


def test_a_second_look_replaces_the_first(photo: Photo, space: EmbeddingSpace) -> None:
    other = make_photo()
    add_face(other)
    replace_faces(space=space, found={photo.pk: [detected(), detected(x=0.1)]})
    replace_faces(space=space, found={photo.pk: [detected(x=0.7)]})
    assert [face.x for face in photo.faces.all()] == [0.7]
    assert other.faces.count() == 1


def test_a_second_look_that_finds_nothing_leaves_nothing(photo: Photo, space: EmbeddingSpace) -> None:
    add_face(photo)
    replace_faces(space=space, found={photo.pk: []})
    assert not photo.faces.exists()


@pytest.mark.parametrize("verdict", ["confirmed", "rejected"])
def test_a_labelled_face_is_kept_and_not_stored_twice(
    photo: Photo, space: EmbeddingSpace, anna: Person, verdict: str
) -> None:
    face = add_face(photo)
    said = label(face, anna, verdict)
    replace_faces(space=space, found={photo.pk: [detected(x=0.41), detected(x=0.05)]})
    assert sorted(face.x for face in photo.faces.all()) == [0.05, 0.4]
    said.refresh_from_db()
    assert said.face == face


def test_a_labelled_face_that_is_not_found_again_is_kept(
    photo: Photo, space: EmbeddingSpace, anna: Person
) -> None:
    face = add_face(photo)
    label(face, anna)
    replace_faces(space=space, found={photo.pk: []})
    assert list(photo.faces.all()) == [face]


def test_covers_and_prototypes_are_kept(photo: Photo, space: EmbeddingSpace, anna: Person) -> None:
    prototype, cover = add_face(photo, x=0.1), add_face(photo, x=0.7)
    Prototype.objects.create(person=anna, face=prototype, quality=0.5)
    anna.cover = cover
    anna.save()
    add_face(photo, x=0.4)
    forget_faces(photo_ids=[photo.pk])
    assert set(photo.faces.all()) == {prototype, cover}


@pytest.mark.parametrize(
    ("box", "same"),
    [
        (detected(), True),
        (detected(x=0.42), True),
        (detected(x=0.6), False),
        (detected(x=0.45, y=0.35), False),
        (detected(width=0.05, height=0.05), False),
    ],
)
def test_the_same_place_is_more_than_half_of_both_boxes_together(
    photo: Photo, space: EmbeddingSpace, anna: Person, box: DetectedFace, *, same: bool
) -> None:
    label(add_face(photo), anna)
    replace_faces(space=space, found={photo.pk: [box]})
    assert photo.faces.count() == (1 if same else 2)


def test_a_labelled_face_moves_into_the_space_of_a_new_engine(photo: Photo, anna: Person) -> None:
    """Otherwise everything the family said would be lost to the new engine."""
    face = add_face(photo)
    said = label(face, anna)
    new = EmbeddingSpace.objects.create(kind="face", engine="better", model="1", dimensions=4)
    replace_faces(space=new, found={photo.pk: [detected(x=0.41)]})
    moved = Face.objects.get(photo=photo)
    assert (moved.confidence, moved.quality) == (0.7, 0.6)
    assert (moved.yaw, moved.age_guess, moved.sex_guess) == (12, 41, "female")
    assert (moved.pk, moved.space, moved.x) == (face.pk, new, 0.41)
    assert list(np.asarray(moved.embedding)) == [0, 1, 0, 0]
    assert moved.created_at == face.created_at
    assert list(moved.labels.all()) == [said]


def new_space() -> EmbeddingSpace:
    return EmbeddingSpace.objects.create(kind="face", engine="better", model="1", dimensions=4)


def test_what_a_new_engine_does_not_estimate_goes_with_the_old(photo: Photo, anna: Person) -> None:
    """Values of two engines are never mixed in one face."""
    face = add_face(photo, yaw=1.0, pitch=2.0, roll=3.0, age_guess=30.0, sex_guess="male")
    label(face, anna)
    plain = DetectedFace(Box(0.4, 0.2, 0.2, 0.3), 0.7, 0.6, np.array([0, 1, 0, 0], dtype=np.float32))
    replace_faces(space=new_space(), found={photo.pk: [plain]})
    moved = Face.objects.get()
    assert moved.pk == face.pk
    assert (moved.yaw, moved.pitch, moved.roll, moved.age_guess, moved.sex_guess) == (
        None,
        None,
        None,
        None,
        "",
    )


def test_a_new_engine_draws_faces_differently(photo: Photo, anna: Person) -> None:
    """dlib's square from the brows to the chin is, for the others, less than half of the face."""
    face = add_face(photo, x=0.41, y=0.32, width=0.18, height=0.18)
    label(face, anna)
    taller = detected(x=0.40, y=0.17, width=0.20, height=0.30)
    replace_faces(space=new_space(), found={photo.pk: [taller]})
    assert Face.objects.get().pk == face.pk


def test_a_neighbour_is_somebody_else_for_a_new_engine_too(photo: Photo, anna: Person) -> None:
    face = add_face(photo, x=0.40)
    label(face, anna)
    replace_faces(space=new_space(), found={photo.pk: [detected(x=0.52)]})
    assert Face.objects.count() == 2
    assert Face.objects.get(pk=face.pk).x == 0.40


def test_two_detections_are_never_one_face(photo: Photo, anna: Person) -> None:
    face = add_face(photo, x=0.40)
    label(face, anna)
    replace_faces(space=new_space(), found={photo.pk: [detected(x=0.44), detected(x=0.41)]})
    assert Face.objects.get(pk=face.pk).x == 0.41
    assert Face.objects.exclude(pk=face.pk).get().x == 0.44


def test_a_detection_moves_one_face_only_and_the_best(photo: Photo, anna: Person) -> None:
    left, right = add_face(photo, x=0.40), add_face(photo, x=0.50)
    for face in (left, right):
        label(face, anna)
    replace_faces(space=new_space(), found={photo.pk: [detected(x=0.43), detected(x=0.49)]})
    assert dict(Face.objects.values_list("pk", "x")) == {left.pk: 0.43, right.pk: 0.49}
    replace_faces(space=make_space("face", 4), found={photo.pk: [detected(x=0.44)]})
    assert dict(Face.objects.values_list("pk", "x")) == {left.pk: 0.44, right.pk: 0.49}
    assert Face.objects.get(pk=right.pk).space.engine == "better", "not found again: as it was"


def test_all_labels_and_roles_stay_with_a_face_that_moves(photo: Photo, anna: Person) -> None:
    face = add_face(photo)
    bert = Person.objects.create(name="Bert")
    said = {label(face, anna).pk, label(face, bert, "rejected").pk}
    prototype = Prototype.objects.create(person=anna, face=face, quality=0.5)
    Person.objects.filter(pk=anna.pk).update(cover=face)
    replace_faces(space=new_space(), found={photo.pk: [detected()]})
    moved = Face.objects.get()
    assert set(moved.labels.values_list("pk", flat=True)) == said
    assert moved.prototype == prototype and moved.cover_of.get() == anna


def test_the_same_engine_leaves_a_labelled_face_as_it_is(
    photo: Photo, space: EmbeddingSpace, anna: Person
) -> None:
    face = add_face(photo)
    label(face, anna)
    replace_faces(space=space, found={photo.pk: [detected(x=0.41)]})
    assert Face.objects.get(photo=photo).x == 0.4


def test_many_photos_cost_as_many_queries_as_one(
    space: EmbeddingSpace, django_assert_max_num_queries: object
) -> None:
    photos = [make_photo() for _ in range(10)]
    with django_assert_max_num_queries(9):  # type: ignore[operator]
        replace_faces(space=space, found={photo.pk: [detected()] for photo in photos})
    assert Face.objects.count() == 10
