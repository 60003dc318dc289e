"""The ingest floor: how a file becomes a findable photo."""

from __future__ import annotations

from django.apps import AppConfig


class IngestConfig(AppConfig):
    """App configuration."""

    name = "ingest"
    default_auto_field = "django.db.models.BigAutoField"
