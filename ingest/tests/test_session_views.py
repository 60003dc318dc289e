"""The pages of sessions: choosing folders, the figures, the controls; with and without HTMX, for owners."""

from __future__ import annotations

import base64
import re
from pathlib import Path
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from ingest import counting, sessions, tasks
from ingest.models import ScanSession, SessionFolder, SessionStep
from ingest.retrying import By
from ingest.roots import register_folder
from ingest.session_progress import FOLDERS_A_PAGE
from ingest.tests.engines import Engines
from ingest.tests.pictures import Album
from library.models import Photo, Root
from library.tests.factories import make_root
from library.tests.pages import assert_sound

pytestmark = pytest.mark.django_db

State = Photo.State
LIST, NEW, START = (reverse(f"ingest:{name}") for name in ("sessions", "session_new", "session_start"))
HTMX = {"HX-Request": "true"}


@pytest.fixture(autouse=True)
def _fakes(engines: Engines) -> None:
    """No real engine."""


@pytest.fixture
def root(tmp_path: Path) -> Root:
    for folder in ("photos/2019/Italy", "photos/2020", "photos/<b>&?", "secret"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "photos" / "2020" / "out").symlink_to(tmp_path / "secret")
    return register_folder(str(tmp_path / "photos")).root


def token(root: Root, path: bytes = b"") -> str:
    return f"{root.pk}:{base64.urlsafe_b64encode(path).decode().rstrip('=')}"


def page(client: Client, url: str, status: int = 200, **headers: str) -> str:
    response = client.get(url, headers=headers)
    assert response.status_code == status
    return assert_sound(response)


def session_with(root: Root, folders: int = 0, **fields: Any) -> ScanSession:
    """A session whose folders hold a photo that is done and one that waits."""
    session = ScanSession.objects.create(root=root, **{"status": "finished", "found": 2 * folders} | fields)
    top = SessionFolder.objects.create(session=session, path=b"")
    for number in range(folders):
        row = SessionFolder.objects.create(
            session=session, parent=top, path=b"%03d" % number, found=2, taken=2
        )
        Photo.objects.create(scan=session.pk, scan_folder=row.pk)
        Photo.objects.create(scan_folder=row.pk, state=State.COMPLETED)
    counting.fold()
    return session


def url_of(session: ScanSession, action: str = "") -> str:
    if action:
        return reverse("ingest:session_control", args=[session.pk, action])
    return reverse("ingest:session", args=[session.pk])


def test_members_and_strangers_learn_nothing(client: Client, member_client: Client, root: Root) -> None:
    session = session_with(make_root(name="The attic"))
    for url in (LIST, NEW, f"{NEW}?at={token(root)}", url_of(session)):
        assert member_client.get(url).status_code == 403
        assert member_client.get(url, headers=HTMX).status_code == 403
        assert client.get(url).status_code == 302
    for url in (START, url_of(session, "pause"), url_of(session, "cancel")):
        assert member_client.post(url, {"pick": token(root)}).status_code == 403
        assert client.post(url).status_code == 302
    session.refresh_from_db()
    assert not session.paused and ScanSession.objects.count() == 1
    assert "attic" not in page(member_client, reverse("ingest:status"))


def test_pages_are_read_and_actions_are_posted(owner_client: Client, root: Root) -> None:
    session = session_with(root, 1)
    assert [owner_client.post(url).status_code for url in (LIST, NEW, url_of(session))] == [405] * 3
    assert [owner_client.get(url).status_code for url in (START, url_of(session, "pause"))] == [405] * 2
    strict = Client(enforce_csrf_checks=True)
    strict.cookies = owner_client.cookies
    for url in (START, url_of(session, "pause")):
        assert strict.post(url, {"pick": token(root)}).status_code == 403


def test_the_browser_goes_down_and_up_and_shows_no_links(owner_client: Client, root: Root) -> None:
    html = page(owner_client, NEW)
    assert root.name in html and root.display_path in html
    html = page(owner_client, f"{NEW}?at={token(root)}")
    assert "Open 2019" in html and "Open &lt;b&gt;&amp;?" in html and "<b>&" not in html
    html = page(owner_client, f"{NEW}?at={token(root, b'2020')}")
    assert "No folders in here." in html and "Open out" not in html
    fragment = page(owner_client, f"{NEW}?at={token(root, b'2019')}", **HTMX)
    assert (
        fragment.lstrip().startswith("{#") is False and "<html" not in fragment and 'id="browser"' in fragment
    )
    assert "Open Italy" in fragment


