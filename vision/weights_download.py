"""Fetching weights: resumable, checked while they come, and never half a file under a real name.

Only the standard library is used: it takes proxies from the environment and certificates from the system, and
the lean install needs no HTTP package of its own (those in the lock file belong to other packages).

A file grows as ``<name>.part``. Beside it ``<name>.part.json`` keeps the server's validator, so that a later
run asks for the rest only of the same file (RFC 9110, section 13.1.5: If-Range). When it is whole and its
sha256 is right it gets its name and its row in ``.weights.json``.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import json
import os
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit

from vision.errors import VisionError
from vision.weights import (
    RECORD,
    Model,
    WeightFile,
    WeightsDamaged,
    digest,
    part_of,
    present,
    read_record,
)
from vision.weights_http import Broken, Fetch, Patience, Refused, Unreachable

MARGIN = 256 * 1024 * 1024
"""Bytes that stay free on the disk: the database shares it."""

Progress = Callable[[WeightFile, int, int | None], object]
"""Called with the file, the bytes of it that are there, and its size (None while unknown)."""


class DownloadFailed(VisionError):  # noqa: N818
    """Weights could not be fetched; says why and what helps."""


class Offline(DownloadFailed):
    """No source can be reached from here; says what to copy where."""


class DiskFull(DownloadFailed):
    """There is not enough room."""


@dataclass(frozen=True, slots=True)
class Downloader:
    """Fetches models into ``cache_dir``; ``mirrors`` are asked before the sources of the manifest."""

    cache_dir: Path
    mirrors: Sequence[str] = ()
    patience: Patience = Patience()
    progress: Progress | None = None
    sleep: Callable[[float], object] = time.sleep

    def get(self, model: Model) -> list[str]:
        """Make the model whole: fetch what is missing, fetch again what is damaged. Returns what was fetched.

        Files that a person placed are kept when they are what the manifest wants; then no network is needed.
        Raises Offline, DiskFull or another DownloadFailed; what has come stays, the next call goes on there.
        """
        folder = model.folder(self.cache_dir)
        try:
            folder.mkdir(parents=True, exist_ok=True)
            with _alone(folder, model):
                wanted = [file for file in model.files if not self._keep(file, model)]
                self._room(folder, sum(_still_to_come(file, folder) for file in wanted))
                for file in wanted:
                    self._get_file(file, model)
        except OSError as error:
            raise _writing_failed(folder, error) from error
        return [file.path for file in wanted]

    def _keep(self, file: WeightFile, model: Model) -> bool:
        """Whether the file on disk is right; one that is not in the record yet gets its row."""
        folder = model.folder(self.cache_dir)
        try:
            row = read_record(folder).get(file.path)
        except WeightsDamaged:
            (folder / RECORD).unlink()
            row = None
        if file.path not in present(model, self.cache_dir):
            return False
        found = digest(folder / file.path)
        if found not in {file.sha256 or found} & {row["sha256"] if row else found}:
            return False
        if row is None:
            _write_row(model, folder, file.path, found, "placed by hand")
        return True

    def _get_file(self, file: WeightFile, model: Model) -> None:
        """From the first source that gives it."""
        addresses = file.addresses(self.mirrors)
        problems: list[str] = []
        silent: set[str] = set()
        reachable = False
        for address in addresses:
            host = urlsplit(address).netloc
            if host in silent:
                continue
            try:
                self._from(address, file, model)
            except Unreachable as error:
                silent.add(host)
                problems.append(f"  {address}: {error}")
            except (Refused, Broken) as error:
                problems.append(f"  {address}: {error}")
                reachable = True
            else:
                return
        reasons = "\n".join(problems)
        if not reachable:
            raise Offline(
                f"No source of {model.id} can be reached:\n{reasons}\n{by_hand(model, self.cache_dir)}"
            )
        raise DownloadFailed(
            f"{file.path} of {model.id} could not be fetched:\n{reasons}\n"
            f"What has come is kept. Try again with `{model.command}`, or set MODEL_MIRRORS."
        )

    def _from(self, address: str, file: WeightFile, model: Model) -> None:
        """From one address, as often as it helps. Raises Unreachable, Refused or Broken when it does not."""
        folder = model.folder(self.cache_dir)
        fetch = Fetch(
            address,
            part_of(folder / file.path),
            size=file.size,
            sha256=file.sha256,
            patience=self.patience,
            progress=lambda done, total: self.progress and self.progress(file, done, total),
            room=lambda size: self._room(folder, size),
        )
        failures, furthest = 0, 0
        while True:
            try:
                sha256 = fetch.run()
                break
            except (Broken, Unreachable) as error:
                failures = 0 if fetch.reached > furthest else failures + 1
                furthest = max(furthest, fetch.reached)
                hopeless = isinstance(error, Unreachable) and not fetch.answered
                if hopeless or failures >= self.patience.attempts:
                    raise
                pause = min(self.patience.backoff_seconds * 2**failures, self.patience.longest_pause_seconds)
                self.sleep(max(pause, min(fetch.retry_after, self.patience.longest_pause_seconds)))
        os.replace(part_of(folder / file.path), folder / file.path)  # noqa: PTH105 - says that it replaces
        fetch.forget()
        _write_row(model, folder, file.path, sha256, address)

    def _room(self, folder: Path, needed: int) -> None:
        free = shutil.disk_usage(folder).free
        if needed and needed + MARGIN > free:
            raise DiskFull(
                f"{folder} has {free / 1e6:,.0f} MB free; {needed / 1e6:,.0f} MB are to come and "
                f"{MARGIN / 1e6:,.0f} MB are to stay free. Make room, or set MODEL_CACHE_DIR to another disk."
            )


def by_hand(model: Model, cache_dir: Path) -> str:
    """What to copy where when this machine has no network."""
    folder = model.folder(cache_dir)
    lines = "\n".join(f"  {file.addresses()[0]}\n    to {folder / file.path}" for file in model.files)
    return (
        f"Without a network here, fetch these files on another machine and copy them:\n{lines}\n"
        f"Then run `{model.command}` again: it checks them. If there is a mirror, set MODEL_MIRRORS; "
        "if there is a proxy, set HTTPS_PROXY."
    )


def _still_to_come(file: WeightFile, folder: Path) -> int:
    part = part_of(folder / file.path)
    return max((file.size or 0) - (part.stat().st_size if part.exists() else 0), 0)


def _write_row(model: Model, folder: Path, name: str, sha256: str, source: str) -> None:
    """Add a file to the record; the record is replaced as a whole."""
    rows = read_record(folder)
    size = (folder / name).stat().st_size
    when = datetime.now(UTC).isoformat(timespec="seconds")
    rows[name] = {"size": size, "sha256": sha256, "source": source, "recorded": when}
    draft = folder / f"{RECORD}.new"
    draft.write_text(json.dumps({"model": model.id, "files": rows}, indent=1), encoding="utf-8")
    draft.replace(folder / RECORD)


@contextlib.contextmanager
def _alone(folder: Path, model: Model) -> Iterator[None]:
    """One download of a model at a time; the lock ends with the process."""
    with (folder / ".lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise DownloadFailed(f"{model.id} is being downloaded by another process already.") from error
        yield


def _writing_failed(folder: Path, error: OSError) -> DownloadFailed:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return DiskFull(f"The disk of {folder} is full. Make room, or set MODEL_CACHE_DIR to another disk.")
    return DownloadFailed(f"{folder} cannot be written ({error}). Set MODEL_CACHE_DIR to a folder that can.")
