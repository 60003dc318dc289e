"""What all tests share. The database server and a clean environment come from ``photos_project.testing``."""

from __future__ import annotations

import os
import sys

import pytest
from django.conf import settings

from photos_project.testing import FOLDER


@pytest.fixture(autouse=True)
def _own_clock() -> None:
    """The dates of made photos do not depend on the tests that ran before on the same worker."""
    factories = sys.modules.get("library.tests.factories")
    if factories is not None:
        factories.restart_clock()


@pytest.fixture(scope="session")
def django_db_keepdb(request: pytest.FixtureRequest) -> bool:
    """The throw-away server is deleted whole, so its databases need not be dropped one by one.

    A thread of the live server that still holds a connection would make that fail.
    """
    throw_away = str(settings.DATABASES["default"]["HOST"]).startswith(os.environ[FOLDER])
    return throw_away or bool(request.config.getvalue("reuse_db"))
