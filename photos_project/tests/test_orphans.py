"""What outlives a killed supervisor, with small real processes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from photos_project.tests.test_supervisor import alive, until

#: A leader with a worker, both deaf to SIGTERM: what a hanging cluster looks like.
HANGING = """
import os, pathlib, signal, sys, time
from photos_project.orphans import end_without_parent
signal.signal(signal.SIGTERM, signal.SIG_IGN)
watched = end_without_parent(0.2)
worker = os.fork()
if worker:
    pathlib.Path(sys.argv[1]).write_text(f"{watched} {os.getpid()} {worker}")
time.sleep(600)
"""
SUPERVISOR = """
import subprocess, sys, time
subprocess.Popen([sys.executable, "-c", sys.argv[1], sys.argv[2]], start_new_session=True)
time.sleep(600)
"""


@pytest.mark.parametrize("leader_first", [False, True], ids=["hanging", "leaderless"])
def test_a_cluster_ends_after_its_supervisor(tmp_path: Path, *, leader_first: bool) -> None:
    told = tmp_path / "pids"
    pids: list[str] = []
    try:
        with subprocess.Popen([sys.executable, "-c", SUPERVISOR, HANGING, str(told)]) as parent:
            try:
                until(lambda: told.exists() and told.read_text())
                watched, *pids = told.read_text().split()
                if leader_first:
                    os.kill(int(pids[0]), signal.SIGKILL)
            finally:
                parent.kill()
        assert watched == "True"
        until(lambda: not any(alive(int(pid)) for pid in pids))
    finally:
        for pid in pids:
            if alive(int(pid)):
                psutil.Process(int(pid)).kill()


def test_only_the_leader_of_a_group_watches() -> None:
    command = [
        sys.executable,
        "-c",
        "from photos_project import orphans; print(orphans.end_without_parent(60))",
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
