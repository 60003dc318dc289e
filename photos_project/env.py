"""The environment, read once and typed: every setting a person can change is a field of ``Environment``.

Values come from the process environment, then from a ``.env`` file (``ENV_FILE``, by default ``.env`` in the
project's root), then from the defaults below. A value that cannot be used stops the start with one message
that names every such variable, its value and what is allowed. Reading has no side effects.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeVar, cast
from zoneinfo import available_timezones

import environ
from django.conf.locale import LANG_INFO
from django.core.exceptions import ImproperlyConfigured

Device = Literal["auto", "cpu", "cuda"]
Tagger = Literal["zero_shot", "ram_plus"]
TagLanguage = Literal["en", "zh"]
LogFormat = Literal["json", "console"]
T = TypeVar("T")

SECRETS = ("SECRET_KEY", "DATABASE_URL", "OWNER_PASSWORD")
"""Variables that may be given as ``<NAME>_FILE``: the path of a file that holds the value."""

PICTURE_FORMATS = (
    *("jpg", "jpeg", "jpe", "jfif", "png", "apng", "gif", "bmp", "dib", "tif", "tiff", "webp"),
    *("heic", "heif", "hif", "avif"),
)
RAW_FORMATS = (
    *("3fr", "arw", "cr2", "cr3", "crw", "dcr", "dng", "erf", "fff", "iiq", "kdc", "mef", "mos"),
    *("mrw", "nef", "nrw", "orf", "pef", "raf", "raw", "rw2", "rwl", "sr2", "srf", "srw", "x3f"),
)
DEFAULT_FORMATS = (*PICTURE_FORMATS, *RAW_FORMATS)
"""File name extensions that are read by default, lower case, without the dot."""

DEFAULT_EXCLUDED_FOLDERS = (
    "@eaDir",
    "#recycle",
    "#snapshot",
    "$RECYCLE.BIN",
    "System Volume Information",
    "lost+found",
    "Thumbs",
    ".thumbnails",
    ".Trashes",
    ".Trash-1000",
    "__MACOSX",
)
"""Folder names never walked into: what NAS systems, desktops and file systems keep for themselves."""


class SettingError(ImproperlyConfigured):
    """One or more variables hold values that cannot be used; the message names each of them."""


@dataclass(frozen=True, slots=True)
class Environment:
    """Every setting; the field names are the variables' names in lower case."""

    photos_dir: tuple[Path, ...]
    data_dir: Path
    database_url: str | None
    model_cache_dir: Path
    thumbnail_dir: Path
    static_dir: Path
    thumbnail_size: int
    preview_size: int
    device: Device
    tagger: Tagger
    tag_language: TagLanguage
    clip_onnx_dir: Path | None
    duplicate_threshold: int
    same_picture_threshold: int
    supported_formats: tuple[str, ...]
    excluded_folders: tuple[str, ...]
    include_hidden: bool
    max_pixels: int
    max_file_size: int
    batch_size: int
    slice_seconds: int
    lease_seconds: int
    files_workers: int
    model_threads: int
    model_mirrors: tuple[str, ...]
    accept_non_commercial: bool
    tag_min_confidence: float
    ocr_min_confidence: float
    face_min_confidence: float
    secret_key: str | None
    debug: bool
    allowed_hosts: tuple[str, ...]
    csrf_trusted_origins: tuple[str, ...]
    https: bool
    host: str
    port: int
    time_zone: str
    language_code: str
    log_level: str
    log_format: LogFormat
    owner_username: str
    owner_password: str | None


def _default_workers() -> int:
    """One a processor this process may use; more than 16 would only wait for the disk and the database."""
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(usable, 16)