@pytest.mark.parametrize(
    "at", ["..", "1:..", "x:", "{pk}:Li4", "{pk}:L2V0Yw", "{pk}:AA", "999:", "{pk}:MjAyMC9vdXQ", "\0"]
)
def test_the_browser_answers_no_path_that_leads_out(owner_client: Client, root: Root, at: str) -> None:
    response = owner_client.get(NEW, {"at": at.replace("{pk}", str(root.pk))})
    assert response.status_code == 404
    assert "secret" not in assert_sound(response)
    response = owner_client.post(START, {"pick": at.replace("{pk}", str(root.pk))})
    assert response.status_code == 400
    assert not ScanSession.objects.exists()


def test_what_is_ticked_goes_along_from_folder_to_folder(owner_client: Client, root: Root) -> None:
    italy = token(root, b"2019/Italy")
    html = page(owner_client, f"{NEW}?at={token(root, b'2020')}&pick={italy}&priority=low")
    assert "Chosen elsewhere" in html and "2019/Italy" in html
    assert re.search(r'value="low" checked', html)
    html = page(owner_client, f"{NEW}?at={token(root, b'2019')}&pick={italy}")
    assert "Chosen elsewhere" not in html
    assert re.search(rf'value="{italy}" checked', html)


def test_the_token_of_the_form_is_in_its_button_only(owner_client: Client, root: Root) -> None:
    """The form is sent by GET to go into a folder: nothing secret may get into the address."""
    html = page(owner_client, f"{NEW}?at={token(root)}")
    assert html.count("csrfmiddlewaretoken") - html.count('type="hidden" name="csrfmiddlewaretoken"') == 1
    form = html[html.index('<form id="browser"') :]
    assert 'type="hidden" name="csrfmiddlewaretoken"' not in form[: form.index("</form>")]


def test_chosen_folders_become_sessions(owner_client: Client, root: Root) -> None:
    one = owner_client.post(START, {"pick": token(root, b"2019"), "priority": "low"})
    session = ScanSession.objects.get()
    assert one["Location"] == url_of(session)
    assert (bytes(session.subfolder), session.priority, session.status) == (b"2019", 30, "queued")
    assert session.started_by is not None
    inner = [token(root, path) for path in (b"2020", b"2019", b"2019/Italy")]
    several = owner_client.post(START, {"pick": inner, "priority": "nonsense"})
    assert several["Location"] == LIST
    # One that waits already stays one, and what lies inside another choice is part of it.
    assert sorted(bytes(row.subfolder) for row in ScanSession.objects.all()) == [b"2019", b"2020"]


def test_nothing_is_started_when_one_of_the_folders_is_gone(owner_client: Client, root: Root) -> None:
    picks = [token(root, b"2020"), token(root, b"2021")]
    response = owner_client.post(START, {"pick": picks, "here": token(root), "priority": "high"})
    assert response.status_code == 400
    html = assert_sound(response)
    assert "2021 cannot be read: No such file or directory." in html and "Open 2019" in html
    assert re.search(rf'value="{picks[0]}" checked', html) and re.search(r'value="high" checked', html)
    assert not ScanSession.objects.exists()
    assert "Choose a folder first." in owner_client.post(START, {}).content.decode()


def test_the_figures_of_a_session(owner_client: Client, root: Root) -> None:
    session = session_with(root, 2)
    SessionStep.objects.create(session=session, step="ocr", status="done", runs=4, milliseconds=4936)
    SessionStep.objects.create(session=session, step="ocr", status="failed", reason="OSError: <n>", runs=3)
    html = page(owner_client, url_of(session))
    for words in (
        "4 found",
        "2 done",
        "2 left",
        "50 %",
        "waiting to be read",
        "1234 ms",
        "OSError: &lt;n&gt;",
    ):
        assert words in html
    assert f'hx-get="{url_of(session)}"' in html and 'hx-trigger="every 2s"' in html
    fragment = page(owner_client, url_of(session), **HTMX)
    assert "<html" not in fragment and 'id="session"' in fragment


def test_what_does_not_move_is_not_asked_for_again(owner_client: Client, root: Root) -> None:
    session = session_with(root, 1, paused=True)
    assert "hx-trigger" not in page(owner_client, url_of(session))
    assert "hx-trigger" not in page(owner_client, LIST)
    ScanSession.objects.update(paused=False)
    assert "hx-trigger" in page(owner_client, LIST)


