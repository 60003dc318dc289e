"""Dates of photos that were corrected, and who cannot be in them any more."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

import pytest

from library.actions.times import correct_times
from library.models import Photo
from library.tests.factories import make_photo
from people.actions.answers import confirm
from people.actions.dates import withdraw_early_names
from people.actions.guesses import record_guesses
from people.models import Person
from people.tests.factories import add_face

pytestmark = pytest.mark.django_db


def test_guesses_go_and_what_people_said_stays(anna: Person, photo: Photo, member: Any) -> None:
    Person.objects.filter(pk=anna.pk).update(birth_date=date(1990, 1, 1))
    guessed, said, fine = add_face(photo), add_face(make_photo()), add_face(make_photo())
    record_guesses(assignments=[(guessed.pk, anna.pk, 0.9), (fine.pk, anna.pk, 0.9)], engine="test")
    confirm(face_ids=[said.pk], person=anna, by=member)
    assert withdraw_early_names() == 0
    early = datetime(1980, 5, 1, tzinfo=UTC)
    correct_times(photo_ids=[guessed.photo_id, said.photo_id], actor_id=member.pk, taken_local=early)
    assert withdraw_early_names(photo_ids=[fine.photo_id]) == 0
    assert withdraw_early_names(photo_ids=[guessed.photo_id, said.photo_id]) == 1
    assert set(anna.faces.all()) == {said, fine}
    assert withdraw_early_names() == 0
