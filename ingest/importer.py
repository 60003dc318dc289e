"""Found files become rows: new photos wait for the pipeline, vanished files are marked, none is deleted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from django.conf import settings
from django.db import transaction
from django.db.models import Case, Exists, F, OuterRef, Q, Value, When
from django.utils import timezone

from ingest import counting, ledger
from ingest.models import ScanSession, StepRun
from ingest.scanner import Area, FoundFile, Skipped
from ingest.session_folders import SessionFolders, folder_of
from ingest.settling import is_settled
from ingest.sources import distrust_bytes, hear_again, tell_otherwise
from library.duplicates import regroup
from library.models import Photo, PhotoFile, Root
from search.indexing import index_photos

CHUNK = 1000
MOST_SKIPS_KEPT = 1000
#: A tenth of a root vanishing at once looks like an unmounted disk, unless it is only a handful of files.
VANISHED_SHARE = 0.1
VANISHED_FEW = 10
#: Reason for a file whose sidecar changed while it was being read.
BEING_READ = "being read while its sidecar changed: the next look takes it"
_COUNTS = ("found", "new", "changed", "returned", "vanished", "unchanged", "skipped")


@dataclass(slots=True)
class _Known:
    """What the database holds of one file."""

    pk: int
    photo_id: int
    size: int
    mtime_ns: int
    missing: bool
    sidecar_ns: int


@dataclass(slots=True)
class _Tally:
    """What a scan has seen so far."""

    counts: Counter[str] = field(default_factory=Counter)
    reasons: Counter[str] = field(default_factory=Counter)
    skips: list[dict[str, str]] = field(default_factory=list)
    closed: list[bytes] = field(default_factory=list)
    arrived: Counter[tuple[int, int]] = field(default_factory=Counter)

    def skip(self, skipped: Skipped) -> None:
        self.counts["skipped"] += 1
        self.reasons[skipped.reason] += 1
        if len(self.skips) < MOST_SKIPS_KEPT:
            path = skipped.relative_path.decode("utf-8", "replace").replace("\0", "\N{REPLACEMENT CHARACTER}")
            self.skips.append({"path": path, "reason": skipped.reason})
        if skipped.unseen:
            self.closed.append(skipped.relative_path)


class Importer:
    """Takes what one scan session found into the library.

    Use: ``take()`` for everything the walk yields, then ``finish()``. Work is committed in chunks, so a
    killed scan keeps what it did, and the next scan goes on from there. ``areas`` are what is walked of the
    root: only there files can be found gone.

    Files that may still be being written are set aside in ``fresh``: look at them again and take them then.
    """

    def __init__(
        self, session: ScanSession, areas: Sequence[Area] = (Area(),), *, accept_missing: bool = False
    ) -> None:
        self._session = session
        self._areas = areas
        self.fresh: list[FoundFile] = []
        self._root: Root = session.root
        self._accept_missing = accept_missing
        self._tally = _Tally()
        self._unseen = self._known_files()
        self._waiting: list[tuple[FoundFile, _Known | None]] = []
        self._folders = SessionFolders(session)
        self._left = self._left_by_cancelled()

    def take(self, found: Iterable[FoundFile | Skipped], progress: Callable[[int], object] = bool) -> None:
        """Compare each found file with what is known; ``progress`` gets the number of files so far."""
        for item in found:
            if isinstance(item, Skipped):
                self._tally.skip(item)
                continue
            known = self._unseen.get(item.relative_path)
            as_recorded = known is not None and not known.missing and _is_as_recorded(item, known)
            if not as_recorded and not is_settled(item, settings.SETTLE_SECONDS):
                self.fresh.append(item)
                continue
            self._unseen.pop(item.relative_path, None)
            self._tally.counts["found"] += 1
            self._folders.see(item.relative_path)
            if as_recorded:
                self._tally.counts["unchanged"] += 1
                if not (known and known.photo_id in self._left):
                    continue
            self._waiting.append((item, known))
            if len(self._waiting) >= CHUNK:
                self._write_chunk()
                counting.fold()
                progress(self._tally.counts["found"])
        self._write_chunk()
        progress(self._tally.counts["found"])

    def tell(self) -> None:
        """Write down what was seen so far, for those who watch."""
        for name in _COUNTS:
            setattr(self._session, name, self._tally.counts[name])
        self._session.save(update_fields=_COUNTS)
        self._folders.write()
        counting.fold()

    def finish(self) -> ScanSession:
        """Mark what vanished (or stop and ask), and close the session."""
        session = self._session
        gone = [known for path, known in self._unseen.items() if not known.missing and not self._closed(path)]
        session.status = ScanSession.Status.FINISHED
        if gone and self._looks_unmounted(gone) and not self._accept_missing:
            session.status = ScanSession.Status.STOPPED
            session.message = (
                f"{len(gone)} files of {self._root.display_path} are gone at once; nothing was marked as "
                "missing. Is the disk mounted? If they were really removed, scan again with --accept-missing."
            )
        elif gone:
            self._mark_missing(gone)
            self._tally.counts["vanished"] = len(gone)
        self._read_unread_again()
        self._folders.write()
        for name in _COUNTS:
            setattr(session, name, self._tally.counts[name])
        session.skips = self._tally.skips
        session.skip_reasons = dict(self._tally.reasons)
        session.finished_at = timezone.now()
        written = (*_COUNTS, "skips", "skip_reasons", "message", "finished_at")
        going = Q(status=ScanSession.Status.RUNNING)
        # Somebody may have cancelled it meanwhile: that counts.
        ScanSession.objects.filter(pk=session.pk).update(
            status=Case(When(going, then=Value(session.status)), default=F("status")),
            **{name: getattr(session, name) for name in written},
        )
        session.refresh_from_db(fields=["status", "paused", "priority"])
        counting.fold()
        return session

    def _read_unread_again(self) -> None:
        """Files that could not even be read (closed, or their disk was away) may be readable by now.

        So may those that were read once and could not be read again: their photo has renditions of the bytes.
        """
        there = PhotoFile.objects.present().filter(photo=OuterRef("pk"), root=self._root)
        readable = Q(sha256=None) | Q(renditions_at__isnull=False)
        unread = Photo.objects.filter(readable, Exists(there), state=Photo.State.FAILED, lost_leases=0)
        photo_ids = ledger.read_again(unread)
        if photo_ids:
            files = PhotoFile.objects.present().filter(root=self._root, photo__in=photo_ids)
            paths = files.in_folder(bytes(self._session.subfolder)).values_list("relative_path", "photo_id")
            self._take_up((bytes(path), photo_id) for path, photo_id in paths)

    def _left_by_cancelled(self) -> set[int]:
        """Unfinished photos of cancelled sessions: whoever finds their files again takes them up."""
        cancelled = ScanSession.objects.filter(root=self._root, status=ScanSession.Status.CANCELLED)
        sessions = list(cancelled.values_list("pk", flat=True))
        if not sessions:
            return set()
        left = Photo.objects.filter(scan__in=sessions).exclude(state__in=Photo.FINAL_STATES)
        return set(left.values_list("pk", flat=True))

    def _known_files(self) -> dict[bytes, _Known]:
        fields = ("relative_path", "pk", "photo_id", "size", "mtime_ns", "missing_since", "sidecar_ns")
        known: dict[bytes, _Known] = {}
        for area in self._areas:
            files = PhotoFile.objects.filter(root=self._root).in_folder(area.folder, deep=area.deep)
            for path, *rest, missing, sidecar_ns in files.values_list(*fields).iterator(chunk_size=20_000):
                pk, photo_id, size, mtime_ns = rest
                known[bytes(path)] = _Known(pk, photo_id, size, mtime_ns, missing is not None, sidecar_ns)
        return known

    @transaction.atomic
    def _write_chunk(self) -> None:
        if not self._waiting:
            return
        ledger.lock_books()
        now = timezone.now()
        new = [found for found, known in self._waiting if known is None]
        for found in new:
            self._tally.arrived[found.size, found.mtime_ns] += 1
        self._add(new, now)
        before = [(found, known) for found, known in self._waiting if known]
        same = [(found, known) for found, known in before if _has_same_bytes(found, known)]
        self._take_back([known for _, known in same if known.missing], now)
        self._read_metadata_again([pair for pair in same if not _is_as_recorded(*pair)])
        for found, known in before:
            if not _has_same_bytes(found, known):
                self._tally.counts["changed"] += 1
                self._change(found, known, now)
        self._take_up((found.relative_path, known.photo_id) for found, known in before)
        regroup(photo_ids={known.photo_id for _, known in before if known.missing})
        index_photos(known.photo_id for _, known in before if known.photo_id not in self._left)
        self._waiting.clear()
        self._folders.write()

    def _take_up(self, files: Iterable[tuple[bytes, int]]) -> None:
        """Known photos that there is work with wait for this session from now on, and are counted in it."""
        by_folder: dict[bytes, list[int]] = {}
        for path, photo_id in files:
            by_folder.setdefault(folder_of(path), []).append(photo_id)
        for folder, photo_ids in by_folder.items():
            unfinished = Photo.objects.filter(pk__in=photo_ids).exclude(state__in=Photo.FINAL_STATES)
            if unfinished.exists():
                place = self._folders.place(folder)
                taken = unfinished.update(scan=self._session.pk, scan_folder=place)
                self._folders.take(folder, taken)

    def _take_back(self, returned: list[_Known], now: datetime) -> None:
        """Missing files are there again. What could not be read while they were gone is tried again."""
        self._tally.counts["returned"] += len(returned)
        PhotoFile.objects.filter(pk__in=[known.pk for known in returned]).update(
            missing_since=None, seen_at=now
        )
        photos = Photo.objects.filter(pk__in={known.photo_id for known in returned})
        photos.update(missing_since=None)
        ledger.read_again(photos.filter(state=Photo.State.FAILED))
        if returned:
            hear_again(tell_otherwise(photos, {known.pk for known in returned}))

    def _read_metadata_again(self, pairs: list[tuple[FoundFile, _Known]]) -> None:
        """The sidecars of these came, changed or went: read metadata again, and have no model look again.

        A photo that is being read at this moment is left for the next look: what it read may be old.
        """
        busy = Photo.objects.filter(
            pk__in=[known.photo_id for _, known in pairs], state=Photo.State.PREPROCESSING
        )
        being_read = set(busy.select_for_update().values_list("pk", flat=True))
        for found, known in pairs:
            if known.photo_id in being_read:
                self._tally.skip(Skipped(found.relative_path, BEING_READ))
                continue
            self._tally.counts["changed"] += not known.missing
            PhotoFile.objects.filter(pk=known.pk).update(sidecar_ns=found.sidecar_ns)
        photo_ids = {known.photo_id for _, known in pairs} - being_read
        runs = StepRun.objects.filter(photo_id__in=photo_ids, step=StepRun.Step.PREPROCESSING)
        if photo_ids:
            ledger.retry(runs)

    def _add(self, new: list[FoundFile], now: datetime) -> None:
        places = [self._folders.place(folder_of(found.relative_path)) for found in new]
        photos = Photo.objects.bulk_create([self._new_photo(place) for place in places])
        PhotoFile.objects.bulk_create(
            [
                PhotoFile(
                    root=self._root,
                    photo=photo,
                    relative_path=found.relative_path,
                    display_path=found.relative_path.decode("utf-8", "replace"),
                    size=found.size,
                    mtime_ns=found.mtime_ns,
                    sidecar_ns=found.sidecar_ns,
                    seen_at=now,
                )
                for photo, found in zip(photos, new, strict=True)
            ]
        )
        self._tally.counts["new"] += len(new)
        for found in new:
            self._folders.take(folder_of(found.relative_path))

    def _new_photo(self, place: int = 0) -> Photo:
        return Photo(priority=self._session.priority, scan=self._session.pk, scan_folder=place)

    def _change(self, found: FoundFile, known: _Known, now: datetime) -> None:
        """A file edited in place keeps its photo, unless other files still hold the old bytes."""
        others = PhotoFile.objects.filter(photo_id=known.photo_id).exclude(pk=known.pk)
        photo_id = known.photo_id
        if others.present().exists():
            place = self._folders.place(folder_of(found.relative_path))
            self._folders.take(folder_of(found.relative_path))
            photo = self._new_photo(place)
            photo.save()
            photo_id = photo.pk
        else:
            others.distrust()
            distrust_bytes(photo_id)
            same = Photo.objects.filter(pk=photo_id)
            same.update(missing_since=None)
            ledger.read_again(same)
        PhotoFile.objects.filter(pk=known.pk).update(
            photo=photo_id,
            size=found.size,
            mtime_ns=found.mtime_ns,
            sidecar_ns=found.sidecar_ns,
            seen_at=now,
            missing_since=None,
        )

    def _closed(self, path: bytes) -> bool:
        """Whether the file, or a folder around it, could not be looked at: then nothing is known about it."""
        return any(path == unseen or path.startswith(unseen + b"/") for unseen in self._tally.closed)

    def _looks_unmounted(self, gone: list[_Known]) -> bool:
        if not self._tally.counts["found"] and not self._session.partial:
            return True
        arrived = Counter(self._tally.arrived)
        lost = 0
        for known in gone:
            moved = (known.size, known.mtime_ns)
            if arrived[moved]:
                arrived[moved] -= 1
            else:
                lost += 1
        if self._session.partial:
            present = PhotoFile.objects.present().filter(root=self._root).count()
        else:
            present = self._tally.counts["found"] - self._tally.counts["new"] + len(gone)
        return lost > VANISHED_FEW and lost >= VANISHED_SHARE * present

    @transaction.atomic
    def _mark_missing(self, gone: list[_Known]) -> None:
        ledger.lock_books()
        now = timezone.now()
        for start in range(0, len(gone), CHUNK):
            part = gone[start : start + CHUNK]
            PhotoFile.objects.filter(pk__in=[known.pk for known in part]).update(missing_since=now)
            there = PhotoFile.objects.present().filter(photo=OuterRef("pk"))
            Photo.objects.filter(pk__in=[known.photo_id for known in part]).exclude(Exists(there)).update(
                missing_since=now
            )
        photo_ids = {known.photo_id for known in gone}
        regroup(photo_ids=photo_ids)
        index_photos(photo_ids)


def _has_same_bytes(found: FoundFile, known: _Known) -> bool:
    return (known.size, known.mtime_ns) == (found.size, found.mtime_ns)


def _is_as_recorded(found: FoundFile, known: _Known) -> bool:
    return _has_same_bytes(found, known) and known.sidecar_ns == found.sidecar_ns
