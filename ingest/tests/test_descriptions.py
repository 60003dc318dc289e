"""The step that is there only when it is asked for: what it writes, when it is due, and who finds it."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from ingest import progress
from ingest.models import StepRun
from ingest.runner import ModelsLane
from ingest.tests.engines import Engines
from ingest.tests.pictures import Album, attempts_of, states, steps_of
from library.models import Photo, PhotoDescription
from search.hybrid import search
from search.query import parse
from search.results import SearchResult

pytestmark = pytest.mark.django_db

State = Photo.State
Step = StepRun.Step
Status = StepRun.Status
SENTENCE = "A lighthouse stands on a rock."


@pytest.fixture
def on(settings: Any) -> Any:
    """Descriptions are asked for; the settings, to change one's mind."""
    settings.DESCRIPTIONS = True
    return settings


def taken_in(album: Album, count: int = 1) -> list[Photo]:
    for seed in range(count):
        album.put(f"{seed}.jpg", seed)
    album.take_in()
    return [album.photo(f"{seed}.jpg") for seed in range(count)]


def texts() -> dict[str, str]:
    rows = PhotoDescription.objects.order_by("pk")
    return dict(rows.values_list("photo__files__display_path", "text"))


def find(text: str, user: Any) -> SearchResult:
    return search(parse(text), user, mode="keyword")


def test_a_description_is_written_with_its_engine(album: Album, engines: Engines, on: Any) -> None:
    (photo,) = taken_in(album)
    assert steps_of(photo)["descriptions"] == Status.DONE
    assert (photo.model_description.text, photo.model_description.engine) == (SENTENCE, "fake_describer/1")
    assert photo.description == ""
    assert states() == {"0.jpg": State.COMPLETED}


def test_while_off_the_step_does_not_exist(
    album: Album, engines: Engines, owner: Any, owner_client: Client
) -> None:
    (photo,) = taken_in(album)
    album.process()
    assert "descriptions" not in steps_of(photo)
    assert engines.describer_fake.calls == 0
    assert states() == {"0.jpg": State.COMPLETED}
    page = owner_client.get("/status/").content.decode()
    assert "escriptions" not in page and "describer" not in page


def test_switched_on_it_is_due_for_every_photo_and_nothing_else_is(
    album: Album, engines: Engines, settings: Any, owner_client: Client
) -> None:
    photos = taken_in(album, 3)
    settings.DESCRIPTIONS = True
    album.process()
    assert set(texts().values()) == {SENTENCE} and len(texts()) == 3
    for photo in photos:
        assert set(attempts_of(photo).values()) == {1}
    page = owner_client.get("/status/").content.decode()
    assert "Descriptions" in page and "describer" in page
    assert [row["step"] for row in progress.steps()][-1] == "descriptions"


def test_switched_off_again_descriptions_stay(album: Album, engines: Engines, on: Any, owner: Any) -> None:
    (photo,) = taken_in(album)
    on.DESCRIPTIONS = False
    engines.describer_fake.version = "2"
    album.process()
    assert attempts_of(photo)["descriptions"] == 1
    assert [hit.photo_id for hit in find("lighthouse", owner).hits] == [photo.pk]
    assert "descriptions" not in {row["step"] for row in progress.steps()}


def test_photos_that_wait_when_it_is_switched_off_are_finished(
    album: Album, engines: Engines, on: Any
) -> None:
    (photo,) = taken_in(album)
    Photo.objects.update(state=State.PROCESSING_DESCRIPTIONS)
    on.DESCRIPTIONS = False
    album.process()
    assert states() == {"0.jpg": State.COMPLETED}
    assert attempts_of(photo)["descriptions"] == 1


def test_another_engine_writes_again_and_nothing_else_is_run(
    album: Album, engines: Engines, on: Any, owner: Any
) -> None:
    (photo,) = taken_in(album)
    engines.describer_fake.version, engines.describer_fake.text = "2", "A windmill turns."
    album.process()
    assert attempts_of(photo) == dict.fromkeys(attempts_of(photo), 1) | {"descriptions": 2}
    assert texts() == {"0.jpg": "A windmill turns."}
    assert find("windmill", owner).total == 1
    assert find("lighthouse", owner).total == 0


def test_without_weights_it_is_skipped_with_the_reason_and_runs_when_they_arrive(
    album: Album, engines: Engines, on: Any
) -> None:
    engines.absent = {"describer"}
    (photo,) = taken_in(album)
    run = StepRun.objects.get(photo=photo, step=Step.DESCRIPTIONS)
    assert (run.status, run.engine) == (Status.SKIPPED, "")
    assert run.error == "The weights of the describer are not there. Put them there."
    assert states() == {"0.jpg": State.COMPLETED}
    engines.absent = set()
    album.process()
    assert texts() == {"0.jpg": SENTENCE}


