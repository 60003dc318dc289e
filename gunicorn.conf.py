"""How gunicorn serves Heirloom; reads the same settings as everything else."""

from __future__ import annotations

import sys
from pathlib import Path

_base = Path(__file__).resolve().parent
sys.path.insert(0, str(_base))  # gunicorn may be started from anywhere

from photos_project import env  # noqa: E402
from photos_project.logging import configure  # noqa: E402

_environment = env.load(_base)

chdir = str(_base)
wsgi_app = "photos_project.wsgi:application"
bind = f"{_environment.host}:{_environment.port}"
worker_class = "gthread"  # a slow phone that loads fifty thumbnails must not hold up the others
workers = 2
threads = 8
timeout = 60
graceful_timeout = 10
max_requests = 20_000
max_requests_jitter = 2_000
control_socket_disable = True  # it would lie in the home folder, shared by every copy on this machine
worker_tmp_dir = "/dev/shm" if Path("/dev/shm").is_dir() else None  # noqa: S108 - a heartbeat file, no content
logconfig_dict = configure(_environment.log_level, _environment.log_format)
