"""The library floor: what a photo is, where its bytes lie, and what the engines said about it."""

from __future__ import annotations

from django.apps import AppConfig


class LibraryConfig(AppConfig):
    """App configuration."""

    name = "library"
    default_auto_field = "django.db.models.BigAutoField"
