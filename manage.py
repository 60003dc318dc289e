#!/usr/bin/env python
"""Django's command line. Settings that cannot be used end it with one message instead of a traceback."""

from __future__ import annotations

import os
import sys


def main() -> None:
    """Run the command."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "photos_project.settings")
    try:
        from django.core.management import execute_from_command_line
    except ImportError as error:
        sys.exit(f"No Django in {sys.executable} ({error}): run 'make install', use .venv/bin/python.")

    from photos_project.embedded_postgres import EmbeddedPostgresError
    from photos_project.supervisor import SupervisorError
    from photos_project.variables import SettingError

    try:
        execute_from_command_line(sys.argv)
    except (SettingError, EmbeddedPostgresError, SupervisorError) as error:
        sys.exit(str(error))
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()
