"""Random deeds, and recognition between them: it breaks no rule and proposes nothing that is banned."""

from __future__ import annotations

from contextlib import suppress
from random import Random
from typing import Any

import numpy as np
import pytest
from django.db import transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from people.actions.cluster import cluster_all, cluster_recent, ignore_cluster, name_cluster
from people.actions.nightly import recompute
from people.actions.recognise import recognise
from people.actions.settle import settle, unsettled
from people.models import Face, FaceCluster, FaceLabel, PeopleEvent, Suggestion
from people.refusals import PeopleRefused
from people.review import questions
from people.tests.test_rules import DEEDS, World, fresh, look_at

pytestmark = pytest.mark.django_db
LENGTH = 16


class Recognising(World):
    """The same small world, in which faces look like one of three people, more or less."""

    def __init__(self) -> None:
        super().__init__()
        random = np.random.default_rng(1)
        for number, face in enumerate(Face.objects.order_by("pk")):
            vector = np.eye(4)[number % 3] + random.normal(0, 0.15, 4)
            face.embedding = (vector / np.linalg.norm(vector)).astype(np.float32)
            face.save(update_fields=["embedding"])

    def do_recognise(self, one: int, two: int, by: Any) -> None:
        recognise(photo_ids=[photo.pk for photo in self.photos])

    def do_settle(self, one: int, two: int, by: Any) -> None:
        for event in unsettled():
            settle(event)

    def do_recompute(self, one: int, two: int, by: Any) -> None:
        recompute()

    def do_cluster(self, one: int, two: int, by: Any) -> None:
        before = sorted(FaceLabel.objects.in_force().values_list("pk", flat=True))
        for space in self.spaces:
            (cluster_all if two % 2 else cluster_recent)(space=space)
        assert sorted(FaceLabel.objects.in_force().values_list("pk", flat=True)) == before

    def do_answer_group(self, one: int, two: int, by: Any) -> PeopleEvent | None:
        clusters = list(FaceCluster.objects.order_by("pk"))
        if not clusters:
            return None
        cluster = clusters[one % len(clusters)]
        if two % 3 == 0:
            return ignore_cluster(cluster=cluster, by=by)
        return name_cluster(cluster=cluster, person=self.person(two), by=by)


OURS = ["recognise", "settle", "recompute", "cluster", "answer_group"]


def nothing_banned_is_proposed(world: Recognising, deed: Any) -> None:
    rejections = FaceLabel.objects.in_force().filter(verdict="rejected").pairs()
    asked = [question for question in questions(world.users[0], 100) if question.person_id is not None]
    for question in asked:
        for pk in question.face_ids:
            assert (pk, question.person_id) not in rejections, f"{deed}: asked about what was rejected"
            face = Face.objects.get(pk=pk)
            beside = Face.objects.filter(photo=face.photo_id, person=question.person_id)
            assert not beside.exists(), f"{deed}: asked for somebody who is in the photo"
    if deed[0] == "recompute":
        pairs = set(Suggestion.objects.values_list("face", "person"))
        assert not pairs & rejections, f"{deed}: a rejected pair was suggested"
        for one in Suggestion.objects.select_related("face__photo", "person"):
            taken, birth = one.face.photo.taken_local, one.person.birth_date
            assert not (taken and birth and taken.date() < birth), f"{deed}: suggested before birth"


@settings(
    max_examples=3,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(st.integers(0, 1_000_000))
def test_no_recognition_in_between_breaks_a_rule(db: None, seed: int) -> None:
    random = Random(seed)  # noqa: S311 - a story, no secret
    with fresh():
        world = Recognising()
        for _ in range(LENGTH):
            name = random.choice(OURS if random.random() < 0.5 else DEEDS)
            deed = (name, random.randrange(5000), random.randrange(5000), random.randrange(2))
            with suppress(PeopleRefused), transaction.atomic():
                world.do(deed)
            look_at(deed)
            nothing_banned_is_proposed(world, deed)