class _Reader:
    """Takes variables out of a mapping, collecting what is wrong instead of stopping at the first."""

    def __init__(self, variables: Mapping[str, str], base_dir: Path) -> None:
        self.variables = variables
        self.base_dir = base_dir
        self.problems: list[str] = []

    def refuse(self, name: str, value: object, allowed: str) -> None:
        """Note that ``name`` cannot be used."""
        self.problems.append(f"{name}={value!r}: {allowed}")

    def raw(self, name: str) -> str | None:
        """The stripped value; None when the variable is absent or empty."""
        return self.variables.get(name, "").strip() or None

    def parsed(self, name: str, default: T, parse: Callable[[str], T], allowed: str) -> T:
        """The value through ``parse``; the default when absent. A ValueError is noted as wrong."""
        value = self.raw(name)
        if value is None:
            return default
        try:
            return parse(value)
        except ValueError:
            self.refuse(name, value, allowed)
            return default

    def integer(self, name: str, default: int, low: int, high: int) -> int:
        """A whole number in ``low..high``; underscores may group its digits."""
        number = self.parsed(name, default, int, f"a whole number from {low} to {high} is needed")
        if not low <= number <= high:
            self.refuse(name, number, f"a whole number from {low} to {high} is needed")
        return number

    def fraction(self, name: str, default: float) -> float:
        """A confidence between 0 and 1."""
        number = self.parsed(name, default, float, "a number from 0 to 1 is needed, such as 0.5")
        if not 0 <= number <= 1:
            self.refuse(name, number, "a number from 0 to 1 is needed, such as 0.5")
        return number

    def boolean(self, name: str, *, default: bool) -> bool:
        """A switch; only the words that are clearly yes or no."""
        words = {
            **dict.fromkeys(("true", "yes", "on", "1"), True),
            **dict.fromkeys(("false", "no", "off", "0"), False),
        }
        value = self.raw(name)
        if value is None:
            return default
        if value.lower() not in words:
            self.refuse(name, value, "true or false is needed (also yes, no, on, off, 1, 0)")
        return words.get(value.lower(), default)

    def choice(self, name: str, default: str, options: tuple[str, ...]) -> str:
        """One of ``options``, in any case."""
        value = self.raw(name) or default
        for option in options:
            if option.lower() == value.lower():
                return option
        self.refuse(name, value, f"one of {', '.join(options)} is needed")
        return default

    def words(self, name: str, default: tuple[str, ...]) -> tuple[str, ...]:
        """A comma separated list, in its order, without empty entries."""
        value = self.raw(name)
        if value is None:
            return default
        return tuple(word.strip() for word in value.split(",") if word.strip())

    def path(self, name: str, default: Path) -> Path:
        """A folder; ``~`` is the home folder, a relative path starts at the project's root."""
        value = self.raw(name)
        return default if value is None else self.resolve(value)

    def resolve(self, text: str) -> Path:
        """The absolute path that was meant."""
        return Path(os.path.abspath(self.base_dir / Path(text).expanduser()))  # noqa: PTH100 - keeps symlinks

    def folders(self, name: str) -> tuple[Path, ...]:
        """Folders separated by commas or the system's path separator; a folder that exists is taken whole."""
        value = self.raw(name)
        if value is None:
            return ()
        if self.resolve(value).is_dir():
            return (self.resolve(value),)
        parts = re.split(f"[,{re.escape(os.pathsep)}]", value)
        return tuple(self.resolve(part.strip()) for part in parts if part.strip())

    def secret(self, name: str) -> str | None:
        """The value of ``name``, or the content of the file that ``name_FILE`` points to."""
        value, file_name = self.raw(name), self.raw(f"{name}_FILE")
        if file_name is None:
            return value
        if value is not None:
            self.problems.append(f"{name} and {name}_FILE are both set: keep one of them")
            return value
        try:
            content = self.resolve(file_name).read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            self.refuse(f"{name}_FILE", file_name, f"the file cannot be read ({error})")
            return None
        if not content:
            self.refuse(f"{name}_FILE", file_name, "the file is empty")
        return content or None

    def stop_if_wrong(self) -> None:
        """Raise SettingError when anything was noted."""
        if self.problems:
            lines = "\n".join(f"  {problem}" for problem in self.problems)
            raise SettingError(f"Settings that cannot be used (see .env.example):\n{lines}")


