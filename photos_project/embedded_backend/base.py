"""The database wrapper Django looks for: connects like its parent, after making sure that the server runs.

So whatever needs the database starts the server (a command, the web server, a shell), and what does not need
it (``help``, ``check``) does not. A server that was killed is up again at the next connection.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import psycopg
from django.db.backends.postgresql import base

from photos_project import embedded_postgres


class DatabaseWrapper(base.DatabaseWrapper):
    """``EMBEDDED_DATA_DIR`` beside NAME and HOST in DATABASES says whose server it is."""

    def get_new_connection(self, conn_params: dict[str, Any]) -> Any:
        """Start the server when it does not run, then connect.

        A server that cannot be started is an outage to whoever asks, such as one that cannot be reached.
        """
        try:
            embedded_postgres.ensure_running(Path(self.settings_dict["EMBEDDED_DATA_DIR"]))
        except embedded_postgres.EmbeddedPostgresError as error:
            raise psycopg.OperationalError(str(error)) from error
        return super().get_new_connection(conn_params)