def test_a_photo_that_fails_is_partial_and_its_neighbours_are_not(
    album: Album, engines: Engines, on: Any
) -> None:
    def refuse(images: Any) -> None:
        if len(images) > 1 or engines.describer_fake.calls == 3:
            raise RuntimeError("no words")

    engines.describer_fake.before = refuse
    photos = taken_in(album, 3)
    assert states() == {"0.jpg": State.COMPLETED, "1.jpg": State.PARTIAL, "2.jpg": State.COMPLETED}
    run = StepRun.objects.get(photo=photos[1], step=Step.DESCRIPTIONS)
    assert (run.status, run.error) == (Status.FAILED, "RuntimeError: no words")
    assert set(texts()) == {"0.jpg", "2.jpg"}


def test_everything_else_is_known_of_every_photo_before_the_first_description(
    album: Album, engines: Engines, on: Any, owner: Any
) -> None:
    on.BATCH_SIZE = 2
    seen: list[tuple[int, int]] = []

    def look(images: Any) -> None:
        hashed = StepRun.objects.filter(step=Step.DUPLICATES, status=Status.DONE).count()
        seen.append((hashed, find("hello", owner).total))

    engines.describer_fake.before = look
    taken_in(album, 5)
    assert seen == [(5, 5)] * 3
    assert len(texts()) == 5
    assert set(states().values()) == {State.COMPLETED}


def test_a_new_photo_goes_before_the_descriptions_of_the_old_ones(
    album: Album, engines: Engines, on: Any
) -> None:
    on.BATCH_SIZE = 1

    def one_more(images: Any) -> None:
        if engines.describer_fake.calls == 1:
            album.put("new.jpg", 77)
            album.scan()
            album.read()

    engines.describer_fake.before = one_more
    taken_in(album, 4)
    order = list(
        StepRun.objects.filter(
            step__in=(Step.DUPLICATES, Step.DESCRIPTIONS), photo__files__display_path="new.jpg"
        )
        .order_by("pk")
        .values_list("step", "pk")
    )
    described = list(
        StepRun.objects.filter(step=Step.DESCRIPTIONS).order_by("pk").values_list("pk", flat=True)
    )
    assert order[0][0] == Step.DUPLICATES
    assert sum(pk > order[0][1] for pk in described) >= 3


def test_a_stop_in_the_middle_keeps_what_is_written_and_the_next_run_goes_on(
    album: Album, engines: Engines, on: Any
) -> None:
    for seed in range(10):
        album.put(f"{seed}.jpg", seed)
    album.scan()
    album.read()
    ModelsLane(should_stop=lambda: engines.describer_fake.calls >= 2).run()
    assert len(texts()) == 8
    assert not Photo.objects.filter(lease_until__isnull=False).exists()
    album.process()
    assert len(texts()) == 10
    assert engines.describer_fake.looked_at == 10
    assert set(states().values()) == {State.COMPLETED}


def test_a_crash_in_the_middle_loses_no_more_than_one_answer(album: Album, engines: Engines, on: Any) -> None:
    def die(images: Any) -> None:
        if engines.describer_fake.calls == 3:
            raise KeyboardInterrupt

    engines.describer_fake.before = die
    with pytest.raises(KeyboardInterrupt):
        taken_in(album, 10)
    assert len(texts()) == 8
    engines.describer_fake.before = lambda images: None
    album.process()
    assert len(texts()) == 10
    assert set(states().values()) == {State.COMPLETED}


def test_an_edited_file_loses_the_description_of_the_old_picture(
    album: Album, engines: Engines, on: Any
) -> None:
    taken_in(album)
    on.DESCRIPTIONS = False
    album.put("0.jpg", 99)
    album.take_in()
    assert texts() == {}
    on.DESCRIPTIONS = True
    album.process()
    assert texts() == {"0.jpg": SENTENCE}


def test_an_empty_answer_is_kept_as_such_and_not_asked_for_again(
    album: Album, engines: Engines, on: Any, owner_client: Client
) -> None:
    engines.describer_fake.text = "\0"
    (photo,) = taken_in(album)
    album.process()
    assert texts() == {"0.jpg": ""}
    assert attempts_of(photo)["descriptions"] == 1
    assert "Described by" not in owner_client.get(f"/photo/{photo.pk}").content.decode()
