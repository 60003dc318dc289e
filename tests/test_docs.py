"""The documentation says what the code does, its links lead somewhere, nothing in it is of one machine."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from urllib.parse import unquote

import pytest
from django.core.management import get_commands

from ingest import states
from ingest.models import StepRun
from ingest.steps import preprocessing
from library.engines import registry
from photos_project.env import SECRETS, Environment, read_environment
from vision.embedders import clip_folder
from vision.faces import dlib_faces
from vision.readers import rapid_models
from vision.taggers import zero_shot

PROJECT = Path(__file__).resolve().parent.parent
OUR_APPS = ("ingest", "search", "people", "library", "photos_project")
SETTINGS = {field.name.upper() for field in fields(Environment)}
LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")
MARKDOWN = [PROJECT / "README.md", PROJECT / "CHANGELOG.md", *sorted((PROJECT / "docs").rglob("*.md"))]
BINARY = {".png", ".jpg", ".ico", ".woff2", ".pyc"}


def text_of(path: str) -> str:
    return (PROJECT / path).read_text(encoding="utf-8")


def files_of_the_project() -> list[Path]:
    """What git would hand out: tracked files, and new ones that are not ignored."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=PROJECT, capture_output=True, check=False)
    if listed.returncode != 0:
        pytest.skip("this is no git checkout, so nobody can say which files belong to the project")
    names = listed.stdout.decode("utf-8").split("\0")
    return [PROJECT / name for name in names if name and (PROJECT / name).is_file()]


def rows_of(markdown: str) -> Iterator[list[str]]:
    """The cells of every table row whose first cell is code."""
    for line in markdown.splitlines():
        if line.startswith("| `"):
            yield [cell.strip() for cell in line.strip("|").split("|")]


def anchors(markdown: str) -> set[str]:
    """The ids that the headings of a page get."""
    without_code = re.sub(r"^```.*?^```", "", markdown, flags=re.DOTALL | re.MULTILINE)
    headings = re.findall(r"^#+ (.+)$", without_code, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-") for heading in headings}


def test_every_setting_is_in_the_operations_page_and_no_other() -> None:
    section = text_of("docs/operations.md").split("\n## ")[1]
    documented = {row[0].strip("`") for row in rows_of(section)}

    assert section.startswith("Settings")
    assert documented == SETTINGS
    for secret in SECRETS:
        assert f"`{secret}_FILE`" in section


def test_documented_defaults_are_the_real_ones() -> None:
    documented = {row[0].strip("`"): row[1] for row in rows_of(text_of("docs/operations.md"))}
    defaults = read_environment({}, PROJECT)
    # The others have a default in words: a folder, a list, something generated or counted.
    plain = {name for name in SETTINGS if re.fullmatch(r"[\w.\-,]+", documented[name])} - {"PHOTOS_DIR"}
    plain -= {name for name in plain if documented[name] == "none"}

    assert len(plain) > 20
    for name in plain:
        default = getattr(defaults, name.lower())
        assert documented[name].replace(",", "").lower() == str(default).lower(), name
    for name in {name for name in SETTINGS if documented[name] == "none"}:
        assert not getattr(defaults, name.lower()), name


@pytest.mark.parametrize("page", ["docs/operations.md", "README.md"])
def test_every_command_is_in_the_tables(page: str) -> None:
    documented = {row[0].strip("`").split()[0] for row in rows_of(text_of(page))}

    assert {name for name, app in get_commands().items() if app in OUR_APPS} <= documented


def test_commands_in_the_docs_exist() -> None:
    for path in MARKDOWN:
        for name in re.findall(r"manage\.py ([a-z_]+)", path.read_text(encoding="utf-8")):
            assert name in get_commands(), f"{path.name} names the command {name}"


def test_the_state_diagram_is_the_table() -> None:
    diagram = re.search(r"```mermaid\n(.*?)\n```", text_of("docs/pipeline.md"), re.DOTALL)

    assert diagram is not None
    assert diagram[1] == states.mermaid()


def test_every_step_is_in_the_pipeline_and_models_pages() -> None:
    for step in StepRun.Step:
        assert step.value in text_of("docs/pipeline.md")
        assert f"\n| {step.value} |" in text_of("docs/models.md")


def test_engines_are_called_by_their_names() -> None:
    page = text_of("docs/models.md")
    live = [registry().engine_id(port) for port in ("reader", "faces", "hasher")]

    assert None not in live
    for name in (*live, preprocessing.engine_id()):
        assert f"`{name}`" in page
    assert f"`{clip_folder.ENGINE}/<model>@<fingerprint>`" in page
    assert f"`{zero_shot.ENGINE}/<embedder>/<digest>`" in page


def test_model_files_are_called_by_their_names() -> None:
    page = text_of("docs/models.md")
    names = [path.name for path in (*rapid_models.bundled_models().values(), *dlib_faces._weights())]

    for name in (*names, *clip_folder._FILES):
        assert name in page


def test_make_targets_in_the_docs_exist() -> None:
    targets = set(re.findall(r"^([a-z][a-z-]*):", text_of("Makefile"), re.MULTILINE))
    named: set[str] = set()
    for path in MARKDOWN:
        text = path.read_text(encoding="utf-8")
        named |= set(re.findall(r"(?:`|^)(?:[A-Z_]+=\S+ )*make ([a-z-]+)", text, re.MULTILINE))

    assert {"run", "test", "check"} <= named <= targets


def test_every_decision_is_in_the_index_and_has_its_parts() -> None:
    decisions = sorted((PROJECT / "docs" / "adr").glob("*.md"))
    index = text_of("docs/README.md")

    assert [path.name[:4] for path in decisions] == [f"{number + 1:04d}" for number in range(len(decisions))]
    for path in decisions:
        text = path.read_text(encoding="utf-8")
        assert f"adr/{path.name}" in index
        assert text.startswith(f"# {path.name[:4]} ")
        assert re.findall(r"^## (\w+)$", text, re.MULTILINE) == ["Context", "Decision", "Consequences"], (
            path.name
        )


@pytest.mark.parametrize("path", MARKDOWN, ids=lambda path: str(path.relative_to(PROJECT)))
def test_links_lead_somewhere(path: Path) -> None:
    for link in LINK.findall(path.read_text(encoding="utf-8")):
        if re.match(r"[a-z]+:", link):
            continue
        file, _, anchor = unquote(link).partition("#")
        target = (path.parent / file).resolve() if file else path
        assert target.exists(), f"{link} does not exist"
        assert target.is_relative_to(PROJECT), f"{link} leads out of the project"
        if anchor:
            assert anchor in anchors(target.read_text(encoding="utf-8")), f"there is no heading for {link}"


def test_no_path_of_a_machine_and_no_package_index_in_any_file() -> None:
    # Each is put together from pieces, so that this file does not find itself.
    homes = [r"/work" + "/", "/home" + "/[a-z]", "/Users" + "/[A-Za-z]", "/root" + "/[.A-Za-z]"]
    index = [
        "index" + "-url",
        "--find" + "-links",
        "--trusted" + "-host",
        "files.python" + "hosted",
        r"/\+" + "simple",
    ]
    pattern = re.compile(rf"(?<![\w.~$}}*])(?:{'|'.join(homes)})|{'|'.join(index)}")
    found = [
        f"{path.relative_to(PROJECT)}: {match[0]}"
        for path in files_of_the_project()
        if path.suffix not in BINARY
        for match in pattern.finditer(path.read_text(encoding="utf-8", errors="replace"))
    ]

    assert not found
