"""What holds an installation together: data folder, checks, logs, and the command line without a database."""

from __future__ import annotations

import json
import logging
import logging.config
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import structlog
from django.core.checks import run_checks

from photos_project import data_folder
from photos_project.logging import configure, get_logger
from photos_project.variables import SettingError

BASE = Path(__file__).resolve().parents[2]


#: What this test run and its browser tests set for themselves.
NOT_PASSED_ON = {"DATABASE_URL", "SECRET_KEY", "DJANGO_ALLOW_ASYNC_UNSAFE"}


def manage(tmp_path: Path, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    kept = {key: value for key, value in os.environ.items() if key not in NOT_PASSED_ON}
    environment = kept | {"DATA_DIR": str(tmp_path / "the data")} | variables
    command = [sys.executable, "manage.py", *arguments]
    return subprocess.run(command, cwd=BASE, env=environment, capture_output=True, text=True, check=False)


def test_production_settings_pass_the_deployment_checks_without_a_database(tmp_path: Path) -> None:
    variables = {"HTTPS": "true", "ALLOWED_HOSTS": "photos.example.org"}

    result = manage(tmp_path, "check", "--deploy", "--fail-level", "WARNING", **variables)

    assert result.returncode == 0, result.stderr
    assert not (tmp_path / "the data" / "postgres").exists()
    assert (tmp_path / "the data" / "secret_key").stat().st_mode & 0o777 == 0o600


def test_bad_settings_end_with_one_message(tmp_path: Path) -> None:
    result = manage(tmp_path, "check", PORT="eight", DEVICE="tpu")

    assert result.returncode == 1
    assert "PORT='eight'" in result.stderr
    assert "DEVICE='tpu'" in result.stderr
    assert "Traceback" not in result.stderr


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A temporary folder the server's user may pass through; as root tmp_path is closed to it."""
    folder = Path(tempfile.mkdtemp(prefix="heirloom-test-"))
    folder.chmod(0o711)
    yield folder
    shutil.rmtree(folder)


def test_the_first_connection_starts_the_embedded_server_and_the_end_stops_it(open_folder: Path) -> None:
    collected = manage(open_folder, "collectstatic", "--no-input", "-v", "0")
    assert collected.returncode == 0, collected.stderr
    assert not (open_folder / "the data" / "postgres").exists()

    ask = "from django.db import connection as c; print(c.cursor().execute('SELECT 42').fetchone()[0])"
    ask += "; from django.templatetags.static import static; print(static('vendor/htmx.min.js'))"
    result = manage(open_folder, "shell", "--no-imports", "-c", ask)

    assert result.returncode == 0, result.stderr
    answer, address = result.stdout.splitlines()
    assert answer == "42"
    assert re.fullmatch(r"/static/vendor/htmx\.min\.[0-9a-f]{12}\.js", address)  # collected: cached for ever
    assert not (open_folder / "the data" / "postgres" / "cluster" / "postmaster.pid").exists()


def test_the_secret_key_is_made_once(tmp_path: Path) -> None:
    key = data_folder.secret_key(tmp_path)

    assert len(key) >= 50
    assert data_folder.secret_key(tmp_path) == key
    data_folder._write_once(tmp_path / "secret_key", "another")  # a process that was slower
    assert data_folder.secret_key(tmp_path) == key
    assert [file.name for file in tmp_path.iterdir()] == ["secret_key"]


def test_a_data_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    with pytest.raises(SettingError, match="DATA_DIR=.*file/data"):
        data_folder.prepare(tmp_path / "file" / "data", tmp_path / "static")


def test_others_cannot_list_the_data_folder(tmp_path: Path) -> None:
    data_folder.prepare(tmp_path / "data", tmp_path / "data" / "static")

    assert (tmp_path / "data").stat().st_mode & 0o066 == 0


def messages(settings: Any, **values: object) -> dict[str | None, str]:
    for name, value in values.items():
        setattr(settings, name, value)
    return {
        message.id: f"{message.msg} {message.hint}"
        for message in run_checks(tags=["heirloom"], include_deployment_checks=True)
    }


def test_a_sound_installation_has_nothing_to_say_but_the_missing_model(settings: Any) -> None:
    assert set(messages(settings)) == {"heirloom.I001"}


def test_missing_originals_and_data_among_originals_are_told(settings: Any, tmp_path: Path) -> None:
    found = messages(
        settings, PHOTOS_DIR=(tmp_path / "unmounted", tmp_path), THUMBNAIL_DIR=tmp_path / "small"
    )

    assert "unmounted" in found["heirloom.W001"]
    assert "THUMBNAIL_DIR" in found["heirloom.E002"]


def test_a_folder_that_cannot_be_written_is_told(settings: Any, tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    assert "MODEL_CACHE_DIR" in messages(settings, MODEL_CACHE_DIR=tmp_path / "file")["heirloom.E001"]


def test_a_downloaded_model_is_enough(settings: Any, tmp_path: Path) -> None:
    assert "download_models" in messages(settings, MODEL_CACHE_DIR=tmp_path)["heirloom.I001"]
    (tmp_path / "clip" / "some" / "visual").mkdir(parents=True)
    (tmp_path / "clip" / "some" / "visual" / "model.onnx").touch()

    assert messages(settings, MODEL_CACHE_DIR=tmp_path) == {}


def test_a_model_folder_without_a_model_is_told(settings: Any, tmp_path: Path) -> None:
    (tmp_path / "visual").mkdir()
    (tmp_path / "visual" / "model.onnx").touch()

    found = messages(settings, CLIP_ONNX_DIR=tmp_path)

    assert "has no textual/model.onnx" in found["heirloom.W002"]


def test_an_open_server_without_names_is_told(settings: Any) -> None:
    found = messages(settings, HOST="192.168.1.20", ALLOWED_HOSTS=["localhost"])

    assert "ALLOWED_HOSTS" in found["heirloom.W003"]


@pytest.fixture
def restored_logging() -> Iterator[None]:
    from django.conf import settings

    yield
    logging.config.dictConfig(configure(settings.LOG_LEVEL, "json"))
    structlog.contextvars.clear_contextvars()


def test_logs_are_one_json_object_a_line(restored_logging: None, capsys: pytest.CaptureFixture[str]) -> None:
    logging.config.dictConfig(configure("INFO", "json"))
    structlog.contextvars.bind_contextvars(photo=7)

    get_logger("ingest.runner").info("step.finished", step="ocr", milliseconds=812)
    get_logger("ingest.runner").debug("not.this")
    logging.getLogger("django_q").warning("from the %s library", "standard")
    try:
        raise ValueError("broken file")
    except ValueError:
        get_logger("ingest.runner").exception("step.failed", path=Path("/photos/a.jpg"))

    first, second, third = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    assert first["timestamp"].endswith("Z")
    del first["timestamp"]
    assert first == {
        "event": "step.finished",
        "logger": "ingest.runner",
        "level": "info",
        "photo": 7,
        "step": "ocr",
        "milliseconds": 812,
    }
    assert (second["event"], second["logger"]) == ("from the standard library", "django_q")
    assert third["exception"][0]["exc_value"] == "broken file"
    assert third["path"] == "/photos/a.jpg"


def test_the_console_format_is_for_people(restored_logging: None, capsys: pytest.CaptureFixture[str]) -> None:
    logging.config.dictConfig(configure("INFO", "console"))

    get_logger("ingest.runner").info("step.finished", step="ocr")

    line = capsys.readouterr().err
    assert "step.finished" in line
    assert "step=ocr" in line
