"""A library of its own for a benchmark."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path


@contextmanager
def installation(*, keep: Path | None = None, **environment: str) -> Iterator[Path]:
    """A library with an embedded PostgreSQL of its own, and these settings. Gives its folder.

    It is a temporary one, unless ``keep`` names a folder: that one stays, to be used again by a later run.
    """
    if keep is not None:
        keep.mkdir(parents=True, exist_ok=True)
    temporary = (
        tempfile.TemporaryDirectory(prefix="heirloom-bench-") if keep is None else nullcontext(str(keep))
    )
    with temporary as folder:
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
            if keep is None:
                embedded_postgres.remove(data_dir)
