"""The data folder: made at first use, and home of the secret key that nobody had to invent."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

from photos_project.variables import SettingError

SECRET_KEY_BYTES = 64


def prepare(data_dir: Path, static_dir: Path) -> None:
    """Make the data folder and the one for collected static files.

    Others may not list the data folder. As root they may pass through it, as the embedded PostgreSQL runs
    under another user. Raises SettingError when it cannot be made.
    """
    if not data_dir.exists():
        _make(data_dir, "DATA_DIR", 0o711 if os.getuid() == 0 else 0o700)
    if not static_dir.exists():
        _make(static_dir, "STATIC_DIR", 0o755)


def _make(folder: Path, variable: str, mode: int) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        folder.chmod(mode)
    except OSError as error:
        raise SettingError(f"{variable}={str(folder)!r}: the folder cannot be made ({error})") from error


def secret_key(data_dir: Path) -> str:
    """The key of this installation: generated once, kept in ``secret_key``, readable by its owner alone."""
    file = data_dir / "secret_key"
    try:
        if not file.exists():
            _write_once(file, secrets.token_urlsafe(SECRET_KEY_BYTES))
        return file.read_text(encoding="ascii").strip()
    except OSError as error:
        message = f"SECRET_KEY is not set, and {file} cannot be read or written ({error})"
        raise SettingError(message) from error


def _write_once(file: Path, content: str) -> None:
    """Complete or not at all, and never over the key of a process that was faster."""
    partial = file.with_name(f"{file.name}.{os.getpid()}")
    descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="ascii") as stream:
        stream.write(content)
    try:
        os.link(partial, file)  # unlike a rename it refuses to replace
    except FileExistsError:
        return
    finally:
        partial.unlink(missing_ok=True)
