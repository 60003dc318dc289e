"""Which uploads are taken: from whom, of what kind, and while there is room."""

from __future__ import annotations

import os
import re
import shutil
from dataclasses import dataclass
from pathlib import Path

from django.conf import settings
from django.contrib.auth.models import User
from django.db.models import Sum
from django.utils.formats import number_format

from ingest.models import Upload
from library.models import Root
from vision.imaging.formats import extension_of

#: Unfinished uploads of one person.
MOST_OPEN = 1000


class UploadRefused(Exception):  # noqa: N818 - a refusal the user can act on
    """A file that is not taken; the message names it and says why. ``status`` is the fitting one of HTTP."""

    def __init__(self, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.status = status


@dataclass(frozen=True, slots=True)
class Announced:
    """What a browser says about a file before it sends it."""

    name: str
    size: int
    sha256: str = ""
    modified_ms: int = 0


def may_upload(user: User) -> bool:
    """Whether the setting, the user's permissions and the root of uploads allow it."""
    if settings.UPLOADS == "off" or not user.is_authenticated:
        return False
    if settings.UPLOADS == "permitted" and not user.has_perm("ingest.add_upload"):
        return False
    root = Root.objects.filter(path=root_path()).first()
    return user.is_superuser or root is None or Root.objects.visible_to(user).filter(pk=root.pk).exists()


def accepted() -> str:
    """What a file picker offers: extensions, and every kind of picture for phones that know no extensions."""
    return ",".join(["image/*", *(f".{extension}" for extension in settings.SUPPORTED_FORMATS)])


def root_path() -> bytes:
    """The folder of the root of uploads."""
    return os.fsencode(Path(settings.DATA_DIR).resolve() / "uploads")


def check(user: User, name: str, announced: Announced) -> None:
    """Whether this file would be taken at all."""
    if not may_upload(user):
        raise UploadRefused(f"{name}: you may not upload photos here. Ask the owner of this library.", 403)
    extension = extension_of(name)
    if extension not in settings.SUPPORTED_FORMATS:
        kind = f".{extension}" if extension else "without an extension"
        raise UploadRefused(f"{name}: files {kind} are no pictures that this library takes.", 415)
    if announced.size <= 0:
        raise UploadRefused(f"{name} is empty.")
    if announced.size > settings.MAX_FILE_SIZE:
        most = number_format(settings.MAX_FILE_SIZE // 1_000_000, use_l10n=True, force_grouping=True)
        raise UploadRefused(f"{name} is larger than the {most} MB that are allowed.", 413)
    if announced.sha256 and not re.fullmatch(r"[0-9a-f]{64}", announced.sha256):
        raise UploadRefused(f"{name}: this is no SHA-256.")


def check_room(user: User, name: str, size: int) -> None:
    """Whether it fits: into the user's quota, and on the disk beside everything that is on its way."""
    mine = Upload.objects.filter(user=user)
    if mine.filter(finished_at=None).count() >= MOST_OPEN:
        raise UploadRefused(f"{name}: {MOST_OPEN} uploads wait to be finished. Go on with these first.", 429)
    used = mine.aggregate(sum=Sum("size"))["sum"] or 0
    if settings.UPLOAD_QUOTA and used + size > settings.UPLOAD_QUOTA:
        raise UploadRefused(f"{name} does not fit: you have used up what you may upload.", 413)
    announced = Upload.objects.filter(finished_at=None).aggregate(sum=Sum("size"))["sum"] or 0
    free = shutil.disk_usage(settings.DATA_DIR).free
    if free - announced - size < settings.UPLOAD_MIN_FREE:
        raise UploadRefused(f"{name} does not fit: the disk of this library is nearly full.", 507)
