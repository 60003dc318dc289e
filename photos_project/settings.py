"""Django's settings. What a person can change comes from ``photos_project.env``, under the same names."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import environ

from photos_project import data_folder, embedded_postgres, env
from photos_project import logging as project_logging

BASE_DIR = Path(__file__).resolve().parent.parent
ENVIRONMENT = env.load(BASE_DIR)

# --- Folders -----------------------------------------------------------------------------------------------

PHOTOS_DIR = ENVIRONMENT.photos_dir
ROOT_MAP = ENVIRONMENT.root_map
DATA_DIR = ENVIRONMENT.data_dir
MODEL_CACHE_DIR = ENVIRONMENT.model_cache_dir
THUMBNAIL_DIR = ENVIRONMENT.thumbnail_dir
data_folder.prepare(DATA_DIR, ENVIRONMENT.static_dir)

# --- Pictures and what is done with them -------------------------------------------------------------------

THUMBNAIL_SIZE = ENVIRONMENT.thumbnail_size
PREVIEW_SIZE = ENVIRONMENT.preview_size
SUPPORTED_FORMATS = ENVIRONMENT.supported_formats
EXCLUDED_FOLDERS = ENVIRONMENT.excluded_folders
INCLUDE_HIDDEN = ENVIRONMENT.include_hidden
MAX_PIXELS = ENVIRONMENT.max_pixels
MAX_FILE_SIZE = ENVIRONMENT.max_file_size
DUPLICATE_THRESHOLD = ENVIRONMENT.duplicate_threshold
SAME_PICTURE_THRESHOLD = ENVIRONMENT.same_picture_threshold

DEVICE = ENVIRONMENT.device
MODEL_PRECISION = ENVIRONMENT.model_precision
EMBEDDER = ENVIRONMENT.embedder
CLIP_ONNX_DIR = ENVIRONMENT.clip_onnx_dir
OPENCLIP_MODEL = ENVIRONMENT.openclip_model
OPENCLIP_CHECKPOINT = ENVIRONMENT.openclip_checkpoint
LOCAL_CROPS = ENVIRONMENT.local_crops
TAGGER = ENVIRONMENT.tagger
TAG_LANGUAGE = ENVIRONMENT.tag_language
TAG_LIST = ENVIRONMENT.tag_list
TAGS_PER_PHOTO = ENVIRONMENT.tags_per_photo
READER = ENVIRONMENT.reader
OCR_LANGUAGE = ENVIRONMENT.ocr_language
OCR_MODEL_DIR = ENVIRONMENT.ocr_model_dir
OCR_PREFILTER = ENVIRONMENT.ocr_prefilter
FACE_ENGINE = ENVIRONMENT.face_engine
FACE_MODEL = ENVIRONMENT.face_model
FACE_MODEL_DIR = ENVIRONMENT.face_model_dir
FACE_MIN_SIZE = ENVIRONMENT.face_min_size
PEOPLE_NAMING = ENVIRONMENT.people_naming
PEOPLE_PRIORS = ENVIRONMENT.people_priors
DESCRIPTIONS = ENVIRONMENT.descriptions
DESCRIPTION_MODEL = ENVIRONMENT.description_model
DESCRIPTION_MODEL_DIR = ENVIRONMENT.description_model_dir
MODEL_THREADS = ENVIRONMENT.model_threads
DOWNLOAD_MODELS = ENVIRONMENT.download_models
MODEL_MIRRORS = ENVIRONMENT.model_mirrors
ACCEPT_NON_COMMERCIAL = ENVIRONMENT.accept_non_commercial
TAG_MIN_CONFIDENCE = ENVIRONMENT.tag_min_confidence
OCR_MIN_CONFIDENCE = ENVIRONMENT.ocr_min_confidence
FACE_MIN_CONFIDENCE = ENVIRONMENT.face_min_confidence

BATCH_SIZE = ENVIRONMENT.batch_size
SLICE_SECONDS = ENVIRONMENT.slice_seconds
LEASE_SECONDS = ENVIRONMENT.lease_seconds
FILES_WORKERS = ENVIRONMENT.files_workers
WATCH = ENVIRONMENT.watch
WATCH_POLL_SECONDS = ENVIRONMENT.watch_poll_seconds
SETTLE_SECONDS = ENVIRONMENT.settle_seconds
NIGHTLY_SCAN_HOUR = ENVIRONMENT.nightly_scan_hour
HEARTBEAT_SECONDS = ENVIRONMENT.heartbeat_seconds
MACHINE_NAME = ENVIRONMENT.machine_name

OWNER_USERNAME = ENVIRONMENT.owner_username
OWNER_PASSWORD = ENVIRONMENT.owner_password
METRICS_TOKEN = ENVIRONMENT.metrics_token

# --- Web ---------------------------------------------------------------------------------------------------

HOST = ENVIRONMENT.host
PORT = ENVIRONMENT.port
DEBUG = ENVIRONMENT.debug
SECRET_KEY = ENVIRONMENT.secret_key or data_folder.secret_key(DATA_DIR)
UPLOADS = ENVIRONMENT.uploads
UPLOAD_QUOTA = ENVIRONMENT.upload_quota
UPLOAD_MIN_FREE = ENVIRONMENT.upload_min_free
UPLOAD_KEEP_DAYS = ENVIRONMENT.upload_keep_days
# This machine itself may always ask: health checks of containers do.
ALLOWED_HOSTS = [*ENVIRONMENT.allowed_hosts, *({HOST, "localhost", "127.0.0.1"} - {"0.0.0.0", "::"})]  # noqa: S104
CSRF_TRUSTED_ORIGINS = list(ENVIRONMENT.csrf_trusted_origins)
ROOT_URLCONF = "photos_project.urls"
WSGI_APPLICATION = "photos_project.wsgi.application"

INSTALLED_APPS = [
    "ingest.apps.IngestConfig",
    "search.apps.SearchConfig",
    "people.apps.PeopleConfig",
    "library.apps.LibraryConfig",
    "photos_project.apps.ProjectConfig",
    "django_htmx",
    "django_q",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.postgres",
    "whitenoise.runserver_nostatic",
    "django.contrib.staticfiles",
]

MIDDLEWARE = [
    "photos_project.middleware.security_headers",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "photos_project.middleware.no_nul",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "photos_project.middleware.NoNulInForms",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "photos_project.middleware.htmx_login",
    "django.contrib.auth.middleware.LoginRequiredMiddleware",
]

TEMPLATES: list[dict[str, Any]] = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]

LOGIN_URL = "login"
LOGIN_REDIRECT_URL = "/"
LOGOUT_REDIRECT_URL = "login"
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in ("UserAttributeSimilarityValidator", "MinimumLengthValidator", "CommonPasswordValidator")
]

# Cookies know no ports: without a name of its own, a second copy on this machine would end our sessions.
SESSION_COOKIE_NAME = f"heirloom_session_{PORT}"
CSRF_COOKIE_NAME = f"heirloom_csrf_{PORT}"
SESSION_COOKIE_AGE = 60 * 60 * 24 * 30
CSRF_COOKIE_HTTPONLY = True

SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
HTTPS = ENVIRONMENT.https
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = HTTPS
if HTTPS:
    # A reverse proxy ends TLS; it must set this header itself and drop the client's (ours in Caddyfile does).
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
    SECURE_SSL_REDIRECT = True
    SECURE_REDIRECT_EXEMPT = [r"^health$", r"^metrics$"]  # machines ask past the proxy
    # For this host only: what else a family's domain serves, and for how long, is not ours to decide.
    SECURE_HSTS_SECONDS = 60 * 60 * 24 * 30
    SILENCED_SYSTEM_CHECKS = ["security.W005", "security.W021"]

# --- Static files ------------------------------------------------------------------------------------------

STATIC_URL = "/static/"
STATIC_ROOT = ENVIRONMENT.static_dir
STATICFILES_DIRS = [BASE_DIR / "static"]
# With `collectstatic` files get hashed names and are cached for ever; without it they are served as they lie.
_COLLECTING = sys.argv[1:2] == ["collectstatic"]
STATIC_COLLECTED = not DEBUG and (_COLLECTING or (STATIC_ROOT / "staticfiles.json").exists())
WHITENOISE_USE_FINDERS = not STATIC_COLLECTED
WHITENOISE_ALLOW_ALL_ORIGINS = False
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {
        "BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"
        if STATIC_COLLECTED
        else "django.contrib.staticfiles.storage.StaticFilesStorage"
    },
}

# --- Database and work -------------------------------------------------------------------------------------


def _database() -> dict[str, Any]:
    """DATABASE_URL, or the embedded server of the data folder, which the first connection starts."""
    common = {"CONN_MAX_AGE": 60, "CONN_HEALTH_CHECKS": True}
    if ENVIRONMENT.database_url:
        parsed = environ.Env.db_url_config(ENVIRONMENT.database_url)
        # A server whose machine is off would be waited for by the minute.
        options = {"connect_timeout": 10, **parsed.get("OPTIONS", {})}
        host = unquote(parsed["HOST"])  # a socket's folder comes as %2Frun%2F…
        return {**parsed, "HOST": host, "OPTIONS": options, **common}
    server = embedded_postgres.connection_parameters(DATA_DIR)
    return {
        "ENGINE": "photos_project.embedded_backend",
        "EMBEDDED_DATA_DIR": str(DATA_DIR),
        "HOST": server.host,
        "PORT": str(server.port),
        "USER": server.user,
        "NAME": server.dbname,
        **common,
    }


DATABASES = {"default": _database()}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# A task is a time slice; one that takes half an hour longer than that hangs and is killed. `retry` must be
# later than `timeout`, or the broker would hand a running task to a second worker.
_TASK_TIMEOUT = SLICE_SECONDS + 1800
Q_CLUSTER: dict[str, Any] = {
    "name": "heirloom",
    "orm": "default",
    "broker_class": "ingest.broker.LaneBroker",
    "poll": 0.5,
    "timeout": _TASK_TIMEOUT,
    "retry": _TASK_TIMEOUT + 600,
    "max_attempts": 1,
    "ack_failures": True,
    "save_limit": -1,
    "catch_up": False,
    "recycle": 200_000,  # signs of life count as tasks, one every five seconds: about twelve days
    "workers": 1,
    "label": "Task queue",
    "ALT_CLUSTERS": {
        "files": {"workers": FILES_WORKERS, "queue_limit": FILES_WORKERS},
        "models": {"workers": 1, "queue_limit": 1},
    },
}

# --- Search -------------------------------------------------------------------------------------------------

SEARCH_WORDS_WEIGHT = ENVIRONMENT.search_words_weight
SEARCH_MEANING_WEIGHT = ENVIRONMENT.search_meaning_weight

# --- Language, time, logs ----------------------------------------------------------------------------------

LANGUAGE_CODE = ENVIRONMENT.language_code
TIME_ZONE = ENVIRONMENT.time_zone
HEMISPHERE = ENVIRONMENT.hemisphere
USE_TZ = True
LOG_LEVEL = ENVIRONMENT.log_level
LOGGING = project_logging.configure(LOG_LEVEL, ENVIRONMENT.log_format)
