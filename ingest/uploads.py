"""Photos that come through the browser, in pieces, into a root of ours: ``<DATA_DIR>/uploads``.

An upload is a row and a file ``<DATA_DIR>/incoming/<id>.part`` outside of every root; how long that file is
says how much has arrived, so a broken connection or a killed server loses nothing. Once it is whole, its hash
is checked and it is given its name in the root by a link, which never replaces a file.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from io import BufferedRandom
from pathlib import Path

from django.conf import settings
from django.contrib.auth.models import User
from django.db import connection, transaction
from django.http import UnreadablePostError
from django.utils import timezone

from ingest import ledger
from ingest.file_names import numbered, safe_name
from ingest.models import Upload
from ingest.roots import SCAN_LOCK
from ingest.upload_rules import Announced, UploadRefused, check, check_room, root_path
from library.access import photos_for
from library.models import Photo, PhotoFile, Root
from photos_project.logging import get_logger

logger = get_logger(__name__)
ROOT_NAME = "Uploads"
_PIECE = 1 << 20
_MOST_NAMES = 10_000


def known_photo(user: User, sha256: str) -> Photo | None:
    """The photo with this content, if this user may see it and it is there; foreign ones stay secret."""
    if not sha256:
        return None
    there = photos_for(user).filter(sha256=sha256, missing_since=None)
    return there.filter(files__missing_since=None).first()


def begin(user: User, announced: Announced) -> Upload:
    """Make room for a file, or find what has arrived of it already. Raises UploadRefused."""
    name = safe_name(announced.name)
    check(user, name, announced)
    clean_up()
    wanted = Upload.objects.filter(user=user, finished_at=None, name=name, size=announced.size)
    for same in wanted.filter(modified_ms=announced.modified_ms):
        # A hash that only one side knows does not tell them apart; what arrives is hashed in the end.
        if not (same.sha256 and announced.sha256 and same.sha256 != announced.sha256):
            return _with_part(same)
    check_room(user, name, announced.size)
    upload = Upload.objects.create(
        user=user,
        name=name,
        size=announced.size,
        sha256=announced.sha256,
        modified_ms=announced.modified_ms,
    )
    return _with_part(upload)


def _with_part(upload: Upload) -> Upload:
    with _writing(upload.name):
        _incoming().mkdir(parents=True, exist_ok=True, mode=0o700)
        part_path(upload).touch(mode=0o600)
    return upload


def part_path(upload: Upload) -> Path:
    """Where the bytes of an upload lie until it is whole. Its name comes from the id alone."""
    return _incoming() / f"{upload.pk}.part"


def offset(upload: Upload) -> int:
    """How many bytes have arrived."""
    try:
        return upload.size if upload.finished_at else part_path(upload).stat().st_size
    except FileNotFoundError:
        return 0


def append(upload: Upload, at: int, read: Callable[[int], bytes]) -> int:
    """Write what ``read`` gives behind the first ``at`` bytes; returns how many there are then.

    Raises UploadRefused when ``at`` is not where the file ends, when somebody else is writing it, when more
    comes than was announced, or when the disk is full. An error of ``read`` passes through: what came before
    it is kept.
    """
    with _writing(upload.name), _locked_part(upload) as part:
        end = part.seek(0, os.SEEK_END)
        if at != end:
            raise UploadRefused(f"{upload.name}: {end} bytes have arrived, not {at}.", 409)
        while piece := read(_PIECE):
            if end + len(piece) > upload.size:
                raise UploadRefused(f"{upload.name}: more bytes came than were announced.", 413)
            part.write(piece)
            end += len(piece)
        part.flush()
    Upload.objects.filter(pk=upload.pk).update(touched_at=timezone.now())
    return end


def finish(upload: Upload) -> Photo | None:
    """Check a file that is whole and take it into the library.

    Returns the photo when the library had this content already: then the file is dropped. Raises
    UploadRefused when it is not whole or not what was announced.
    """
    with _writing(upload.name), _locked_part(upload) as part:
        if not Upload.objects.filter(pk=upload.pk, finished_at=None).exists():
            raise UploadRefused(f"{upload.name} was finished or forgotten meanwhile.", 410)
        if part.seek(0, os.SEEK_END) != upload.size:
            raise UploadRefused(f"{upload.name} is not whole yet.", 409)
        part.seek(0)
        sha256 = hashlib.file_digest(part, "sha256").hexdigest()
        if upload.sha256 and sha256 != upload.sha256:
            discard(upload)
            raise UploadRefused(f"{upload.name} was damaged on its way. Send it again.", 422)
        modified = _plausible_time(upload.modified_ms)
        os.utime(part.fileno(), (modified, modified))
        os.fsync(part.fileno())
        part_name = part_path(upload)
        known = _enter(upload, sha256)
        part_name.unlink(missing_ok=True)  # the file has its other name by now, or is known
        return known


@transaction.atomic
def _enter(upload: Upload, sha256: str) -> Photo | None:
    """Under the lock of the scans of this root, so that no scan finds the file before its row is there."""
    root = uploads_root()
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s, %s)", [SCAN_LOCK, root.pk])
    known = known_photo(upload.user, sha256)
    if known:
        upload.delete()
        return known
    ledger.lock_books()
    path = _give_name(upload, root)
    try:
        _make_rows(upload, root, path, sha256)
    except BaseException:
        path.unlink()
        raise
    return None


def _make_rows(upload: Upload, root: Root, path: Path, sha256: str) -> None:
    status = path.stat()
    # Content that is there but hidden from this user, or gone: the pipeline puts the two together.
    new = not Photo.objects.filter(sha256=sha256).exists()
    photo = Photo.objects.create(priority=Photo.Priority.UPLOAD, sha256=sha256 if new else None)
    relative = path.relative_to(os.fsdecode(bytes(root.path)))
    upload.file = PhotoFile.objects.create(
        root=root,
        photo=photo,
        relative_path=os.fsencode(relative),
        display_path=str(relative),
        size=status.st_size,
        mtime_ns=status.st_mtime_ns,
        seen_at=timezone.now(),
    )
    upload.sha256, upload.finished_at = sha256, timezone.now()
    upload.save()
    logger.info("upload.finished", photo=photo.pk, size=upload.size)


def _give_name(upload: Upload, root: Root) -> Path:
    """Link the part into the root under a free name, and see that the name reaches the disk."""
    folder = Path(os.fsdecode(bytes(root.path))) / timezone.localtime().strftime("%Y/%m")
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(1, _MOST_NAMES):
        path = folder / numbered(upload.name, number)
        try:
            os.link(part_path(upload), path)
        except FileExistsError:
            continue
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        return path
    raise UploadRefused(f"{upload.name}: too many files of this name are in {folder.name} already.", 409)


def discard(upload: Upload) -> None:
    """Forget an upload that is not finished, with what has arrived of it."""
    part_path(upload).unlink(missing_ok=True)
    upload.delete()


def clean_up() -> int:
    """Forget uploads that nobody went on with for UPLOAD_KEEP_DAYS; returns how many."""
    before = timezone.now() - timedelta(days=settings.UPLOAD_KEEP_DAYS)
    old = list(Upload.objects.filter(finished_at=None, touched_at__lt=before))
    for upload in old:
        discard(upload)
    for part in _incoming().glob("*.part"):
        # Parts without a row: their user's account was deleted, or the server died at the wrong moment.
        if part.stat().st_mtime < before.timestamp():
            part.unlink(missing_ok=True)
    return len(old)


def uploads_root() -> Root:
    """The root of uploads; made with its folder at first use."""
    path = root_path()
    os.makedirs(path, mode=0o750, exist_ok=True)  # noqa: PTH103 - bytes
    root, _ = Root.objects.get_or_create(path=path, defaults={"name": ROOT_NAME})
    return root


def _incoming() -> Path:
    return Path(settings.DATA_DIR).resolve() / "incoming"


def _plausible_time(modified_ms: int) -> float:
    now = time.time()
    return modified_ms / 1000 if 0 < modified_ms / 1000 < now else now


@contextmanager
def _locked_part(upload: Upload) -> Iterator[BufferedRandom]:
    """The part, for one writer at a time."""
    try:
        descriptor = os.open(part_path(upload), os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
    except FileNotFoundError as error:
        raise UploadRefused(f"{upload.name} was forgotten meanwhile. Send it again.", 410) from error
    with os.fdopen(descriptor, "r+b") as part:
        try:
            fcntl.flock(part, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise UploadRefused(f"{upload.name} is being sent already, from another tab.", 423) from error
        yield part


@contextmanager
def _writing(name: str) -> Iterator[None]:
    """Errors of our own disk in words."""
    try:
        yield
    except UnreadablePostError:  # the other end is gone, not our disk
        raise
    except OSError as error:
        logger.error("upload.disk", error=str(error))
        raise UploadRefused(f"{name} could not be stored: {error.strerror or error}.", 507) from error
