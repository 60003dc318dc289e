"""The cast of the people floor's tests."""

from __future__ import annotations

import pytest

from library.models import Photo
from library.tests.conftest import member, member_client, owner, owner_client  # noqa: F401 - fixtures
from library.tests.factories import make_photo
from people.models import Person
from people.tests.factories import make_person


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
