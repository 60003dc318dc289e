"""The processes of an installation on one machine: the web server and a worker cluster for each lane."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

from django.conf import settings

from ingest.pipeline import LANES
from photos_project.supervisor import ChildSpec, Supervisor

WSGI = "photos_project.wsgi:application"


def children() -> list[ChildSpec]:
    """What is started, in order."""
    logs = Path(settings.DATA_DIR) / "logs"
    manage = str(settings.BASE_DIR / "manage.py")
    gunicorn = shutil.which("gunicorn", path=str(Path(sys.executable).parent)) or "gunicorn"
    config = str(settings.BASE_DIR / "gunicorn.conf.py")
    web = ChildSpec("web", (gunicorn, "-c", config, WSGI), log_file=logs / "web.log")
    clusters = [
        ChildSpec(
            lane,
            (sys.executable, manage, "qcluster", "--name", lane),
            environment={"Q_CLUSTER_NAME": lane},
            stop_seconds=30.0,
            log_file=logs / f"{lane}.log",
        )
        for lane in LANES
    ]
    return [web, *clusters]


def make_supervisor() -> Supervisor:
    """A supervisor of these processes; its books lie in the data folder."""
    return Supervisor(children(), run_dir=Path(settings.DATA_DIR) / "run")
