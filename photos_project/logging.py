"""Structured logs on stderr: one JSON object a line, or coloured lines for a person at a terminal.

``get_logger(__name__).info("step.finished", photo=7, step="ocr", milliseconds=812)``: the event is a fixed
name, everything that varies is a field. Loggers of the standard library (Django, gunicorn, django-q2) come
out in the same form.
"""

from __future__ import annotations

import logging
import sys
from typing import Any

import structlog
from structlog.typing import Processor

from photos_project.env import LogFormat


def get_logger(name: str) -> structlog.stdlib.BoundLogger:
    """The logger of a module; fields can be bound to it: ``log.bind(photo=7)``."""
    return structlog.stdlib.get_logger(name)


def _shared_processors() -> list[Processor]:
    return [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.stdlib.ExtraAdder(),
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.StackInfoRenderer(),
    ]


def _formatter(log_format: LogFormat) -> dict[str, Any]:
    """The ``logging.config`` description of the formatter that writes a line."""
    ending: list[Processor]
    if log_format == "json":
        ending = [structlog.processors.dict_tracebacks, structlog.processors.JSONRenderer(default=str)]
    else:
        ending = [structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())]
    return {
        "()": structlog.stdlib.ProcessorFormatter,
        "foreign_pre_chain": _shared_processors(),
        "processors": [structlog.stdlib.ProcessorFormatter.remove_processors_meta, *ending],
    }


def without_beats(record: logging.LogRecord) -> bool:
    """Signs of life pass through the clusters all the time; only what goes wrong is worth a line."""
    return record.levelno > logging.INFO or "ingest.heartbeat.beat" not in record.getMessage()


def configure(level: str, log_format: LogFormat) -> dict[str, Any]:
    """Set structlog up and return the dictionary for Django's LOGGING (and gunicorn's ``logconfig_dict``)."""
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            structlog.stdlib.PositionalArgumentsFormatter(),
            *_shared_processors(),
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    own_handler = {"handlers": ["stderr"], "level": level, "propagate": False}
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"line": _formatter(log_format)},
        "handlers": {
            "stderr": {"class": "logging.StreamHandler", "stream": "ext://sys.stderr", "formatter": "line"}
        },
        "filters": {"without_beats": {"()": lambda: without_beats}},
        "root": {"handlers": ["stderr"], "level": level},
        "loggers": {
            # Django and gunicorn bring handlers of their own, which would write each line twice.
            "django": {"handlers": [], "level": level, "propagate": True},
            "django.server": {"handlers": [], "level": level, "propagate": True},
            "django-q": {"filters": ["without_beats"], "level": level, "propagate": True},
            "gunicorn.error": own_handler,
            "gunicorn.access": own_handler | {"level": "DEBUG" if level == "DEBUG" else "WARNING"},
            # Decoders tell every oddity of every file; the ledger records what matters.
            "PIL": {"level": "WARNING"},
            "exifread": {"level": "CRITICAL"},
            "asyncio": {"level": "WARNING"},
        },
    }
