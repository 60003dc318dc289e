"""The ingest floor: how a file becomes a findable photo."""

from __future__ import annotations

from django.apps import AppConfig
from django.conf import settings


class IngestConfig(AppConfig):
    """App configuration."""

    name = "ingest"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """A worker cluster outlives its supervisor by the slice in hand at most."""
        from ingest import heartbeat
        from photos_project.orphans import end_without_parent

        if heartbeat.is_watched():
            end_without_parent(settings.SLICE_SECONDS + heartbeat.STOP_SECONDS)
