"""Settings from the environment."""

from __future__ import annotations

import os
import re
from dataclasses import fields
from pathlib import Path

import pytest
from django.conf import settings

from photos_project import env
from photos_project.env import SECRETS, Environment, read_environment
from photos_project.variables import SettingError

BASE = Path(__file__).resolve().parents[2]


def read(**variables: str) -> Environment:
    return read_environment(variables, Path("/srv/heirloom"))


def test_defaults_hang_together() -> None:
    environment = read()

    assert environment.data_dir == Path("/srv/heirloom/data")
    assert environment.model_cache_dir == Path("/srv/heirloom/data/models")
    assert environment.thumbnail_dir == Path("/srv/heirloom/data/renditions")
    assert environment.database_url is None
    assert (environment.duplicate_threshold, environment.same_picture_threshold) == (8, 31)
    assert {"jpg", "heic", "cr3", "dng"} <= set(environment.supported_formats)
    assert environment.excluded_folders[0] == "@eaDir"


def test_folders_below_the_data_folder_move_with_it() -> None:
    assert read(DATA_DIR="~/my photos").thumbnail_dir == Path.home() / "my photos" / "renditions"


def test_empty_counts_as_absent() -> None:
    assert read(PORT=" ", DATABASE_URL="", PHOTOS_DIR="") == read()


@pytest.mark.parametrize("separator", [",", os.pathsep, f" {os.pathsep} ", ", "])
def test_photo_folders_are_a_list(separator: str) -> None:
    assert read(PHOTOS_DIR=f"/mnt/a b{separator}pictures").photos_dir == (
        Path("/mnt/a b"),
        Path("/srv/heirloom/pictures"),
    )


def test_an_existing_folder_with_a_comma_is_one_folder(tmp_path: Path) -> None:
    (tmp_path / "Rome, 2019").mkdir()

    assert read(PHOTOS_DIR=str(tmp_path / "Rome, 2019")).photos_dir == (tmp_path / "Rome, 2019",)


@pytest.mark.parametrize(
    ("name", "value", "allowed"),
    [
        ("PORT", "http", "a whole number from 1 to 65535"),
        ("PORT", "70000", "a whole number from 1 to 65535"),
        ("DEVICE", "gpu", "one of auto, cpu, cuda"),
        ("DEBUG", "maybe", "true or false"),
        ("TAG_MIN_CONFIDENCE", "1.5", "a number from 0 to 1"),
        ("OCR_MIN_CONFIDENCE", "nan", "a number from 0 to 1"),
        ("SUPPORTED_FORMATS", "jpg,docx", "docx cannot be read"),
        ("TIME_ZONE", "Berlin", "Europe/Berlin"),
        ("LANGUAGE_CODE", "klingon", "a language code"),
        ("LOG_LEVEL", "loud", "one of DEBUG, INFO"),
        ("LOG_FORMAT", "xml", "one of json, console"),
        ("CSRF_TRUSTED_ORIGINS", "photos.example.org", "https://photos.example.org is the form"),
        ("MODEL_MIRRORS", "mirror.example.org", "https://mirror.example.org is the form"),
        ("SAME_PICTURE_THRESHOLD", "7", "must not be below DUPLICATE_THRESHOLD (8)"),
        ("PREVIEW_SIZE", "100", "a whole number from 512"),
        ("LEASE_SECONDS", "30", "must be above SLICE_SECONDS (60)"),
        ("SECRET_KEY_FILE", "/does/not/exist", "cannot be read"),
    ],
)
def test_a_bad_value_is_named_with_what_is_allowed(name: str, value: str, allowed: str) -> None:
    with pytest.raises(SettingError, match=re.escape(allowed)) as caught:
        read(**{name: value})

    assert name in str(caught.value)
    assert value in str(caught.value)


def test_all_bad_values_are_told_at_once() -> None:
    with pytest.raises(SettingError) as caught:
        read(PORT="x", DEVICE="y", BATCH_SIZE="0")

    assert all(name in str(caught.value) for name in ("PORT='x'", "DEVICE='y'", "BATCH_SIZE=0"))


def test_a_bad_database_url_does_not_print_its_password() -> None:
    with pytest.raises(SettingError, match="DATABASE_URL") as caught:
        read(DATABASE_URL="mysql://root:hunter2@db/photos")

    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize("name", SECRETS)
def test_secrets_may_lie_in_files(name: str, tmp_path: Path) -> None:
    content = "postgres://u:p@db/x" if name == "DATABASE_URL" else "$ecret, with # signs"
    (tmp_path / "secret").write_text(f"{content}\n")

    environment = read(**{f"{name}_FILE": str(tmp_path / "secret")})

    assert getattr(environment, name.lower()) == content


def test_a_secret_given_twice_is_refused(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("one")

    with pytest.raises(SettingError, match="SECRET_KEY and SECRET_KEY_FILE are both set"):
        read(SECRET_KEY="two", SECRET_KEY_FILE=str(tmp_path / "secret"))


def test_the_env_file_completes_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / ".env").write_text("# comment\nPORT=8123\nOWNER_USERNAME='grandma'\nDEVICE=cpu\n")
    monkeypatch.delenv("ENV_FILE")
    monkeypatch.setenv("DEVICE", "cuda")
    monkeypatch.setenv("OWNER_USERNAME", "")

    environment = env.load(tmp_path)

    assert (environment.port, environment.owner_username, environment.device) == (8123, "grandma", "cuda")
    assert "PORT" not in os.environ


def test_a_chosen_env_file_must_exist(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ENV_FILE", "missing.env")

    with pytest.raises(SettingError, match="ENV_FILE='missing.env'"):
        env.load(tmp_path)


def test_every_setting_is_in_the_example_and_nothing_else() -> None:
    listed = re.findall(r"^#?([A-Z][A-Z_]+)=", (BASE / ".env.example").read_text(), re.MULTILINE)
    known = {field.name.upper() for field in fields(Environment)}

    assert len(listed) == len(set(listed))
    assert set(listed) == known | {f"{name}_FILE" for name in SECRETS} | {"ENV_FILE"}


def test_the_example_shows_the_defaults(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lines = (BASE / ".env.example").read_text().splitlines()
    settings_only = [line.removeprefix("#") for line in lines if re.match(r"#[A-Z_]+=", line)]
    chosen = [line for line in settings_only if not line.startswith(("DATABASE_URL=", "ENV_FILE="))]
    (tmp_path / ".env").write_text("\n".join(chosen))
    for name in [field.name.upper() for field in fields(Environment)]:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.delenv("ENV_FILE")

    assert env.load(tmp_path) == read_environment({}, tmp_path)


def test_every_setting_reaches_django_under_its_name() -> None:
    used_inside = {"DATABASE_URL", "STATIC_DIR", "LOG_FORMAT"}  # as DATABASES, STATIC_ROOT, LOGGING
    names = {field.name.upper() for field in fields(Environment)} - used_inside

    assert [name for name in sorted(names) if not hasattr(settings, name)] == []
