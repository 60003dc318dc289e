"""Which photo a file belongs to, once its bytes are known: the one that has these bytes.

So a moved, renamed or copied file finds its photo again, and two files that swap their contents swap their
photos. A file that was edited takes its photo along, unless another file still holds the old bytes.
"""

from __future__ import annotations

from collections.abc import Iterable

from django.db import transaction
from django.utils import timezone

from ingest.foreign import tells_more
from ingest.ledger import read_again, tell
from ingest.models import StepRun
from ingest.sources import hear_again, tell_otherwise, waits_to_be_heard
from ingest.steps.preprocessing import ReadFile
from library.models import (
    CropEmbedding,
    DetectedObject,
    DuplicatePair,
    OcrText,
    Photo,
    PhotoDescription,
    PhotoEmbedding,
    PhotoFile,
    PhotoHash,
    VideoPart,
)
from library.storage import rendition_path
from people.actions.detect import forget_faces
from people.models import ImportedName
from photos_project.logging import get_logger

logger = get_logger(__name__)


class Entry:
    """One batch of read files being entered. ``held`` are its photos, locked; the books are locked too."""

    def __init__(self, held: dict[int, Photo], reads: Iterable[ReadFile]) -> None:
        self._held = held
        self._reads = list(reads)
        hashes = [found.sha256 for found in self._reads if found.sha256]
        self._owners = dict(Photo.objects.filter(sha256__in=hashes).values_list("sha256", "pk"))
        self._files: dict[int, set[int]] = {pk: set() for pk in held}
        for photo_id, file_id in (
            PhotoFile.objects.present().filter(photo__in=held).values_list("photo", "pk")
        ):
            self._files[photo_id].add(file_id)
        self.next_states: dict[int, Photo.State] = {}
        #: Photos that got or lost a file, or another content.
        self.regrouped: set[int] = set()
        #: Photos whose bytes are known, and of whose places one says more than was read.
        self._to_hear: set[int] = set()

    def in_order(self) -> list[ReadFile]:
        """Files that still hold what they held come first, then known contents, then new ones."""

        def newness(found: ReadFile) -> int:
            photo = self._held.get(found.source.photo_id)
            if photo and photo.sha256 == found.sha256:
                return 0
            return 1 if found.sha256 in self._owners else 2

        return sorted(self._reads, key=newness)

    def photo_of(self, found: ReadFile) -> Photo | None:
        """The photo that was read, if the reading still counts: neither it nor its file changed meanwhile."""
        photo = self._held.get(found.source.photo_id)
        if photo is None or photo.state != Photo.State.PREPROCESSING or photo.pk in self.next_states:
            return None
        if found.file_id is not None and found.file_id not in self._files[photo.pk]:
            self.next_states[photo.pk] = Photo.State.PENDING
            return None
        if self._files[photo.pk] - {place.file_id for place in found.source.places}:
            self._to_hear.add(photo.pk)
        return photo

    def note_places(self, photo: Photo, found: ReadFile) -> None:
        """Other workers may have given this photo a place while it was being read."""
        if self._files[photo.pk] - {place.file_id for place in found.source.places}:
            self._to_hear.add(photo.pk)

    def other_owner(self, photo: Photo, found: ReadFile) -> int | None:
        """The other photo that has this content, if there is one."""
        owner = self._owners.get(found.sha256) if found.sha256 else None
        return None if owner == photo.pk else owner

    def note_content(self, photo: Photo, sha256: str) -> None:
        """This content is the photo's now, and its former one is nobody's."""
        if photo.sha256 and self._owners.get(photo.sha256) == photo.pk:
            del self._owners[photo.sha256]
        self._owners[sha256] = photo.pk

    def hand_over(self, photo: Photo, found: ReadFile, owner: Photo) -> None:
        """These bytes are the owner's: so is the file."""
        logger.info("photo.same_bytes", photo=photo.pk, owner=owner.pk)
        if self._may_have_changed(owner):
            self._split_unread(owner)
        self._move_file(found.file_id or 0, photo, owner)
        if owner.missing_since and owner.state == Photo.State.FAILED:
            read_again(Photo.objects.filter(pk=owner.pk))
        Photo.objects.filter(pk=owner.pk).update(missing_since=None)
        if tells_more(found, owner) or tell_otherwise([owner], {found.file_id or 0}):
            self._to_hear.add(owner.pk)
        self.regrouped.add(owner.pk)
        if self._files[photo.pk]:
            self.next_states[photo.pk] = Photo.State.PENDING
        else:
            self._leave_without_file(self._held.pop(photo.pk))

    def _move_file(self, file_id: int, photo: Photo, owner: Photo) -> None:
        photo.files.filter(pk=file_id).update(photo=owner)
        self._files[photo.pk].discard(file_id)
        self._files.setdefault(owner.pk, set()).add(file_id)

    def _may_have_changed(self, owner: Photo) -> bool:
        """Whether it waits to be read because of its bytes, not only because of what its places say."""
        if owner.state not in Photo.FILES_LANE_STATES or owner.pk in self.next_states:
            return False
        return not waits_to_be_heard(owner.pk)

    def hear_again(self) -> None:
        """Have photos read once more for what their places say. To be called when the books are written."""
        if self._to_hear:
            hear_again(self._to_hear)

    def _split_unread(self, owner: Photo) -> None:
        """The owner waits to be read again: its files may hold anything, so each gets its own photo."""
        for file in owner.files.present():
            file.photo = _another_for(owner)
            file.save(update_fields=["photo"])
        self._files[owner.pk] = set()
        Photo.objects.filter(pk=owner.pk).update(state=Photo.State.PENDING)
        if owner.state != Photo.State.PENDING:
            tell(owner.pk, owner.state, Photo.State.PENDING)
        if owner.pk in self._held:
            self.next_states[owner.pk] = Photo.State.PENDING

    def _leave_without_file(self, photo: Photo) -> None:
        if photo.sha256 is None:
            photo.delete()
            return
        # It was another picture until its file was replaced: it keeps its story, and is missing.
        self.regrouped.add(photo.pk)
        seen = photo.renditions_at is not None
        after = Photo.State.PROCESSING_OBJECTS if seen else Photo.State.FAILED
        tell(photo.pk, photo.state, after)
        Photo.objects.filter(pk=photo.pk).update(
            state=after,
            scan=photo.scan if seen else 0,
            error_message="" if seen else "No file of this photo is there any more.",
            missing_since=timezone.now(),
            lease_until=None,
            leased_by="",
        )


