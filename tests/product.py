"""Run the product as a person does: its commands as processes, with a data folder of their own."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
import psycopg

from photos_project import embedded_postgres

PROJECT = Path(__file__).resolve().parent.parent
ASSETS = PROJECT.parent / "shared" / "assets"
OURS = ("DATABASE_URL", "DATABASE_URL_FILE", "CLIP_ONNX_DIR", "PHOTOS_DIR")


def free_port() -> int:
    """A port of the loopback interface that nobody uses at the moment."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


@dataclass
class Installation:
    """One installation of Heirloom with its own data folder and embedded PostgreSQL."""

    data_dir: Path
    settings: dict[str, str] = field(default_factory=dict)
    port: int = field(default_factory=free_port)
    #: The data folder whose embedded server is used; another one's for a library with a DATABASE_URL.
    server: Path | None = None
    _started: list[subprocess.Popen[bytes]] = field(default_factory=list)

    @property
    def environment(self) -> dict[str, str]:
        """Nothing of this test run's own environment reaches the product."""
        clean = {name: value for name, value in os.environ.items() if name not in OURS}
        own = {"ENV_FILE": os.devnull, "DATA_DIR": str(self.data_dir), "PORT": str(self.port)}
        quiet = {"LOG_LEVEL": "ERROR", "OWNER_PASSWORD": "family-album", "DOWNLOAD_MODELS": "0"}
        return clean | own | quiet | self.settings

    def command(self, *arguments: str) -> list[str]:
        """The command line of a management command."""
        return [sys.executable, str(PROJECT / "manage.py"), *arguments]

    def manage(self, *arguments: str, timeout: float = 400) -> str:
        """Run a management command to its end and return what it printed."""
        done = subprocess.run(
            self.command(*arguments), env=self.environment, capture_output=True, text=True, timeout=timeout
        )
        assert done.returncode == 0, done.stderr[-4000:]
        return done.stdout

    def json(self, *arguments: str) -> Any:
        """The same for commands that print JSON."""
        return json.loads(self.manage(*arguments, "--json"))

    def start(self, *arguments: str) -> subprocess.Popen[bytes]:
        """Start a command that goes on until it is stopped, in a process group of its own."""
        self.data_dir.mkdir(parents=True, exist_ok=True)
        with self._output.open("ab") as output:
            process = subprocess.Popen(
                self.command(*arguments),
                env=self.environment,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        self._started.append(process)
        return process

    @property
    def _output(self) -> Path:
        return self.data_dir.parent / f"{self.data_dir.name}.out"

    def printed(self) -> str:
        """What started commands have printed so far."""
        return self._output.read_text(errors="replace")

    def query(self, sql: str) -> list[tuple[Any, ...]]:
        """Rows straight from the installation's database."""
        server = self.server or self.data_dir
        parameters = embedded_postgres.ensure_running(server)
        try:
            with psycopg.connect(parameters.url()) as connection:
                return connection.execute(sql).fetchall()
        finally:
            if self.server is None:
                embedded_postgres.release(server)

    def remove(self) -> None:
        """End what still runs, stop its server and delete what it holds."""
        for process in self._started:
            if process.poll() is None:
                for member in family(process):
                    member.kill()
                process.wait()
        embedded_postgres.remove(self.server or self.data_dir)


def digests(folder: Path) -> dict[str, tuple[str, int]]:
    """SHA-256 and time of change of every file below a folder."""
    files = [path for path in sorted(folder.rglob("*")) if path.is_file()]
    hashes = [hashlib.sha256(path.read_bytes()).hexdigest() for path in files]
    return {
        str(path.relative_to(folder)): (digest, path.stat().st_mtime_ns)
        for path, digest in zip(files, hashes, strict=True)
    }


def wait_for(condition: Any, seconds: float, what: str) -> None:
    """Poll until the condition holds."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"Waited {seconds} s in vain for {what}."
        time.sleep(0.2)


def interrupt(process: subprocess.Popen[bytes], seconds: float = 60) -> int:
    """What Ctrl-C does; returns the exit status."""
    process.send_signal(signal.SIGINT)
    return process.wait(seconds)


def family(process: subprocess.Popen[bytes]) -> list[psutil.Process]:
    """The process and everything it has started."""
    top = psutil.Process(process.pid)
    return [top, *top.children(recursive=True)]
