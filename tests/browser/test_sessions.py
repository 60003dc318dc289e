"""Choosing folders and steering a session in a real browser; without a script, and by two people at once."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from django.test import Client

from ingest import tasks
from ingest.files_lane import FilesLane
from ingest.models import ScanSession
from ingest.roots import register_folder
from ingest.tests.pictures import Album
from library.tests.factories import make_user
from tests.browser.conftest import DESKTOP, PHONE

pytestmark = pytest.mark.django_db(transaction=True)
Visit = Callable[..., Any]


@pytest.fixture(autouse=True)
def album(tmp_path: Path, settings: Any) -> Album:
    """A known root with folders."""
    settings.DATA_DIR = tmp_path / "data"
    settings.THUMBNAIL_DIR = tmp_path / "data" / "renditions"
    settings.SETTLE_SECONDS = 0
    photos = Album(tmp_path / "photos")
    photos.put("2019/Italy/a.jpg", 1)
    photos.put("2019/Garden/b.jpg", 2)
    photos.put("2020/c.jpg", 3)
    return photos


@pytest.fixture
def visit(browser: Any, live_server: Any, transactional_db: None, album: Album) -> Iterator[Visit]:
    """Open an address as the owner; at the end nothing may have been forbidden or failed."""
    make_user("olga", owner=True)
    register_folder(str(album.folder))
    client = Client()
    client.login(username="olga", password="olga")
    [(name, session)] = [(key, value.value) for key, value in client.cookies.items() if "session" in key]
    faults: list[str] = []
    contexts = []

    def open_page(address: str, *, viewport: dict[str, int] = DESKTOP, **options: Any) -> Any:
        context = browser.new_context(viewport=viewport, **options)
        contexts.append(context)
        context.add_cookies([{"name": name, "value": session, "url": live_server.url}])
        page = context.new_page()
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.on("console", lambda message: faults.append(message.text) if message.type == "error" else None)
        page.set_default_timeout(15_000)
        page.goto(live_server.url + address)
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert not faults


def tick(page: Any, name: str) -> None:
    page.get_by_label(f"Choose {name}", exact=True).check()


def go_into(page: Any, name: str) -> None:
    page.get_by_role("button", name=f"Open {name}", exact=True).click()
    page.locator("[aria-current='page']", has_text=name).wait_for()


@pytest.mark.parametrize(
    ("viewport", "script"),
    [(DESKTOP, True), (PHONE, True), (DESKTOP, False)],
    ids=["desktop", "phone", "plain"],
)
def test_folders_are_ticked_here_and_there_and_started_together(
    visit: Visit, viewport: dict[str, int], *, script: bool
) -> None:
    page = visit("/sessions/new", viewport=viewport, java_script_enabled=script)
    go_into(page, "photos")
    tick(page, "2020")
    go_into(page, "2019")
    page.get_by_text("Chosen elsewhere").wait_for()
    tick(page, "Garden")
    page.get_by_text("Idle").click()
    page.get_by_role("button", name="Start").click()
    page.get_by_role("heading", name="Sessions").wait_for()
    assert "csrfmiddlewaretoken" not in page.url
    started = ScanSession.objects.order_by("subfolder").values_list("subfolder", "priority")
    assert [(bytes(folder), priority) for folder, priority in started] == [
        (b"2019/Garden", 40),
        (b"2020", 40),
    ]


def test_a_session_is_watched_held_and_ended_by_two_people(visit: Visit, album: Album) -> None:
    page = visit("/sessions/new")
    go_into(page, "photos")
    page.get_by_label("Everything in photos").check()
    page.get_by_role("button", name="Start").click()
    page.get_by_text("Waits for a worker").wait_for()
    tasks.walk_sessions()
    # The page asks by itself.
    page.get_by_text("3 left").wait_for()
    other = visit("/sessions/", viewport=PHONE)
    other.get_by_role("button", name="Pause").click()
    other.get_by_role("button", name="Resume").wait_for()
    page.get_by_role("button", name="Resume").wait_for()
    assert FilesLane().run() == 0
    page.get_by_role("button", name="Resume").click()
    page.get_by_role("button", name="Pause").wait_for()
    assert FilesLane().run() == 3
    page.get_by_role("button", name="High").click()
    page.locator("button[aria-pressed='true']", has_text="High").wait_for()
    page.get_by_role("link", name="2019", exact=True).click()
    page.get_by_role("link", name="Italy", exact=True).wait_for()
    page.get_by_role("button", name="Cancel").click()
    page.get_by_text("3 unfinished photos stay known").wait_for()
    page.get_by_role("link", name="Italy", exact=True).wait_for()
    page.get_by_role("button", name="Start again").click()
    page.get_by_text("Waits for a worker").wait_for()
    assert ScanSession.objects.count() == 2
