"""The pytest plugin of the suite: one throw-away PostgreSQL for all its processes, and a clean environment.

Loaded with ``-p photos_project.testing``. With ``DATABASE_URL`` set that server is used instead. Everything
written goes below one temporary folder that is deleted at the end, also after failures and Ctrl-C.
"""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
from dataclasses import fields
from pathlib import Path

import pytest

from photos_project import embedded_postgres
from photos_project.env import SECRETS, Environment

FOLDER = "HEIRLOOM_TEST_FOLDER"
"""Tells the workers of pytest-xdist where the controller has put everything."""


@pytest.hookimpl(tryfirst=True)
def pytest_load_initial_conftests(early_config: pytest.Config) -> None:
    """Runs before pytest-django reads the settings."""
    worker = os.environ.get("PYTEST_XDIST_WORKER")
    if worker is None:
        folder = _make_folder()
        early_config.add_cleanup(lambda: _tear_down(folder))
        atexit.register(_tear_down, folder)
        _clean_environment()
        _provide_database(folder)
        os.environ[FOLDER] = str(folder)
    # Databases differ between workers, so photo 1 does too: each needs a data folder of its own.
    os.environ["DATA_DIR"] = str(Path(os.environ[FOLDER]) / f"data-{worker or 'main'}")


def pytest_configure() -> None:
    """Hash passwords fast: the strength of the real hasher is Django's to test."""
    from django.conf import settings

    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]


def _make_folder() -> Path:
    folder = Path(tempfile.mkdtemp(prefix="heirloom-test-"))
    folder.chmod(0o711)  # as root, the server's user passes through
    return folder


def _clean_environment() -> None:
    """What the person at the keyboard has set up for their library must not reach the tests."""
    kept = {"DATABASE_URL", "DATABASE_URL_FILE"}
    names = {field.name.upper() for field in fields(Environment)} | {f"{name}_FILE" for name in SECRETS}
    for name in names - kept:
        os.environ.pop(name, None)
    os.environ.update(ENV_FILE=os.devnull, SECRET_KEY="test" * 16, LOG_LEVEL="ERROR")  # noqa: S106 - no secret


def _provide_database(folder: Path) -> None:
    if "DATABASE_URL" in os.environ or "DATABASE_URL_FILE" in os.environ:
        return
    parameters = embedded_postgres.ensure_running(folder / "server", durable=False)
    os.environ["DATABASE_URL"] = parameters.url()


def _tear_down(folder: Path) -> None:
    if folder.exists():
        embedded_postgres.remove(folder / "server")
        shutil.rmtree(folder, ignore_errors=True)
