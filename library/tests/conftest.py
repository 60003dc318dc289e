"""The cast of the library's tests: one owns, one shares, one must see nothing of a closed root."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from library.tests.factories import make_user


@pytest.fixture
def owner(db: None) -> Any:
    """The superuser."""
    return make_user("olga", owner=True)


@pytest.fixture
def member(db: None) -> Any:
    """Somebody of the family."""
    return make_user("max")


@pytest.fixture
def owner_client(owner: Any) -> Client:
    """A browser in which the owner is logged in."""
    client = Client()
    client.force_login(owner)
    return client


@pytest.fixture
def member_client(member: Any) -> Client:
    """A browser in which the family member is logged in."""
    client = Client()
    client.force_login(member)
    return client
