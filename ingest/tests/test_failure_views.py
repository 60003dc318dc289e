"""The pages about failures and work, and the same in the admin."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from ingest import tallies
from ingest.models import LostLease, StepRun, WorkerReport
from ingest.reasons import normalise
from ingest.tests.engines import Engines
from library.models import AuditEvent, Photo, Root
from library.tests.factories import make_photo, make_root
from library.tests.pages import assert_sound

pytestmark = pytest.mark.django_db

State = Photo.State
PAGES = ("failures", "work")


@pytest.fixture(autouse=True)
def root() -> Root:
    return make_root()


def failed(error: str, step: str = "ocr", **fields: Any) -> StepRun:
    photo = make_photo(**{"state": State.PARTIAL, **fields})
    return StepRun.objects.create(
        photo=photo,
        step=step,
        status="failed",
        error=error,
        reason=normalise(error),
        engine="e/1",
        attempts=2,
    )


def poisoned() -> Photo:
    photo = make_photo(state=State.FAILED, lost_leases=3, error_message="died")
    for number in range(3):
        LostLease.objects.create(
            photo=photo,
            worker=f"gpu-box:{100 + number}:9",
            state="processing_faces",
            cause="died",
            beside=0 if number else 31,
            at=timezone.now(),
        )
    return photo


def page(client: Client, name: str = "failures", **query: str) -> str:
    response = client.get(reverse(f"ingest:{name}"), query)
    assert response.status_code == 200
    return assert_sound(response)


def post(client: Client, **form: Any) -> str:
    response = client.post(reverse("ingest:retry"), form, follow=True)
    assert response.redirect_chain == [(reverse("ingest:failures"), 302)]
    return assert_sound(response)


def test_failures_are_grouped_by_step_and_reason(owner_client: Client) -> None:
    for number in range(3):
        failed(f"OSError: page {number} of '/x/{number}.jpg'")
    failed("<b>bold</b>", step="hash")
    html = page(owner_client)
    assert "OSError: page &lt;number&gt; of &lt;path&gt;" in html
    assert '<span class="badge bad number">3</span>' in html
    assert "<b>bold" not in html
    assert html.index('id="step-ocr"') < html.index('id="step-hash"')


def test_one_class_lists_its_photos_page_by_page(
    owner_client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ingest.failure_views.PAGE", 2)
    runs = [failed(f"OSError: {n}") for n in range(3)]
    failed("ValueError: other")
    html = page(owner_client, step="ocr", reason="OSError: <number>")
    assert [f"OSError: {n}</p>" in html for n in range(3)] == [True, True, False]
    assert f"after={runs[1].pk}" in html
    html = page(owner_client, step="ocr", reason="OSError: <number>", after=str(runs[1].pk))
    assert "OSError: 2</p>" in html
    assert "other" not in html
    assert "First page" in html


@pytest.mark.parametrize(
    "query",
    [{"step": "ocr", "reason": "a\0b"}, {"step": "ocr", "after": "x"}, {"step": "none"}, {"after": "²"}],
)
def test_odd_queries_are_answered(owner_client: Client, query: dict[str, str]) -> None:
    page(owner_client, **query)


def test_a_photo_set_aside_tells_its_story(owner_client: Client) -> None:
    poisoned()
    html = page(owner_client)
    assert "Set aside" in html
    assert html.count("processing faces</strong>: process") == 3
    assert "gpu-box" in html and ">102<" in html
    assert "with 31 other photos in hand" in html
    assert html.count("with this photo alone in hand") == 2


def test_a_class_is_retried_and_the_answer_says_what_was_opened(owner_client: Client, owner: Any) -> None:
    one, other = failed("OSError: 1"), failed("ValueError: x")
    html = post(owner_client, scope="class", step="ocr", reason="OSError: <number>")
    assert "1 photo was opened, 1 step to be run again." in html
    one.refresh_from_db(), other.refresh_from_db()
    assert (one.status, other.status) == ("pending", "failed")
    event = AuditEvent.objects.get()
    assert (event.actor, event.after["photos"], event.after["by"]) == (owner, 1, "page")
    assert event.before == {"step": "ocr", "reason": "OSError: <number>"}


def test_one_photo_all_and_those_set_aside_are_retried(owner_client: Client) -> None:
    one = failed("OSError: 1")
    failed("ValueError: x"), failed("ValueError: x", step="hash")
    aside = poisoned()
    assert "1 photo was opened" in post(owner_client, scope="photo", photo=one.photo_id)
    assert "2 photos were opened" in post(owner_client, scope="all")
    aside.refresh_from_db()
    assert aside.state == State.FAILED
    assert "1 photo was opened" in post(owner_client, scope="set aside", photo=aside.pk)
    assert "Nothing to run again" in post(owner_client, scope="set aside")
    assert "Nothing has failed" in page(owner_client)
    assert AuditEvent.objects.count() == 3


@pytest.mark.parametrize(
    "form", [{}, {"scope": "photo"}, {"scope": "photo", "photo": "x"}, {"scope": "class", "step": "all"}]
)
def test_a_form_that_says_nothing_opens_nothing(owner_client: Client, form: dict[str, str]) -> None:
    run = failed("OSError: 1")
    assert "Nothing was chosen" in post(owner_client, **form)
    run.refresh_from_db()
    assert run.status == "failed"


def test_pages_are_for_owners(member_client: Client) -> None:
    run = failed("OSError: 1")
    for name in PAGES:
        assert member_client.get(reverse(f"ingest:{name}")).status_code == 403
        assert Client().get(reverse(f"ingest:{name}")).status_code == 302
    assert member_client.post(reverse("ingest:retry"), {"scope": "all"}).status_code == 403
    assert Client(enforce_csrf_checks=True).post(reverse("ingest:retry"), {"scope": "all"}).status_code == 403
    run.refresh_from_db()
    assert run.status == "failed"
    assert member_client.get(reverse("ingest:retry")).status_code == 405


def test_work_shows_queues_engines_and_cards(owner_client: Client) -> None:
    make_photo(state=State.PENDING, priority=Photo.Priority.IDLE)
    runs = [StepRun(step="ocr", engine="rapid/1", status="done", milliseconds=100) for _ in range(3)]
    tallies.count([*runs, StepRun(step="ocr", engine="rapid/1", status="failed", milliseconds=900)])
    tallies.count([StepRun(step="faces", engine="", status="skipped")])
    cards = [{"name": "Card", "used_mib": 23_000, "total_mib": 24_000}]
    WorkerReport.objects.create(worker="gpu-box:7:1", process_mib=1234, gpus=cards, at=timezone.now())
    html = page(owner_client, "work")
    for words in ("idle", "rapid/1", "75.0%", "100 ms", "no engine was there", "1,234 MiB", "nearly full"):
        assert words in html, words


@pytest.mark.parametrize("name", PAGES)
def test_the_number_of_queries_does_not_grow(owner_client: Client, name: str) -> None:
    def fill(count: int) -> int:
        for number in range(count):
            run = failed(f"OSError {'abcdefghij'[number % 10] * (number + 1)}")
            tallies.count([run])
            poisoned()
        with CaptureQueriesContext(connection) as captured:
            owner_client.get(reverse(f"ingest:{name}"))
        return len(captured)

    fill(1)
    assert fill(5) == fill(20) <= 12


def test_the_queries_of_one_class_do_not_grow(owner_client: Client) -> None:
    def look(count: int) -> int:
        for _ in range(count):
            failed("OSError: 1")
        with CaptureQueriesContext(connection) as captured:
            page(owner_client, step="ocr", reason="OSError: <number>")
        return len(captured)

    look(1)
    assert look(5) == look(20)


def test_the_admin_groups_and_retries(owner_client: Client, member_client: Client, owner: Any) -> None:
    run = failed("OSError: 1")
    address = reverse("admin:ingest_steprun_failures")
    assert address in owner_client.get(reverse("admin:ingest_steprun_changelist")).content.decode()
    html = owner_client.get(address).content.decode()
    assert "OSError: &lt;number&gt;" in html
    listed = owner_client.get(
        reverse("admin:ingest_steprun_changelist"),
        {"status__exact": "failed", "step__exact": "ocr", "reason__exact": run.reason},
    )
    assert listed.status_code == 200
    assert member_client.get(address).status_code == 302
    owner_client.post(address, {"step": "ocr", "reason": run.reason})
    run.refresh_from_db()
    assert run.status == "pending"
    assert AuditEvent.objects.get().after["by"] == "admin"


def test_the_admin_runs_a_step_of_a_selection_again(
    owner_client: Client, owner: Any, engines: Engines
) -> None:
    photo = make_photo()
    run = StepRun.objects.create(photo=photo, step="hash", status="done", engine="pdq")
    address = reverse("admin:library_photo_changelist")
    form = {"action": "run_step_again", "_selected_action": [photo.pk]}
    html = owner_client.post(address, form, follow=True).content.decode()
    assert "Choose the step beside the action" in html
    html = owner_client.post(address, {**form, "step": "hash"}, follow=True).content.decode()
    assert "1 photo was opened, 1 step to be run again" in html
    run.refresh_from_db()
    assert run.status == "pending"
    event = AuditEvent.objects.get()
    assert (event.actor, event.action) == (owner, "reprocess")
    assert event.before == {"steps": ["hash"], "selection": "admin", "ids": [photo.pk]}
