"""A library of its own for a benchmark."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def installation(**environment: str) -> Iterator[Path]:
    """A temporary library with an embedded PostgreSQL of its own, and these settings. Gives its folder."""
    with tempfile.TemporaryDirectory(prefix="heirloom-bench-") as folder:
        Path(folder).chmod(0o755)
        data_dir = Path(folder) / "data"
        os.environ |= {"DATA_DIR": str(data_dir), "LOG_LEVEL": "ERROR", "ENV_FILE": os.devnull}
        os.environ |= {"DJANGO_SETTINGS_MODULE": "photos_project.settings", **environment}
        os.environ.pop("DATABASE_URL", None)
        import django

        django.setup()
        from ingest.setup import prepare
        from photos_project import embedded_postgres

        try:
            prepare()
            yield Path(folder)
        finally:
            embedded_postgres.remove(data_dir)
