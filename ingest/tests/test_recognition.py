"""Recognition in the background: with the step, after answers, at night."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone
from django_q.tasks import async_task

from ingest import tasks
from ingest.steps.faces import FacesStep, SeenFaces
from library.tests.factories import make_photo
from people.actions.persons import create_person
from people.models import Face, PeopleEvent
from people.tests.recognition import DIMENSIONS, face_like, known_person, look, names
from vision.results import Box, DetectedFace, SpaceInfo

pytestmark = pytest.mark.django_db


def test_answers_that_no_page_learnt_from_are_settled_and_new_faces_grouped() -> None:
    asked, alike = face_like(look(0)), face_like(look(0, 0.9, noise=1))
    strangers = [face_like(look(1, 0.9, noise=n)) for n in range(3)]
    event = create_person(name="Anna", face_ids=[asked.pk], by=None)
    async_task("ingest.tasks.settle_answers", sync=True)
    assert set(names()) == {asked.pk}, "its page may be about to"
    PeopleEvent.objects.filter(pk=event.pk).update(at=timezone.now() - timedelta(minutes=1))
    async_task("ingest.tasks.settle_answers", sync=True)
    assert set(names()) == {asked.pk, alike.pk}
    groups = set(
        Face.objects.filter(pk__in=[face.pk for face in strangers]).values_list("cluster", flat=True)
    )
    assert len(groups) == 1 and None not in groups


def test_every_night_all_faces_are_decided_about_anew() -> None:
    known_person("Anna", 0)
    face = face_like(look(0, 0.9))
    done = tasks.nightly_people()
    assert (done["named"], done["groups"]) == (1, 0)
    assert names()[face.pk] == "Anna"


def test_new_faces_of_the_pipeline_are_recognised_with_the_step() -> None:
    known_person("Anna", 0)
    photo = make_photo()
    seen = SeenFaces(
        SpaceInfo("test", "small", DIMENSIONS),
        "test/small",
        [DetectedFace(Box(0.1, 0.1, 0.2, 0.3), 0.9, 0.8, look(0, 0.9))],
    )
    FacesStep().save({photo.pk: seen})
    assert list(names().values()).count("Anna") == 2
