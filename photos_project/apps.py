"""The project as an app of its own: a place for the system checks."""

from __future__ import annotations

from django.apps import AppConfig


class ProjectConfig(AppConfig):
    """Registers the checks of the installation."""

    name = "photos_project"

    def ready(self) -> None:
        """Importing the module registers its checks."""
        from photos_project import checks  # noqa: F401
