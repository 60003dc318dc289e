"""Adding photos in a real browser: picked, dropped, broken off, known, refused, without a script."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from django.test import Client

from ingest import upload_views, uploads
from ingest.files_lane import FilesLane
from ingest.models import Upload
from ingest.tests.pictures import jpeg
from library.models import Photo, PhotoFile
from library.tests.factories import make_user
from tests.browser.conftest import DESKTOP, PHONE
from vision.tests.imaging_support import encoded, noise

pytestmark = pytest.mark.django_db(transaction=True)
Visit = Callable[..., Any]


@pytest.fixture(autouse=True)
def _own_folders(tmp_path: Path, settings: Any) -> None:
    settings.DATA_DIR = tmp_path / "data"
    settings.THUMBNAIL_DIR = tmp_path / "data" / "renditions"
    settings.DATA_DIR.mkdir()
    settings.UPLOAD_MIN_FREE = 0


@pytest.fixture
def files(tmp_path: Path) -> list[str]:
    """Three small pictures on the disk of the person at the browser."""
    folder = tmp_path / "theirs"
    folder.mkdir()
    paths = [folder / f"picture {number}.jpg" for number in range(3)]
    for number, path in enumerate(paths):
        path.write_bytes(jpeg(number, (240, 160)))
    return [str(path) for path in paths]


@pytest.fixture
def large(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A picture of many pieces."""
    monkeypatch.setattr(upload_views, "CHUNK_BYTES", 50_000)
    path = tmp_path / "large.jpg"
    path.write_bytes(encoded(noise(1400, 1000, seed=9), quality=95))
    assert 200_000 < path.stat().st_size < 1_000_000
    return path


@pytest.fixture
def visit(browser: Any, live_server: Any, transactional_db: None) -> Iterator[Visit]:
    """Open an address as a member of the family; at the end nothing may have been forbidden or failed."""
    make_user("max")
    client = Client()
    client.login(username="max", password="max")
    [(name, session)] = [(key, value.value) for key, value in client.cookies.items() if "session" in key]
    faults: list[str] = []
    contexts = []

    def open_page(address: str = "/", *, viewport: dict[str, int] = DESKTOP, **options: Any) -> Any:
        context = browser.new_context(viewport=viewport, **options)
        contexts.append(context)
        context.add_cookies([{"name": name, "value": session, "url": live_server.url}])
        page = context.new_page()
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.on("console", lambda message: _note(faults, message))
        page.set_default_timeout(15_000)
        page.goto(live_server.url + address)
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert not faults


def _note(faults: list[str], message: Any) -> None:
    # Refusals and broken connections are what some of these tests are about.
    if message.type == "error" and "Failed to load resource" not in message.text:
        faults.append(message.text)


def rows(page: Any, state: str = "") -> Any:
    return page.locator(f"#uploader-list li{'.' + state if state else ''}")


def wait_for_rows(page: Any, state: str, number: int) -> None:
    page.wait_for_function(
        "([state, n]) => document.querySelectorAll(`#uploader-list li.${state}`).length === n",
        arg=[state, number],
    )


def offsets_sent(page: Any) -> list[int]:
    """Where the pieces belong that this page sends from now on."""
    offsets: list[int] = []

    def note(request: Any) -> None:
        if request.method == "PATCH":
            offsets.append(int(request.headers["upload-offset"]))

    page.on("request", note)
    return offsets


def stored() -> list[str]:
    return sorted(file.name for file in PhotoFile.objects.all())


def test_picked_photos_are_added_and_shown(visit: Visit, files: list[str]) -> None:
    page = visit()
    with page.expect_file_chooser() as chooser:
        page.click("#uploader-open")
    assert chooser.value.is_multiple()
    chooser.value.set_files(files)
    wait_for_rows(page, "finished", 3)
    assert stored() == ["picture 0.jpg", "picture 1.jpg", "picture 2.jpg"]
    assert set(Upload.objects.values_list("sha256", flat=True)) == set(
        Photo.objects.values_list("sha256", flat=True)
    )
    FilesLane().run()
    page.wait_for_function("() => document.querySelectorAll('#uploader-list .thumb img').length === 3")
    page.get_by_text("Show them in the timeline").click()
    page.wait_for_function("() => document.querySelectorAll('#timeline .tile').length === 3")


def test_dropped_photos_are_added(visit: Visit, files: list[str]) -> None:
    page = visit()
    content = base64.b64encode(Path(files[0]).read_bytes()).decode()
    transfer = page.evaluate_handle(
        """(content) => {
            const bytes = Uint8Array.from(atob(content), (char) => char.charCodeAt(0));
            const transfer = new DataTransfer();
            transfer.items.add(new File([bytes], "dropped.jpg", { type: "image/jpeg" }));
            return transfer;
        }""",
        content,
    )
    page.dispatch_event("main", "dragenter", {"dataTransfer": transfer})
    assert page.locator("#uploader-drop").is_visible()
    page.dispatch_event("main", "dragover", {"dataTransfer": transfer})
    page.dispatch_event("main", "drop", {"dataTransfer": transfer})
    assert not page.locator("#uploader-drop").is_visible()
    wait_for_rows(page, "finished", 1)
    assert stored() == ["dropped.jpg"]


def test_a_known_photo_is_not_sent_again(visit: Visit, files: list[str]) -> None:
    page = visit()
    page.set_input_files("#uploader-files", files[:1])
    wait_for_rows(page, "finished", 1)
    offsets = offsets_sent(page)
    page.reload()
    page.set_input_files("#uploader-files", files[:1])
    wait_for_rows(page, "finished", 1)
    assert "in the library already" in rows(page).inner_text()
    assert not offsets
    assert PhotoFile.objects.count() == 1


