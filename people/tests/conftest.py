"""The cast of the people floor's tests."""

from __future__ import annotations

from typing import Any

import pytest

from library.models import Photo
from library.tests.factories import make_photo, make_user
from people.models import Person
from people.tests.factories import make_person


@pytest.fixture
def owner(db: None) -> Any:
    """The superuser."""
    return make_user("olga", owner=True)


@pytest.fixture
def member(db: None) -> Any:
    """Somebody of the family."""
    return make_user("max")


@pytest.fixture
def photo(db: None) -> Photo:
    """A photo of 2019."""
    return make_photo()


@pytest.fixture
def anna(db: None) -> Person:
    """Somebody."""
    return make_person("Anna")


@pytest.fixture
def ben(db: None) -> Person:
    """Somebody else."""
    return make_person("Ben")
