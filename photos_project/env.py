"""The environment, read once and typed: every setting a person can change is a field of ``Environment``.

Values come from the process environment, then from a ``.env`` file (``ENV_FILE``, by default ``.env`` in the
project's root), then from the defaults below. A value that cannot be used stops the start with one message
that names every such variable, its value and what is allowed. Reading has no side effects.
"""

from __future__ import annotations

import os
import re
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, cast
from zoneinfo import available_timezones

import environ
from django.conf.locale import LANG_INFO

from photos_project.variables import SettingError, VariableReader

Device = Literal["auto", "cpu", "cuda"]
Embedder = Literal["onnx_clip", "openclip"]
Precision = Literal["auto", "fp32", "fp16", "bf16"]
Tagger = Literal["zero_shot", "ram_plus"]
TagLanguage = Literal["en", "zh"]
Reader = Literal["rapidocr", "paddleocr"]
FaceEngine = Literal["auto", "insightface", "yunet_sface", "dlib"]
Hemisphere = Literal["north", "south"]
Uploads = Literal["members", "permitted", "off"]
LogFormat = Literal["json", "console"]

SECRETS = ("SECRET_KEY", "DATABASE_URL", "OWNER_PASSWORD", "METRICS_TOKEN")
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

#: What speaks for somebody besides the face.
PEOPLE_PRIORS = ("time", "company", "place", "folder")


@dataclass(frozen=True, slots=True)
class Environment:
    """Every setting; the field names are the variables' names in lower case."""

    photos_dir: tuple[Path, ...]
    root_map: tuple[tuple[bytes, bytes], ...]
    data_dir: Path
    database_url: str | None
    model_cache_dir: Path
    thumbnail_dir: Path
    static_dir: Path
    thumbnail_size: int
    preview_size: int
    device: Device
    model_precision: Precision
    embedder: Embedder
    clip_onnx_dir: Path | None
    openclip_model: str
    openclip_checkpoint: Path | None
    local_crops: bool
    tagger: Tagger
    tag_language: TagLanguage
    tag_list: str
    tags_per_photo: int
    reader: Reader
    ocr_language: str
    ocr_model_dir: Path | None
    ocr_prefilter: bool
    face_engine: FaceEngine
    face_model: str
    face_model_dir: Path | None
    face_min_size: int
    people_naming: bool
    people_priors: tuple[str, ...]
    descriptions: bool
    description_model: str
    description_model_dir: Path | None
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
    watch: bool
    watch_poll_seconds: int
    settle_seconds: int
    nightly_scan_hour: int
    heartbeat_seconds: int
    machine_name: str
    model_threads: int
    download_models: bool
    model_mirrors: tuple[str, ...]
    accept_non_commercial: bool
    tag_min_confidence: float
    ocr_min_confidence: float
    face_min_confidence: float
    search_words_weight: float
    search_meaning_weight: float
    hemisphere: Hemisphere
    secret_key: str | None
    debug: bool
    allowed_hosts: tuple[str, ...]
    csrf_trusted_origins: tuple[str, ...]
    https: bool
    uploads: Uploads
    upload_quota: int
    upload_min_free: int
    upload_keep_days: int
    host: str
    port: int
    time_zone: str
    language_code: str
    log_level: str
    log_format: LogFormat
    owner_username: str
    owner_password: str | None
    metrics_token: str | None


def _default_workers() -> int:
    """One a processor this process may use; more than 16 would only wait for the disk and the database."""
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(usable, 16)


