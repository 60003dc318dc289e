"""The seed, and an album with fake engines for what is tried within one process."""

from __future__ import annotations

import os
import random
import zlib
from typing import Any

import pytest
from django.db import connection

from ingest.tests.conftest import _own_folders, album, engines  # noqa: F401 - fixtures
from tests.chaos.results import facts


@pytest.fixture
def seed(request: pytest.FixtureRequest) -> int:
    """CHAOS_SEED, or a fixed one for each test. pytest shows the line below when the test fails."""
    number = int(os.environ.get("CHAOS_SEED") or zlib.crc32(request.node.name.encode()))
    print(f"CHAOS_SEED={number}")  # noqa: T201
    return number


@pytest.fixture
def dice(seed: int) -> random.Random:
    """Everything that is left to chance in a test."""
    return random.Random(seed)  # noqa: S311 - chaos, no secret


def database_facts() -> dict[str, Any]:
    """See ``facts``; of this test's database."""

    def query(sql: str) -> Any:
        with connection.cursor() as cursor:
            cursor.execute(sql.replace("%", "%%"))
            return cursor.fetchall()

    return facts(query)
