"""What all tests share. The database server and a clean environment come from ``photos_project.testing``."""

from __future__ import annotations

import os

import pytest
from django.conf import settings

from photos_project.testing import FOLDER


@pytest.fixture(scope="session")
def django_db_keepdb(request: pytest.FixtureRequest) -> bool:
    """The throw-away server is deleted whole, so its databases need not be dropped one by one.

    A thread of the live server that still holds a connection would make that fail.
    """
    throw_away = str(settings.DATABASES["default"]["HOST"]).startswith(os.environ[FOLDER])
    return throw_away or bool(request.config.getvalue("reuse_db"))