def test_folders_are_looked_into_page_by_page(owner_client: Client, root: Root) -> None:
    session = session_with(root, FOLDERS_A_PAGE + 1)
    html = page(owner_client, url_of(session))
    assert ">000</a>" in html and f">{FOLDERS_A_PAGE:03}</a>" not in html
    (following,) = re.findall(r'href="([^"]*after=[^"]*)"', html)
    assert f">{FOLDERS_A_PAGE:03}</a>" in page(owner_client, following.replace("&amp;", "&"))
    inner = SessionFolder.objects.get(session=session, path=b"000")
    html = page(owner_client, f"{url_of(session)}?in={inner.pk}")
    assert '<span aria-current="page">000</span>' in html
    other = session_with(root, 1)
    assert owner_client.get(f"{url_of(other)}?in={inner.pk}").status_code == 404
    assert owner_client.get(f"{url_of(other)}?in=x&after=y").status_code == 200


@pytest.mark.parametrize("headers", [{}, HTMX])
def test_the_controls(owner_client: Client, root: Root, headers: dict[str, str]) -> None:
    session = session_with(root, 1)

    def press(action: str, **fields: str) -> str:
        response = owner_client.post(url_of(session, action), fields, headers=headers)
        if headers:
            return assert_sound(response)
        assert response["Location"] == (LIST if fields.get("from") == "list" else url_of(session))
        return page(owner_client, response["Location"])

    assert "Resume" in press("pause")
    assert "Pause" in press("resume", **{"from": "list"})
    assert re.search(r'value="idle" aria-pressed="true"', press("priority", priority="idle"))
    assert "1 unfinished photo stays known" in press("cancel")
    assert owner_client.post(url_of(session, "priority"), {"priority": "upload"}).status_code == 404
    assert owner_client.post(url_of(session, "explode")).status_code == 404
    session.refresh_from_db()
    assert (session.status, session.priority) == ("cancelled", Photo.Priority.IDLE)


def test_two_browsers_at_once_see_each_others_doing(owner_client: Client, owner: Any, root: Root) -> None:
    other = Client()
    other.force_login(owner)
    session = session_with(root, 1)
    other.post(url_of(session, "cancel"))
    response = owner_client.post(url_of(session, "pause"), follow=True)
    assert f"Session {session.pk} is cancelled." in assert_sound(response)
    again = owner_client.post(url_of(session, "again"))
    second = other.post(url_of(session, "again"))
    assert again["Location"] == second["Location"] != url_of(session)
    other.post(url_of(ScanSession.objects.latest("pk"), "pause"))
    assert "Resume" in page(owner_client, again["Location"])


def test_a_number_of_queries_that_does_not_grow(owner_client: Client, root: Root) -> None:
    def queries(url: str) -> int:
        with CaptureQueriesContext(connection) as captured:
            page(owner_client, url, **HTMX)
        return len(captured)

    few = session_with(root, 2)
    once = queries(LIST), queries(url_of(few)), queries(reverse("ingest:status"))
    for _ in range(12):
        many = session_with(make_root(), 12)
    assert (queries(LIST), queries(url_of(many)), queries(reverse("ingest:status"))) == once


def test_a_tree_as_it_really_comes_about(owner_client: Client, album: Album) -> None:
    album.put("2019/Italy/a.jpg", 1)
    album.put("2019/b.jpg", b"no picture")
    target = register_folder(str(album.folder))
    (session,) = sessions.start(targets=[target], priority=20, by=By(None, "test"))
    html = page(owner_client, url_of(session))
    assert "Waits for a worker" in html
    assert "queued" in page(owner_client, reverse("ingest:status"))
    tasks.walk_sessions()
    album.process()
    html = page(owner_client, url_of(session))
    assert "1 done" in html and "1 failed" in html and "Start again" in html
    italy = SessionFolder.objects.get(session=session, path=b"2019/Italy")
    html = page(owner_client, f"{url_of(session)}?in={italy.pk}")
    assert f'href="{url_of(session)}?in={italy.parent_id}"' in html


def test_the_strip_tells_of_photos_that_are_held(owner_client: Client, root: Root) -> None:
    session = session_with(root, 3, paused=True)
    html = page(owner_client, reverse("ingest:progress"))
    assert "3 photos wait" in html and "3 of 6 are done" in html and "hx-trigger" not in html
    ScanSession.objects.filter(pk=session.pk).update(paused=False)
    assert "hx-trigger" in page(owner_client, reverse("ingest:progress"))