def read_environment(variables: Mapping[str, str], base_dir: Path) -> Environment:
    """Build the Environment from plain variables; relative paths start at ``base_dir``.

    Raises SettingError naming every variable that cannot be used.
    """
    reader = VariableReader(variables, base_dir)
    data_dir = reader.path("DATA_DIR", base_dir / "data")
    environment = Environment(
        photos_dir=reader.folders("PHOTOS_DIR"),
        root_map=_root_map(reader),
        data_dir=data_dir,
        database_url=_database_url(reader),
        model_cache_dir=reader.path("MODEL_CACHE_DIR", data_dir / "models"),
        thumbnail_dir=reader.path("THUMBNAIL_DIR", data_dir / "renditions"),
        static_dir=reader.path("STATIC_DIR", data_dir / "static"),
        thumbnail_size=reader.integer("THUMBNAIL_SIZE", 400, 64, 2048),
        preview_size=reader.integer("PREVIEW_SIZE", 2048, 512, 8192),
        device=cast("Device", reader.choice("DEVICE", "auto", ("auto", "cpu", "cuda"))),
        **_engines(reader),
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
        watch=reader.boolean("WATCH", default=True),
        watch_poll_seconds=reader.integer("WATCH_POLL_SECONDS", 60, 1, 86_400),
        settle_seconds=reader.integer("SETTLE_SECONDS", 3, 0, 3600),
        nightly_scan_hour=reader.integer("NIGHTLY_SCAN_HOUR", 3, -1, 23),
        heartbeat_seconds=reader.integer("HEARTBEAT_SECONDS", 60, 15, 3600),
        machine_name=_machine_name(reader),
        model_threads=reader.integer("MODEL_THREADS", 0, 0, 1024),
        download_models=reader.boolean("DOWNLOAD_MODELS", default=True),
        model_mirrors=_mirrors(reader),
        accept_non_commercial=reader.boolean("ACCEPT_NON_COMMERCIAL", default=False),
        tag_min_confidence=reader.fraction("TAG_MIN_CONFIDENCE", 0.5),
        ocr_min_confidence=reader.fraction("OCR_MIN_CONFIDENCE", 0.5),
        face_min_confidence=reader.fraction("FACE_MIN_CONFIDENCE", 0.3),
        search_words_weight=reader.fraction("SEARCH_WORDS_WEIGHT", 1.0),
        search_meaning_weight=reader.fraction("SEARCH_MEANING_WEIGHT", 1.0),
        hemisphere=cast("Hemisphere", reader.choice("HEMISPHERE", "north", ("north", "south"))),
        secret_key=reader.secret("SECRET_KEY"),
        debug=reader.boolean("DEBUG", default=False),
        allowed_hosts=reader.words("ALLOWED_HOSTS", ("localhost", "127.0.0.1", "[::1]")),
        csrf_trusted_origins=_origins(reader),
        https=reader.boolean("HTTPS", default=False),
        uploads=cast("Uploads", reader.choice("UPLOADS", "members", ("members", "permitted", "off"))),
        upload_quota=reader.integer("UPLOAD_QUOTA", 0, 0, 10**18),
        upload_min_free=reader.integer("UPLOAD_MIN_FREE", 2_000_000_000, 0, 10**18),
        upload_keep_days=reader.integer("UPLOAD_KEEP_DAYS", 7, 1, 3650),
        host=reader.raw("HOST") or "127.0.0.1",
        port=reader.integer("PORT", 8000, 1, 65_535),
        time_zone=_time_zone(reader),
        language_code=_language(reader),
        log_level=reader.choice("LOG_LEVEL", "INFO", ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")),
        log_format=cast("LogFormat", reader.choice("LOG_FORMAT", "json", ("json", "console"))),
        owner_username=reader.raw("OWNER_USERNAME") or "owner",
        owner_password=reader.secret("OWNER_PASSWORD"),
        metrics_token=reader.secret("METRICS_TOKEN"),
    )
    _hold_together(reader, environment)
    reader.stop_if_wrong()
    return environment


def _engines(reader: VariableReader) -> dict[str, Any]:
    """Which model stands behind each port, and where its files lie."""
    faces = ("auto", "insightface", "yunet_sface", "dlib")
    return {
        "model_precision": reader.choice("MODEL_PRECISION", "auto", ("auto", "fp32", "fp16", "bf16")),
        "embedder": reader.choice("EMBEDDER", "onnx_clip", ("onnx_clip", "openclip")),
        "clip_onnx_dir": reader.optional_path("CLIP_ONNX_DIR"),
        "openclip_model": _openclip_model(reader),
        "openclip_checkpoint": reader.optional_path("OPENCLIP_CHECKPOINT"),
        "local_crops": reader.boolean("LOCAL_CROPS", default=False),
        "tagger": reader.choice("TAGGER", "zero_shot", ("zero_shot", "ram_plus")),
        "tag_language": reader.choice("TAG_LANGUAGE", "en", ("en", "zh")),
        "tag_list": _tag_list(reader),
        "tags_per_photo": reader.integer("TAGS_PER_PHOTO", 10, 1, 200),
        "reader": reader.choice("READER", "rapidocr", ("rapidocr", "paddleocr")),
        "ocr_language": reader.raw("OCR_LANGUAGE") or "auto",
        "ocr_model_dir": reader.optional_path("OCR_MODEL_DIR"),
        "ocr_prefilter": reader.boolean("OCR_PREFILTER", default=True),
        "face_engine": reader.choice("FACE_ENGINE", "auto", faces),
        "face_model": reader.raw("FACE_MODEL") or "buffalo_l",
        "face_model_dir": reader.optional_path("FACE_MODEL_DIR"),
        "face_min_size": reader.integer("FACE_MIN_SIZE", 24, 0, 1000),
        "people_naming": reader.boolean("PEOPLE_NAMING", default=True),
        "people_priors": _people_priors(reader),
        "descriptions": reader.boolean("DESCRIPTIONS", default=False),
        "description_model": reader.raw("DESCRIPTION_MODEL") or "HuggingFaceTB/SmolVLM-500M-Instruct",
        "description_model_dir": reader.optional_path("DESCRIPTION_MODEL_DIR"),
    }


def _people_priors(reader: VariableReader) -> tuple[str, ...]:
    kinds = reader.words("PEOPLE_PRIORS", PEOPLE_PRIORS)
    unknown = [kind for kind in kinds if kind not in PEOPLE_PRIORS]
    if kinds == ("none",):
        return ()
    if unknown:
        allowed = f"{', '.join(unknown)} is not known; there are {', '.join(PEOPLE_PRIORS)}, or none"
        reader.refuse("PEOPLE_PRIORS", ",".join(kinds), allowed)
    return tuple(dict.fromkeys(kinds))


def _tag_list(reader: VariableReader) -> str:
    value = reader.raw("TAG_LIST") or "everyday"
    return value if value in ("everyday", "none") else str(reader.resolve(value))


def _openclip_model(reader: VariableReader) -> str:
    name = reader.raw("OPENCLIP_MODEL") or "ViT-H-14/laion2b_s32b_b79k"
    if not re.fullmatch(r"[\w.+-]+/[\w.+-]+", name):
        reader.refuse("OPENCLIP_MODEL", name, "<model>/<weights> is needed, such as ViT-B-32/openai")
    return name


def _database_url(reader: VariableReader) -> str | None:
    url = reader.secret("DATABASE_URL")
    if url is not None and not re.match(r"(postgres|postgresql|pgsql|psql)://", url):
        # The value holds a password: the message shows the scheme alone.
        reader.refuse(
            "DATABASE_URL", url.split(":", 1)[0] + ":…", "postgres://user:password@host:5432/name is needed"
        )
    return url


def _formats(reader: VariableReader) -> tuple[str, ...]:
    formats = tuple(word.lower().lstrip(".") for word in reader.words("SUPPORTED_FORMATS", DEFAULT_FORMATS))
    unknown = [name for name in formats if name not in DEFAULT_FORMATS]
    if unknown:
        allowed = f"{', '.join(unknown)} cannot be read; known are {', '.join(DEFAULT_FORMATS)}"
        reader.refuse("SUPPORTED_FORMATS", ",".join(formats), allowed)
    return tuple(dict.fromkeys(formats))


def _origins(reader: VariableReader) -> tuple[str, ...]:
    origins = reader.words("CSRF_TRUSTED_ORIGINS", ())
    for origin in origins:
        if not re.match(r"https?://[^/]+$", origin):
            reader.refuse(
                "CSRF_TRUSTED_ORIGINS", origin, "https://photos.example.org is the form that is needed"
            )
    return origins


def _mirrors(reader: VariableReader) -> tuple[str, ...]:
    mirrors = reader.words("MODEL_MIRRORS", ())
    for mirror in mirrors:
        if not re.match(r"https?://[^/\s]+", mirror):
            reader.refuse("MODEL_MIRRORS", mirror, "https://mirror.example.org is the form that is needed")
    return tuple(mirror.rstrip("/") for mirror in mirrors)


def _root_map(reader: VariableReader) -> tuple[tuple[bytes, bytes], ...]:
    """Pairs of a folder as the database knows it and the same folder as this machine sees it."""
    value = reader.raw("ROOT_MAP") or ""
    pairs = [part.partition("=") for part in value.split(";") if part.strip()]
    folders = [(known.strip(), equals, here.strip()) for known, equals, here in pairs]
    if not all(equals and known.startswith("/") and here.startswith("/") for known, equals, here in folders):
        form = (
            "/path/in/the/library=/path/on/this/machine is the form that is needed, several with ';' between"
        )
        reader.refuse("ROOT_MAP", value, form)
        return ()
    for side, position in (("left", 0), ("right", 2)):
        if len({pair[position] for pair in folders}) < len(folders):
            reader.refuse("ROOT_MAP", value, f"a folder stands twice on the {side} of '='")
    return tuple((_folder_bytes(known), _folder_bytes(here)) for known, _, here in folders)


def _folder_bytes(path: str) -> bytes:
    return os.fsencode(os.path.normpath(path))


def _machine_name(reader: VariableReader) -> str:
    name = reader.raw("MACHINE_NAME") or re.sub(r"[^\w.-]", "-", socket.gethostname())
    if not re.fullmatch(r"[\w.-]{1,100}", name):
        reader.refuse(
            "MACHINE_NAME", name, "letters, digits, '.', '-' and '_' are allowed, at most 100 of them"
        )
    return name


def _time_zone(reader: VariableReader) -> str:
    name = reader.raw("TIME_ZONE") or "UTC"
    if name not in available_timezones() | {"UTC"}:
        reader.refuse("TIME_ZONE", name, "a name of the time zone database is needed, such as Europe/Berlin")
        return "UTC"
    return name


def _language(reader: VariableReader) -> str:
    code = (reader.raw("LANGUAGE_CODE") or "en-us").lower()
    if code not in LANG_INFO and code.split("-")[0] not in LANG_INFO:
        reader.refuse("LANGUAGE_CODE", code, "a language code is needed, such as en-us or de")
    return code


def _hold_together(reader: VariableReader, environment: Environment) -> None:
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
