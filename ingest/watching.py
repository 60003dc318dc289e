"""Watch the folders of originals, and look at what changed within seconds.

The kernel tells what happens below a root (inotify through watchfiles). Where it cannot, because the folder
lies on another machine or the system has no watches left, the root is scanned again and again instead. A root
that goes away or comes back is noticed by its identity (device and inode), as a mounted disk tells nobody.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil
from django.conf import settings
from django.db import InterfaceError, OperationalError, connection
from django.utils import timezone

from ingest.changes import Pending, area_of, coalesce, common_folder
from ingest.importer import BEING_READ
from ingest.models import ScanSession
from ingest.roots import RootRefused, ScanTarget, register_folder, rules_from_settings, scan
from ingest.scanner import Area
from ingest.settling import STILL_WRITTEN
from ingest.tasks import wake_all
from library.models import Root
from library.storage import root_path
from photos_project.logging import get_logger

logger = get_logger(__name__)

#: Roots are looked up, and their identities compared, this often.
ROOTS_SECONDS = 2.0
#: Nothing is looked at before it has been quiet for this long, or for SETTLE_SECONDS.
QUIET_SECONDS = 1.0
#: A folder that is never quiet is looked at this often all the same.
LONGEST_WAIT_SECONDS = 30.0
#: So many events at once may mean that the kernel dropped some: everything is looked through.
FLOOD = 10_000
#: A polled root rests ten times as long as its scan took.
POLL_REST = 10
_FUSE = ("sshfs", "rclone", "s3fs", "glusterfs", "davfs2", "vmhgfs-fuse", "smbnetfs")
NETWORK_FILE_SYSTEMS = frozenset(
    (
        *("9p", "afpfs", "afs", "ceph", "cifs", "davfs", "drvfs", "nfs", "nfs4"),
        *("prl_fs", "smb3", "smbfs", "vboxsf", "virtiofs", "webdav"),
        *(f"fuse.{name}" for name in _FUSE),
    )
)
MAX_WATCHES = Path("/proc/sys/fs/inotify/max_user_watches")
Identity = tuple[int, int]


@dataclass(slots=True)
class _Watched:
    """A root, what it is on disk (None: away), and why it is polled if it is."""

    root: Root
    identity: Identity | None
    polled: str = ""
    poll_at: float = 0.0


class LibraryWatch:
    """Looks after all roots that are to be watched, until it is told to stop.

    ``tell`` gets every scan that found something out.
    """

    def __init__(self, tell: Callable[[ScanSession], object] = bool) -> None:
        self._tell = tell
        self._watched: dict[int, _Watched] = {}
        self._pending: dict[int, Pending] = {}
        self._unscanned: set[int] = set()
        self._paths: dict[int, str] = {}
        self._refused: dict[int, str] = {}
        self._roots_at = 0.0

    def run(self, stopping: Callable[[], bool]) -> None:
        """Watch. An outage of the database is waited for; what changed meanwhile is not forgotten."""
        while not stopping():
            try:
                self._watch_these_roots(stopping)
            except (OperationalError, InterfaceError) as error:
                logger.warning("database.away", error=str(error))
                connection.close()
                time.sleep(1)

    def _watch_these_roots(self, stopping: Callable[[], bool]) -> None:
        """Until a root comes or goes. Scans come after the watch is up, so that nothing falls between."""
        self._find_roots()
        self._paths = {
            pk: os.fsdecode(root_path(watched.root))
            for pk, watched in self._watched.items()
            if watched.identity and not watched.polled
        }
        self._note_state()
        for events in self._events():
            if stopping():
                return
            self._note(events)
            self._work(stopping)
            if self._roots_changed():
                return

    def _events(self) -> Iterator[Iterable[str]]:
        """Paths that something happened to, in heaps; an empty one about twice a second."""
        from watchfiles import watch

        if not self._paths:
            while True:
                yield ()
                time.sleep(0.5)
        try:
            for changes in watch(
                *self._paths.values(),
                watch_filter=None,
                debounce=1000,
                step=100,
                rust_timeout=500,
                yield_on_timeout=True,
                raise_interrupt=False,
                force_polling=False,
                # Ignored, it would also hide that the system has no watches left.
                ignore_permission_denied=False,
            ):
                yield [path for _, path in changes]
        except FileNotFoundError:
            return  # a root went away between two looks: the next round finds that out
        except OSError as error:
            named = [pk for pk, path in self._paths.items() if f'"{path}' in str(error)]
            for pk in named or self._paths:
                self._refused[pk] = _why_refused(error)
            logger.error("watch.refused", error=str(error))

    def _find_roots(self) -> None:
        """Compare the roots of the database and of PHOTOS_DIR with those that are watched."""
        self._roots_at = time.monotonic() + ROOTS_SECONDS
        before = self._watched
        self._watched = {}
        for root in _wanted_roots():
            identity = _identity(root)
            polled = self._refused.get(root.pk) or _network_reason(root_path(root))
            known = before.get(root.pk)
            self._watched[root.pk] = _Watched(root, identity, polled, known.poll_at if known else 0.0)
            if known is None or known.identity != identity:
                self._unscanned.add(root.pk)
        self._unscanned &= set(self._watched)

    def _roots_changed(self) -> bool:
        if time.monotonic() < self._roots_at:
            return False
        self._roots_at = time.monotonic() + ROOTS_SECONDS
        now = {root.pk: _identity(root) for root in Root.objects.filter(watch=True)}
        Root.objects.filter(pk__in=self._watched).update(watched_at=timezone.now())
        return now != {pk: watched.identity for pk, watched in self._watched.items()}

    def _note_state(self) -> None:
        """Write down for the status page what there is to say about each root."""
        for watched in self._watched.values():
            notice = watched.polled
            if watched.identity is None:
                notice = (
                    f"{watched.root.display_path} is not there: is its disk mounted? Nothing is marked as "
                    "missing. It is looked through as soon as it is back."
                )
            if notice != watched.root.notice:
                logger.warning("watch.notice", root=watched.root.pk, notice=notice)
            Root.objects.filter(pk=watched.root.pk).update(notice=notice, watched_at=timezone.now())

    def _note(self, events: Iterable[str]) -> None:
        """Remember the folders that events are about."""
        paths = [os.fsencode(path) for path in events]
        rules = rules_from_settings()
        now = time.monotonic()
        for pk, watched in self._watched.items():
            top = root_path(watched.root).rstrip(b"/")
            ours = [path for path in paths if path.startswith(top + b"/")]
            if len(ours) >= FLOOD:
                self._remember(pk, {Area()}, now)
                continue
            areas = {area for path in ours if (area := area_of(top, path, rules))}
            self._remember(pk, areas, now)

    def _remember(self, pk: int, areas: set[Area], now: float) -> None:
        if areas:
            pending = self._pending.setdefault(pk, Pending(now, now))
            pending.last = now
            pending.areas |= areas

    def _work(self, stopping: Callable[[], bool]) -> None:
        """Scan what is new or to be polled, then look at the folders that have become quiet."""
        for pk, watched in self._watched.items():
            due = watched.polled and watched.identity and time.monotonic() >= watched.poll_at
            if pk in self._unscanned or due:
                started = time.monotonic()
                self._look(ScanTarget(watched.root), stopping)
                self._unscanned.discard(pk)
                rest = max(settings.WATCH_POLL_SECONDS, POLL_REST * (time.monotonic() - started))
                watched.poll_at = time.monotonic() + rest
        quiet = max(QUIET_SECONDS, settings.SETTLE_SECONDS)
        for pk, pending in list(self._pending.items()):
            if pending.is_due(time.monotonic(), quiet=quiet, longest=LONGEST_WAIT_SECONDS):
                self._look_at_changes(self._watched.get(pk), pending, stopping)
                # Only now: a look that the database broke off is not forgotten.
                if self._pending.get(pk) is pending:
                    del self._pending[pk]

    def _look_at_changes(
        self, watched: _Watched | None, pending: Pending, stopping: Callable[[], bool]
    ) -> None:
        # A root that went away or was replaced is looked through as a whole in the next round.
        if watched and watched.identity == _identity(watched.root):
            areas = coalesce(pending.areas)
            self._look(ScanTarget(watched.root, common_folder(areas), areas), stopping)

    def _look(self, target: ScanTarget, stopping: Callable[[], bool]) -> None:
        before = ScanSession.objects.filter(root=target.root, partial=False).first()
        session = scan(target, should_stop=stopping)
        found = session.new + session.changed + session.returned + session.vanished
        if found:
            wake_all()
        if {STILL_WRITTEN, BEING_READ} & set(session.skip_reasons):
            now = time.monotonic()
            self._pending[target.root.pk] = Pending(now, now, set(target.areas or (Area(),)))
        same = session.partial or before is not None and _as_before(session, before)
        if not found and same and session.status == ScanSession.Status.FINISHED:
            session.delete()
        else:
            self._tell(session)


def _as_before(session: ScanSession, before: ScanSession) -> bool:
    return (session.skips, session.status, session.message) == (before.skips, before.status, before.message)


def _wanted_roots() -> list[Root]:
    for folder in settings.PHOTOS_DIR:
        try:
            register_folder(str(folder))
        except RootRefused as error:
            logger.warning("watch.root_refused", error=str(error))
    return list(Root.objects.filter(watch=True).order_by("pk"))


def _identity(root: Root) -> Identity | None:
    try:
        status = os.stat(root_path(root))  # noqa: PTH116 - bytes
    except OSError:
        return None
    return status.st_dev, status.st_ino


def _network_reason(path: bytes) -> str:
    """Why a folder has to be polled: changes made by other machines are told to nobody here."""
    real = os.fsdecode(os.path.realpath(path))
    mounts = {part.mountpoint: part.fstype for part in psutil.disk_partitions(all=True)}
    around = [mount for mount in mounts if real == mount or real.startswith(mount.rstrip("/") + "/")]
    kind = mounts[max(around, key=len)] if around else ""
    if kind not in NETWORK_FILE_SYSTEMS:
        return ""
    return (
        f"It lies on a network file system ({kind}), whose changes cannot be watched: it is looked through "
        f"every {settings.WATCH_POLL_SECONDS} seconds, less often when that takes long."
    )


def _why_refused(error: OSError) -> str:
    """Why a folder has to be polled, and what helps."""
    polled = (
        f"Until the watch is started again everything is looked through every {settings.WATCH_POLL_SECONDS} "
        "seconds, less often when that takes long."
    )
    if isinstance(error, PermissionError):
        remedy = "Let the user that runs Heirloom read that folder, or move it out."
        return f"It cannot be watched: {error}. {remedy} {polled}"
    allowed = f" (now {MAX_WATCHES.read_text().strip()})" if MAX_WATCHES.exists() else ""
    return (
        f"The system refuses to watch it: {error}. One watch is needed for each folder. Raise the "
        f"limit{allowed}: sudo sysctl fs.inotify.max_user_watches=1048576, and for good with a line in "
        f"/etc/sysctl.d/. {polled}"
    )
