"""The search floor: how a photo is found."""

from __future__ import annotations

from django.apps import AppConfig


class SearchConfig(AppConfig):
    """App configuration."""

    name = "search"
    default_auto_field = "django.db.models.BigAutoField"
