"""The people floor: who is in a photo."""

from __future__ import annotations

from django.apps import AppConfig


class PeopleConfig(AppConfig):
    """App configuration."""

    name = "people"
    default_auto_field = "django.db.models.BigAutoField"