def test_a_closed_tab_goes_on_where_it_was(visit: Visit, large: Path) -> None:
    page = visit()
    sent: list[int] = []

    def only_three(route: Any) -> None:
        if route.request.method == "PATCH" and len(sent) >= 3:
            return  # it never arrives, as when the network stalls
        if route.request.method == "PATCH":
            sent.append(int(route.request.headers["upload-offset"]))
        route.continue_()

    page.route("**/api/uploads/*", only_three)
    page.set_input_files("#uploader-files", str(large))
    page.wait_for_function("() => Number(document.querySelector('#uploader-list progress').value) > 10")
    page.wait_for_timeout(500)
    page.close()
    assert sent == [0, 50_000, 100_000]
    assert PhotoFile.objects.count() == 0

    again = visit()
    again.wait_for_function(
        "() => document.querySelector('#uploader-list .state')?.textContent.startsWith('broken off')"
    )
    # What stalled may have gone out when the tab was closed; what is there counts.
    arrived = uploads.offset(Upload.objects.get())
    assert 150_000 <= arrived < large.stat().st_size
    offsets = offsets_sent(again)
    again.set_input_files("#uploader-files", str(large))
    wait_for_rows(again, "finished", 1)
    assert offsets[0] >= arrived
    assert rows(again).count() == 1
    assert stored() == ["large.jpg"]


def test_a_connection_that_comes_back_is_used_again(visit: Visit, large: Path) -> None:
    page = visit()
    failures = [1, 1]

    def flaky(route: Any) -> None:
        if route.request.method == "PATCH" and failures and route.request.headers["upload-offset"] != "0":
            failures.pop()
            route.abort("connectionreset")
        else:
            route.continue_()

    page.route("**/api/uploads/*", flaky)
    page.set_input_files("#uploader-files", str(large))
    wait_for_rows(page, "finished", 1)
    assert stored() == ["large.jpg"]


def test_what_is_refused_says_why_and_can_be_tried_again(
    visit: Visit, files: list[str], settings: Any, tmp_path: Path
) -> None:
    page = visit()
    notes = tmp_path / "notes.txt"
    notes.write_text("x")
    settings.UPLOAD_QUOTA = 10
    page.set_input_files("#uploader-files", [files[0], str(notes)])
    wait_for_rows(page, "failed", 2)
    texts = " ".join(rows(page).all_inner_texts())
    assert "picture 0.jpg does not fit: you have used up what you may upload." in texts
    assert "notes.txt: files .txt are no pictures that this library takes." in texts
    assert "2 could not be added" in page.locator("#uploader-summary").inner_text()
    settings.UPLOAD_QUOTA = 0
    page.get_by_role("button", name="Try picture 0.jpg again").click()
    wait_for_rows(page, "finished", 1)
    page.get_by_role("button", name="Remove notes.txt").click()
    assert rows(page).count() == 1


def test_an_upload_can_be_cancelled(visit: Visit, large: Path, settings: Any) -> None:
    page = visit()
    page.route(
        "**/api/uploads/*",
        lambda route: None if route.request.method == "PATCH" else route.continue_(),
    )
    page.set_input_files("#uploader-files", str(large))
    page.wait_for_function("() => document.querySelector('#uploader-list .state').textContent === '0 %'")
    with page.expect_response(lambda response: response.request.method == "DELETE"):
        page.get_by_role("button", name="Remove large.jpg").click()
    assert rows(page).count() == 0
    assert not Upload.objects.exists()
    assert not list((settings.DATA_DIR / "incoming").iterdir())


def test_on_a_page_that_is_not_secure_the_server_compares(visit: Visit, files: list[str]) -> None:
    """As on plain HTTP in a home network, where browsers have no crypto.subtle."""
    page = visit()
    page.evaluate("Object.defineProperty(window, 'isSecureContext', { value: false })")
    for _ in range(2):
        page.set_input_files("#uploader-files", files[:1])
        page.wait_for_function(
            "() => !document.querySelector('#uploader-summary').textContent.includes('to go')"
        )
    wait_for_rows(page, "finished", 2)
    assert "in the library already" in rows(page).last.inner_text()
    assert stored() == ["picture 0.jpg"]


def test_by_keyboard(visit: Visit, files: list[str]) -> None:
    page = visit()
    page.focus("#uploader-open")
    choosers: list[Any] = []
    page.on("filechooser", lambda chooser: choosers.append(chooser))
    for done, key in enumerate(("Enter", " "), start=1):
        page.wait_for_timeout(300)  # the browser has to hear that choosers are listened to
        page.keyboard.press(key)
        page.wait_for_timeout(300)
        assert len(choosers) == done, key
        choosers[-1].set_files(files[done])
        wait_for_rows(page, "finished", done)
    page.focus("#uploader-open")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Clear list"
    page.keyboard.press("Enter")
    assert rows(page).count() == 0
    assert page.evaluate("document.activeElement.id") == "uploader-open"


def test_on_a_phone_nothing_is_wider_than_the_screen(visit: Visit, files: list[str], tmp_path: Path) -> None:
    long = tmp_path / ("a very long name " * 8 + ".jpg")
    long.write_bytes(jpeg(5))
    page = visit(viewport=PHONE, color_scheme="dark")
    page.set_input_files("#uploader-files", [*files, str(long)])
    wait_for_rows(page, "finished", 4)
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    for button in rows(page).locator("button:visible").all():
        assert button.bounding_box()["height"] >= 38


def test_without_a_script_the_link_leads_to_a_form(visit: Visit, files: list[str]) -> None:
    page = visit(java_script_enabled=False)
    page.click("#uploader-open")
    page.set_input_files("#files", files)
    page.click("main button[type=submit]")
    assert "3 photos added." in page.locator(".messages").inner_text()
    assert PhotoFile.objects.count() == 3