def read_environment(variables: Mapping[str, str], base_dir: Path) -> Environment:
    """Build the Environment from plain variables; relative paths start at ``base_dir``.

    Raises SettingError naming every variable that cannot be used.
    """
    reader = _Reader(variables, base_dir)
    data_dir = reader.path("DATA_DIR", base_dir / "data")
    environment = Environment(
        photos_dir=reader.folders("PHOTOS_DIR"),
        data_dir=data_dir,
        database_url=_database_url(reader),
        model_cache_dir=reader.path("MODEL_CACHE_DIR", data_dir / "models"),
        thumbnail_dir=reader.path("THUMBNAIL_DIR", data_dir / "renditions"),
        static_dir=reader.path("STATIC_DIR", data_dir / "static"),
        thumbnail_size=reader.integer("THUMBNAIL_SIZE", 400, 64, 2048),
        preview_size=reader.integer("PREVIEW_SIZE", 2048, 512, 8192),
        device=cast("Device", reader.choice("DEVICE", "auto", ("auto", "cpu", "cuda"))),
        tagger=cast("Tagger", reader.choice("TAGGER", "zero_shot", ("zero_shot", "ram_plus"))),
        tag_language=cast("TagLanguage", reader.choice("TAG_LANGUAGE", "en", ("en", "zh"))),
        clip_onnx_dir=reader.parsed("CLIP_ONNX_DIR", None, reader.resolve, "a folder is needed"),
        duplicate_threshold=reader.integer("DUPLICATE_THRESHOLD", 8, 0, 256),
        same_picture_threshold=reader.integer("SAME_PICTURE_THRESHOLD", 31, 0, 256),
        supported_formats=_formats(reader),
        excluded_folders=reader.words("EXCLUDED_FOLDERS", DEFAULT_EXCLUDED_FOLDERS),
        include_hidden=reader.boolean("INCLUDE_HIDDEN", default=False),
        max_pixels=reader.integer("MAX_PIXELS", 250_000_000, 1_000_000, 4_000_000_000),
        max_file_size=reader.integer("MAX_FILE_SIZE", 2_000_000_000, 1_000_000, 1_000_000_000_000),
        batch_size=reader.integer("BATCH_SIZE", 32, 1, 1024),
        slice_seconds=reader.integer("SLICE_SECONDS", 60, 1, 3600),
        lease_seconds=reader.integer("LEASE_SECONDS", 600, 10, 86_400),
        files_workers=reader.integer("FILES_WORKERS", _default_workers(), 1, 256),
        model_threads=reader.integer("MODEL_THREADS", 0, 0, 1024),
        model_mirrors=_mirrors(reader),
        accept_non_commercial=reader.boolean("ACCEPT_NON_COMMERCIAL", default=False),
        tag_min_confidence=reader.fraction("TAG_MIN_CONFIDENCE", 0.5),
        ocr_min_confidence=reader.fraction("OCR_MIN_CONFIDENCE", 0.5),
        face_min_confidence=reader.fraction("FACE_MIN_CONFIDENCE", 0.3),
        secret_key=reader.secret("SECRET_KEY"),
        debug=reader.boolean("DEBUG", default=False),
        allowed_hosts=reader.words("ALLOWED_HOSTS", ("localhost", "127.0.0.1", "[::1]")),
        csrf_trusted_origins=_origins(reader),
        https=reader.boolean("HTTPS", default=False),
        host=reader.raw("HOST") or "127.0.0.1",
        port=reader.integer("PORT", 8000, 1, 65_535),
        time_zone=_time_zone(reader),
        language_code=_language(reader),
        log_level=reader.choice("LOG_LEVEL", "INFO", ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")),
        log_format=cast("LogFormat", reader.choice("LOG_FORMAT", "json", ("json", "console"))),
        owner_username=reader.raw("OWNER_USERNAME") or "owner",
        owner_password=reader.secret("OWNER_PASSWORD"),
    )
    _hold_together(reader, environment)
    reader.stop_if_wrong()
    return environment


def _database_url(reader: _Reader) -> str | None:
    url = reader.secret("DATABASE_URL")
    if url is not None and not re.match(r"(postgres|postgresql|pgsql|psql)://", url):
        # The value holds a password: the message shows the scheme alone.
        reader.refuse(
            "DATABASE_URL", url.split(":", 1)[0] + ":…", "postgres://user:password@host:5432/name is needed"
        )
    return url


def _formats(reader: _Reader) -> tuple[str, ...]:
    formats = tuple(word.lower().lstrip(".") for word in reader.words("SUPPORTED_FORMATS", DEFAULT_FORMATS))
    unknown = [name for name in formats if name not in DEFAULT_FORMATS]
    if unknown:
        allowed = f"{', '.join(unknown)} cannot be read; known are {', '.join(DEFAULT_FORMATS)}"
        reader.refuse("SUPPORTED_FORMATS", ",".join(formats), allowed)
    return tuple(dict.fromkeys(formats))


def _origins(reader: _Reader) -> tuple[str, ...]:
    origins = reader.words("CSRF_TRUSTED_ORIGINS", ())
    for origin in origins:
        if not re.match(r"https?://[^/]+$", origin):
            reader.refuse(
                "CSRF_TRUSTED_ORIGINS", origin, "https://photos.example.org is the form that is needed"
            )
    return origins


def _mirrors(reader: _Reader) -> tuple[str, ...]:
    mirrors = reader.words("MODEL_MIRRORS", ())
    for mirror in mirrors:
        if not re.match(r"https?://[^/\s]+", mirror):
            reader.refuse("MODEL_MIRRORS", mirror, "https://mirror.example.org is the form that is needed")
    return tuple(mirror.rstrip("/") for mirror in mirrors)


def _time_zone(reader: _Reader) -> str:
    name = reader.raw("TIME_ZONE") or "UTC"
    if name not in available_timezones() | {"UTC"}:
        reader.refuse("TIME_ZONE", name, "a name of the time zone database is needed, such as Europe/Berlin")
        return "UTC"
    return name


def _language(reader: _Reader) -> str:
    code = (reader.raw("LANGUAGE_CODE") or "en-us").lower()
    if code not in LANG_INFO and code.split("-")[0] not in LANG_INFO:
        reader.refuse("LANGUAGE_CODE", code, "a language code is needed, such as en-us or de")
    return code


def _hold_together(reader: _Reader, environment: Environment) -> None:
    """Rules that span two variables."""
    if environment.same_picture_threshold < environment.duplicate_threshold:
        reader.refuse(
            "SAME_PICTURE_THRESHOLD",
            environment.same_picture_threshold,
            f"must not be below DUPLICATE_THRESHOLD ({environment.duplicate_threshold})",
        )
    if environment.preview_size < environment.thumbnail_size:
        reader.refuse("PREVIEW_SIZE", environment.preview_size, "must not be below THUMBNAIL_SIZE")
    if environment.lease_seconds <= environment.slice_seconds:
        reader.refuse(
            "LEASE_SECONDS",
            environment.lease_seconds,
            f"must be above SLICE_SECONDS ({environment.slice_seconds})",
        )


def load(base_dir: Path) -> Environment:
    """The Environment of this process: its variables, completed from the ``.env`` file when there is one.

    Raises SettingError; also when ``ENV_FILE`` names a file that cannot be read.
    """
    chosen = os.environ.get("ENV_FILE", "").strip()
    file = base_dir / (Path(chosen).expanduser() if chosen else ".env")
    if chosen and not os.access(file, os.R_OK):
        raise SettingError(f"ENV_FILE={chosen!r}: the file cannot be read")
    return read_environment({**_from_file(file), **_non_empty(os.environ)}, base_dir)


def _from_file(file: Path) -> dict[str, str]:
    """The variables of a ``.env`` file; none when it is absent."""
    if not file.exists():
        return {}

    class FileEnv(environ.Env):  # type: ignore[misc]
        ENVIRON: dict[str, str] = {}  # read into here instead of into the process's own environment

    FileEnv.read_env(str(file), parse_comments=True)
    return dict(FileEnv.ENVIRON)


def _non_empty(variables: Mapping[str, str]) -> dict[str, str]:
    """An empty variable counts as absent: container files pass optional ones on as empty."""
    return {name: value for name, value in variables.items() if value.strip()}