def _another_for(photo: Photo) -> Photo:
    """A photo for a file of this one that may hold other bytes; it waits where this one does."""
    return Photo.objects.create(
        priority=photo.priority, scan=photo.scan, scan_folder=photo.scan_folder if photo.scan else 0
    )


def record_versions(reads: Iterable[ReadFile]) -> None:
    """Note size and time of the bytes that were read: the next scan compares with those.

    A file may be replaced between scan and reading, and be put back before the next scan. That one would find
    what the first one found, and the other bytes would stay in the library.
    """
    changed = []
    for found in reads:
        place, original = found.place, found.original
        if place and original and (place.size, place.mtime_ns) != (original.size, original.mtime_ns):
            changed.append(PhotoFile(pk=place.file_id, size=original.size, mtime_ns=original.mtime_ns))
    PhotoFile.objects.bulk_update(changed, ["size", "mtime_ns"])


def forget_content(photo: Photo, *, kept_file: int | None) -> None:
    """The file was edited in place: what the engines saw is about the old bytes, so they look again.

    Its other files stand for the old bytes: those that are there get photos of their own to be read, those
    that are missing will be read when they return.
    """
    others = photo.files.exclude(pk=kept_file or 0)
    for file in others.present():
        file.photo = _another_for(photo)
        file.save(update_fields=["photo"])
    others.distrust()
    StepRun.objects.filter(photo=photo).exclude(step=StepRun.Step.PREPROCESSING).update(
        status=StepRun.Status.PENDING
    )
    DetectedObject.objects.filter(photo=photo).delete()
    OcrText.objects.filter(photo=photo).delete()
    PhotoDescription.objects.filter(photo=photo).delete()
    PhotoEmbedding.objects.filter(photo=photo).delete()
    CropEmbedding.objects.filter(photo=photo).delete()
    PhotoHash.objects.filter(photo=photo).delete()
    DuplicatePair.objects.of(photo.pk).filter(decision=DuplicatePair.Decision.UNDECIDED).delete()
    VideoPart.objects.filter(photo=photo).delete()
    ImportedName.objects.filter(photo=photo).delete()
    forget_faces(photo_ids=[photo.pk])
    old = photo.sha256 or ""

    def remove_old_renditions() -> None:
        if not Photo.objects.filter(sha256=old).exists():
            rendition_path(old, "thumbnail").unlink(missing_ok=True)
            rendition_path(old, "preview").unlink(missing_ok=True)

    transaction.on_commit(remove_old_renditions)
