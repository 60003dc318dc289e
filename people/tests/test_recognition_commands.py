"""``cluster_faces`` and ``recompute_suggestions``."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from people.actions.nightly import recompute
from people.models import Face, Prototype
from people.tests.recognition import confirmed, face_like, known_person, look, names

pytestmark = pytest.mark.django_db


def run(capsys: Any, *words: str) -> str:
    call_command(*words)
    return str(capsys.readouterr().out)


def test_groups_are_told_and_listed(capsys: Any) -> None:
    faces = [face_like(look(0, 0.9, noise=n)) for n in range(4)] + [face_like(look(1))]
    told = run(capsys, "cluster_faces", "--review")
    assert "5 unknown faces, 4 in 1 groups (1 new), 1 single." in told
    cover = Face.objects.get(pk=faces[0].pk).cluster.cover_id  # type: ignore[union-attr]
    assert f"4 faces, cover: face {cover}." in told
    data = json.loads(run(capsys, "cluster_faces", "--json"))
    assert data["spaces"][0]["new_groups"] == 0 and data["groups"] == []


def test_without_faces_both_say_so(capsys: Any) -> None:
    assert run(capsys, "cluster_faces") == "There are no faces yet.\n"
    assert "0 photos, 0 people" in run(capsys, "recompute_suggestions")


def test_everything_is_decided_anew(capsys: Any) -> None:
    anna = known_person("Anna", 0)
    Prototype.objects.all().delete()
    clear, unclear = face_like(look(0, 0.9)), face_like(look(0, 0.6))
    data = json.loads(run(capsys, "recompute_suggestions", "--json"))
    assert data == {
        "people": 1, "photos": 2, "calibrated_spaces": 0,
        "named": 1, "asked": 1, "unknown": 0, "withdrawn": 0,
    }  # fmt: skip
    assert names()[clear.pk] == "Anna" and anna.prototypes.count() == 1
    assert unclear.pk not in names()


def test_since_leaves_the_rest_alone(capsys: Any) -> None:
    known_person("Anna", 0)
    old, new = face_like(look(0, 0.9)), face_like(look(0, 0.9, noise=2))
    Face.objects.filter(pk=old.pk).update(created_at=timezone.now() - timedelta(days=9))
    yesterday = timezone.localdate() - timedelta(days=1)
    assert (
        json.loads(run(capsys, "recompute_suggestions", "--since", str(yesterday), "--json"))["photos"] == 1
    )
    assert new.pk in names() and old.pk not in names()


@pytest.mark.parametrize("wrong", ["yesterday", "2026-13-45"])
def test_a_date_that_is_none_is_named(wrong: str) -> None:
    with pytest.raises(CommandError, match=f"--since {wrong}: a date such as"):
        call_command("recompute_suggestions", "--since", wrong)


def test_a_stopped_run_keeps_what_is_done() -> None:
    anna = known_person("Anna", 0)
    confirmed(face_like(look(0, 0.9)), anna)
    face_like(look(0, 0.9, noise=3))
    done = recompute(should_stop=lambda: True)
    assert (done.people, done.photos) == (0, 0)
    assert recompute().faces.named == 1
