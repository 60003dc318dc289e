"""The status page, the progress strip, and the same as JSON."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from ingest.models import ScanSession, StepRun
from ingest.tests.engines import Engines
from ingest.tests.pictures import Album
from library.actions.seed import seed_categories
from library.models import Photo, Root
from library.tests.factories import make_photo, make_root, make_user
from library.tests.pages import assert_sound
from vision.errors import EngineUnavailable

pytestmark = pytest.mark.django_db

State = Photo.State


@pytest.fixture(autouse=True)
def _fakes(engines: Engines) -> None:
    engines.absent = {"faces"}


@pytest.fixture
def root() -> Root:
    return make_root(name="The attic")


@pytest.fixture
def troubled(root: Root) -> None:
    """A failed photo and a skipped file, both with names that say something."""
    make_photo(
        "secret/name.jpg", root=root, state=State.FAILED, error_message="cut short", renditions_at=None
    )
    ScanSession.objects.create(
        root=root, status="finished", skipped=1, skips=[{"path": "secret/film.mov", "reason": "video"}]
    )


def page(client: Client, name: str = "status", **headers: str) -> str:
    response = client.get(reverse(f"ingest:{name}"), headers=headers)
    assert response.status_code == 200
    return assert_sound(response)


def test_strangers_are_sent_to_the_login(client: Client) -> None:
    for name in ("status", "progress", "stats"):
        response = client.get(reverse(f"ingest:{name}"))
        assert response.status_code == 302
        assert response["Location"].startswith(reverse("login"))


@pytest.mark.parametrize("name", ["status", "progress", "stats"])
def test_they_are_only_to_be_read(owner_client: Client, name: str) -> None:
    assert owner_client.post(reverse(f"ingest:{name}")).status_code == 405


def test_the_owner_sees_what_failed_and_what_was_left_out(owner_client: Client, troubled: None) -> None:
    html = page(owner_client)
    for words in ("secret/name.jpg", "cut short", "secret/film.mov", "video", "The attic"):
        assert words in html


def test_a_member_sees_no_names_of_files_and_folders(member_client: Client, troubled: None) -> None:
    html = page(member_client)
    for words in ("secret", "film.mov", "The attic"):
        assert words not in html
    assert "Everything is up to date" in html


def test_the_page_says_why_an_engine_is_off_and_what_helps(
    owner_client: Client, member_client: Client
) -> None:
    """Reasons name folders of the server, so they are for those who can do something about them."""
    html = page(owner_client)
    assert "fake_hasher/1" in html
    assert "The weights of the faces are not there." in html
    assert "Put them there." in html
    html = page(member_client)
    assert "fake_hasher/1" in html and ">off<" in html
    assert "The weights of the faces" not in html and "Put them there." not in html


def test_the_owner_is_told_what_an_engine_could_not_load(
    owner_client: Client, member_client: Client, album: Album, engines: Engines
) -> None:
    """Its files are there, so it counts as live; that no card is there is known when it is loaded."""

    def no_card(images: Any) -> None:
        raise EngineUnavailable("DEVICE=cuda is set, but there is no card.", "Set DEVICE=auto.")

    engines.reader_fake.before = no_card
    album.put("a.jpg", 1)
    album.put("b.jpg", 2)
    album.take_in()
    told = "2 photos were left out (ocr): DEVICE=cuda is set, but there is no card. Set DEVICE=auto."
    assert told in page(owner_client)
    assert json.loads(page(owner_client, "stats"))["warnings"] == [told]
    assert told not in page(member_client)
    assert json.loads(page(member_client, "stats"))["warnings"] == []
    engines.reader_fake.before = bool
    album.process()
    assert json.loads(page(owner_client, "stats"))["warnings"] == []


def test_the_page_shows_the_steps(member_client: Client) -> None:
    photo = make_photo()
    StepRun.objects.create(photo=photo, step="ocr", status="done", milliseconds=1234)
    assert "1234 ms" in page(member_client)


def test_an_empty_library_says_so(member_client: Client) -> None:
    assert "No photos yet" in page(member_client)
    assert "hx-trigger" not in page(member_client, "progress")


def test_the_strip_asks_again_while_there_is_work(member_client: Client) -> None:
    make_photo()
    waiting = make_photo(state=State.PENDING)
    html = page(member_client, "progress")
    assert f'hx-get="{reverse("ingest:progress")}"' in html
    assert 'hx-trigger="every 2s"' in html
    assert "1 of 2" in html
    Photo.objects.filter(pk=waiting.pk).update(state=State.COMPLETED)
    html = page(member_client, "progress")
    assert "hx-trigger" not in html
    assert "hx-get" not in html


def test_the_strip_is_a_fragment_that_is_never_cached(member_client: Client) -> None:
    response = member_client.get(reverse("ingest:progress"))
    assert response["Cache-Control"] == "no-store"
    html = response.content.decode()
    assert "<html" not in html
    assert 'id="progress"' in html


def test_the_strip_is_never_at_a_hundred_while_there_is_work(owner_client: Client) -> None:
    Photo.objects.bulk_create(Photo(state=State.COMPLETED) for _ in range(999))
    Photo.objects.create(state=State.PROCESSING_HASH)
    assert 'value="99"' in page(owner_client, "progress")


def test_stats_are_json(member_client: Client) -> None:
    seed_categories()
    photo = make_photo()
    make_photo(state=State.PROCESSING_OCR)
    StepRun.objects.create(photo=photo, step="hash", status="done", milliseconds=10)
    StepRun.objects.create(photo=photo, step="faces", status="skipped")
    response = member_client.get(reverse("ingest:stats"))
    assert response["Content-Type"] == "application/json"
    stats = response.json()
    assert stats["photos"] == {"total": 2, "completed": 1, "processing_ocr": 1}
    assert 50 <= stats["percent"] < 100
    assert stats["running"] is True
    assert [(row["step"], row["done"], row["skipped"]) for row in stats["steps"]] == [
        ("faces", 0, 1),
        ("hash", 1, 0),
    ]
    assert stats["engines"] == {
        "embedder": True,
        "tagger": True,
        "reader": True,
        "faces": False,
        "hasher": True,
    }


def test_members_count_only_what_they_may_see(member_client: Client, owner_client: Client) -> None:
    closed = make_root()
    closed.visible_to.add(make_user())
    make_photo(root=closed)
    assert owner_client.get("/api/stats").json()["photos"]["total"] == 1
    assert member_client.get("/api/stats").json()["photos"]["total"] == 0


def test_the_address_of_stats_is_as_promised() -> None:
    assert reverse("ingest:stats") == "/api/stats"


@pytest.mark.parametrize("name", ["status", "progress", "stats"])
def test_the_number_of_queries_does_not_grow_with_the_library(
    owner_client: Client, root: Root, name: str
) -> None:
    def fill(count: int) -> int:
        for _ in range(count):
            photo = make_photo(root=root, state=State.FAILED, error_message="cut short")
            StepRun.objects.create(photo=photo, step="preprocessing", status="failed", error="cut short")
            ScanSession.objects.create(root=root, skips=[{"path": "x", "reason": "y"}])
            make_photo(root=root, state=State.PENDING)
        with CaptureQueriesContext(connection) as captured:
            owner_client.get(reverse(f"ingest:{name}"))
        return len(captured)

    fill(1)
    assert fill(9) == fill(90)


def test_every_photo_shows_its_ledger(owner_client: Client) -> None:
    photo = make_photo()
    StepRun.objects.create(photo=photo, step="hash", status="failed", error="bad luck", engine="pdq/1")
    StepRun.objects.create(photo=photo, step="preprocessing", status="done", attempts=2)
    html = owner_client.get(reverse("library:photo", args=[photo.pk])).content.decode()
    ledger: Any = html[html.index('class="ledger"') :]
    assert ledger.index("Preprocessing") < ledger.index("Hash")
    assert "bad luck" in ledger
    assert "2 attempts" in ledger
