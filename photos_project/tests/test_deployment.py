"""The container files cannot be run here: they are held against the project's own names."""

from __future__ import annotations

import os
import re
import subprocess
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
import yaml
from django.core.management import get_commands

from photos_project.env import SECRETS, Environment, read_environment

BASE = Path(__file__).resolve().parents[2]
SETTINGS = {field.name.upper() for field in fields(Environment)} | {f"{name}_FILE" for name in SECRETS}
OTHER_PEOPLES = {"OMP_WAIT_POLICY", "GOMP_SPINCOUNT", "PATH"}
OTHER_PEOPLES |= {"PYTHONUNBUFFERED", "PYTHONDONTWRITEBYTECODE"}


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    return yaml.safe_load((BASE / "docker-compose.yml").read_text())


def ours(compose: dict[str, Any]) -> dict[str, dict[str, Any]]:
    services = compose["services"].items()
    return {name: service for name, service in services if service["image"].startswith("heirloom:")}


def test_the_same_image_serves_and_works(compose: dict[str, Any]) -> None:
    assert set(ours(compose)) == {"setup", "web", "files", "watch", "models", "models-gpu"}
    assert compose["services"]["database"]["image"] == "pgvector/pgvector:pg18"


def test_commands_exist(compose: dict[str, Any]) -> None:
    for name, service in ours(compose).items():
        command = service["command"]
        if command[:2] == ["python", "manage.py"]:
            assert command[2] in get_commands(), name
        else:
            assert command == ["gunicorn", "-c", "gunicorn.conf.py"], name
            assert (BASE / command[2]).exists()
    mentioned = re.findall(r"manage\.py (\w+)", (BASE / "docker-compose.yml").read_text())
    assert set(mentioned) <= set(get_commands())


def test_variables_are_settings(compose: dict[str, Any]) -> None:
    for name, service in ours(compose).items():
        assert set(service["environment"]) <= SETTINGS | OTHER_PEOPLES, name
    variables = re.findall(r"^(?:ENV|   ) ?([A-Z_]+)=", (BASE / "Dockerfile").read_text(), re.MULTILINE)
    assert "STATIC_DIR" in variables
    assert set(variables) <= SETTINGS | OTHER_PEOPLES


def test_the_values_can_be_used(compose: dict[str, Any]) -> None:
    for service in ours(compose).values():
        values = {key: re.sub(r"\$\{.*?\}", "x" * 60, value) for key, value in service["environment"].items()}
        environment = read_environment(values, BASE)
        assert (environment.data_dir, environment.photos_dir) == (Path("/data"), (Path("/photos"),))


def test_originals_are_read_only_everywhere(compose: dict[str, Any]) -> None:
    for name, service in ours(compose).items():
        mounts = [volume for volume in service["volumes"] if ":/photos" in volume]
        assert [mount.endswith(":/photos:ro") for mount in mounts] == [True], name


def test_ports_agree(compose: dict[str, Any]) -> None:
    port = ours(compose)["web"]["environment"]["PORT"]
    assert compose["services"]["web"]["ports"] == [f"127.0.0.1:8000:{port}"]
    assert f":{port}/health" in compose["services"]["web"]["healthcheck"]["test"][-1]
    assert f"EXPOSE {port}" in (BASE / "Dockerfile").read_text()
    assert f"reverse_proxy web:{port}" in (BASE / "Caddyfile").read_text()


def test_workers_are_the_clusters_of_the_settings(compose: dict[str, Any], settings: Any) -> None:
    workers = [service for service in ours(compose).values() if "supervise" in service["command"]]
    lanes = {service["command"][-1] for service in workers}

    assert lanes == set(settings.Q_CLUSTER["ALT_CLUSTERS"])
    devices = compose["services"]["models-gpu"]["deploy"]["resources"]["reservations"]["devices"]
    assert devices == [{"driver": "nvidia", "count": 1, "capabilities": ["gpu"]}]


def test_a_task_may_not_run_twice(settings: Any) -> None:
    queue = settings.Q_CLUSTER
    assert queue["retry"] > queue["timeout"] > settings.SLICE_SECONDS
    assert (queue["max_attempts"], queue["save_limit"], queue["ack_failures"]) == (1, -1, True)


def test_everything_referred_to_exists(compose: dict[str, Any]) -> None:
    for service in compose["services"].values():
        for mount in service.get("volumes", []):
            source = mount.split(":")[0]
            assert source.startswith("${") or source in compose["volumes"] or (BASE / source).exists()
        assert set(service.get("depends_on", {})) <= set(compose["services"])


def test_make_lists_every_target() -> None:
    targets = set(re.findall(r"^([a-z][a-z-]*):", (BASE / "Makefile").read_text(), re.MULTILINE))

    shown = subprocess.run(["make", "--silent"], cwd=BASE, capture_output=True, text=True, check=True).stdout

    assert targets == set(re.findall(r"^  make ([a-z-]+)", shown, re.MULTILINE))
    assert {"install", "run", "test", "check", "fix", "bench"} <= targets


def test_make_run_without_photos_explains_itself(tmp_path: Path) -> None:
    environment = {key: value for key, value in os.environ.items() if key not in ("PHOTOS", "MAKEFLAGS")}
    command = ["make", "--silent", "--old-file=.venv/.installed", "run"]

    result = subprocess.run(command, cwd=BASE, capture_output=True, text=True, env=environment, check=False)

    assert result.returncode == 2
    assert "make run PHOTOS=~/Pictures" in result.stdout
    assert "never writes" in result.stdout


def test_a_folder_with_spaces_and_quotes_reaches_the_command(tmp_path: Path) -> None:
    project = tmp_path / "a clone"
    (project / ".venv" / "bin").mkdir(parents=True)
    (project / "Makefile").write_text((BASE / "Makefile").read_text())
    (project / "requirements.lock").touch()
    (project / ".venv" / ".installed").touch()
    fake = project / ".venv" / "bin" / "python"
    fake.write_text('#!/bin/sh\nprintf "%s\\n" "$@" "$PORT"\n')
    fake.chmod(0o755)
    command = ["make", "--silent", "run", 'PHOTOS=~/My "best" photos; it\'s me', "PORT=8123"]

    result = subprocess.run(command, cwd=project, capture_output=True, text=True, check=True)

    wanted = str(Path.home() / 'My "best" photos; it\'s me')
    assert result.stdout.splitlines() == ["manage.py", "quickstart", wanted, "8123"]


def test_ci_runs_the_suite_and_then_the_checks() -> None:
    script = (BASE / ".ci" / "run").read_text()

    assert os.access(BASE / ".ci" / "run", os.X_OK)
    assert "set -euo pipefail" in script
    assert re.findall(r"^make (\w+)$", script, re.MULTILINE) == ["test", "check"]
