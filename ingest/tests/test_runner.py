"""The models lane: batches, isolation, re-runs, and what is never written."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from django.db import DatabaseError, InterfaceError, connections
from django.utils import timezone

from ingest import ledger
from ingest.batch import ImageVectors
from ingest.ledger import retry, retry_photos
from ingest.models import StepRun
from ingest.pipeline import steps as steps_in_use
from ingest.runner import ModelsLane, never
from ingest.steps import hash as hash_step
from ingest.steps.faces import FacesStep
from ingest.tests.engines import Engines
from ingest.tests.pictures import Album, attempts_of, states, steps_of
from library.actions.seed import seed_categories
from library.models import (
    Category,
    EmbeddingSpace,
    OcrText,
    Photo,
    PhotoEmbedding,
    PhotoHash,
    Tag,
    TagMapping,
)
from library.storage import rendition_path
from library.tests.factories import make_photo
from people.models import Face
from vision.errors import EngineFailed, EngineUnavailable
from vision.results import RGBImage

pytestmark = pytest.mark.django_db

State = Photo.State
Step = StepRun.Step
Status = StepRun.Status
MODEL_STEPS = [step.name.value for step in steps_in_use()]


@pytest.fixture(autouse=True)
def _words(db: None) -> None:
    category = Category.objects.create(slug="things", name="Things")
    TagMapping.objects.create(tag=Tag.objects.create(name="thing"), category=category)


def ready(album: Album, count: int = 1) -> list[Photo]:
    """Photos that were read and wait for the models."""
    for seed in range(count):
        album.put(f"{seed}.jpg", seed)
    album.scan()
    album.read()
    return [album.photo(f"{seed}.jpg") for seed in range(count)]


def done(album: Album, count: int = 1) -> list[Photo]:
    photos = ready(album, count)
    album.process()
    assert set(states().values()) == {State.COMPLETED}
    return photos


def lose_previews(settings: Any) -> None:
    shutil.rmtree(Path(settings.THUMBNAIL_DIR) / "preview")


def only(mean: float) -> Callable[[RGBImage], bool]:
    return lambda image: bool(np.isclose(image.mean(), mean, atol=1e-6))


def means(photo: Photo) -> float:
    from vision.imaging.open import load_rgb

    return float(load_rgb(rendition_path(photo.sha256 or "", "preview")).mean())


def fail_on(photo: Photo, error: BaseException) -> Callable[[Any], None]:
    """A hook that raises when this photo's picture is among those looked at."""
    is_it = only(means(photo))

    def hook(images: Any) -> None:
        if any(is_it(image) for image in images):
            raise error

    return hook


def test_every_step_saves_what_it_saw_and_the_photo_is_complete(album: Album, engines: Engines) -> None:
    (photo,) = done(album)
    assert list(steps_of(photo)) == ["preprocessing", *MODEL_STEPS]
    assert set(steps_of(photo).values()) == {Status.DONE}
    assert [tag.tag.name for tag in photo.detected_objects.all()] == ["thing"]
    assert photo.detected_objects.get().category == Category.objects.get()
    assert len(photo.embeddings.get().vector) == 12
    assert (photo.ocr_text.text, photo.ocr_text.language) == ("hello", "en")
    assert photo.ocr_text.blocks == [{"text": "hello", "confidence": 0.9, "box": [0.1, 0.1, 0.5, 0.1]}]
    assert photo.faces.get().x == pytest.approx(0.4)
    assert photo.hash.quality
    photo.refresh_from_db()
    assert (photo.state, photo.leased_by, photo.lease_until) == (State.COMPLETED, "", None)


def test_the_ledger_names_the_engine_and_the_time(album: Album, engines: Engines) -> None:
    (photo,) = done(album)
    run = StepRun.objects.get(photo=photo, step=Step.OCR)
    assert (run.engine, run.attempts, run.error) == ("fake_reader/1", 1, "")
    assert run.milliseconds >= 0


def test_a_vector_is_computed_once_for_tags_and_meaning(album: Album, engines: Engines) -> None:
    done(album, 3)
    assert engines.embedder_fake.looked_at == 3


def test_pictures_come_in_batches(album: Album, engines: Engines, settings: Any) -> None:
    settings.BATCH_SIZE = 5
    done(album, 10)
    assert engines.hasher_fake.calls == 2
    assert engines.reader_fake.calls == 10


def test_urgent_photos_are_looked_at_first(album: Album, engines: Engines) -> None:
    photos = ready(album, 3)
    Photo.objects.filter(pk=photos[2].pk).update(priority=Photo.Priority.UPLOAD)
    ModelsLane(batch_size=1).run()
    order = StepRun.objects.filter(step=Step.DUPLICATES).order_by("pk").values_list("photo", flat=True)
    assert list(order) == [photos[2].pk, photos[0].pk, photos[1].pk]


def test_one_bad_photo_fails_alone(album: Album, engines: Engines) -> None:
    photos = ready(album, 4)
    engines.hasher_fake.before = fail_on(photos[1], RuntimeError("bad luck"))
    album.process()
    assert states() == {
        "0.jpg": State.COMPLETED,
        "1.jpg": State.PARTIAL,
        "2.jpg": State.COMPLETED,
        "3.jpg": State.COMPLETED,
    }
    run = StepRun.objects.get(photo=photos[1], step=Step.HASH)
    assert (run.status, run.error) == (Status.FAILED, "RuntimeError: bad luck")
    assert steps_of(photos[1])["duplicates"] == Status.DONE
    assert PhotoHash.objects.count() == 3


def test_what_failed_is_not_tried_again_by_itself(album: Album, engines: Engines) -> None:
    (photo,) = ready(album)
    engines.reader_fake.before = fail_on(photo, RuntimeError("bad luck"))
    album.process()
    album.process()
    assert attempts_of(photo)["ocr"] == 1


def test_a_retry_runs_what_failed_and_nothing_else(album: Album, engines: Engines) -> None:
    (photo,) = ready(album)
    engines.reader_fake.before = fail_on(photo, RuntimeError("bad luck"))
    album.process()
    engines.reader_fake.before = lambda images: None
    assert retry_photos(Photo.objects.all()) == 1
    album.process()
    assert states() == {"0.jpg": State.COMPLETED}
    assert attempts_of(photo) == {"preprocessing": 1} | dict.fromkeys(MODEL_STEPS, 1) | {"ocr": 2}
    assert StepRun.objects.get(photo=photo, step=Step.OCR).error == ""


def test_chosen_steps_can_be_run_again(album: Album, engines: Engines) -> None:
    first, second = done(album, 2)
    assert retry(StepRun.objects.filter(photo=first, step__in=(Step.FACES, Step.PREPROCESSING))) == 1
    assert states()["0.jpg"] == State.PENDING
    album.process()
    assert attempts_of(first) == {"preprocessing": 2} | dict.fromkeys(MODEL_STEPS, 1) | {"faces": 2}
    assert set(attempts_of(second).values()) == {1}


def test_a_photo_that_was_set_aside_can_be_retried(album: Album, engines: Engines) -> None:
    (photo,) = ready(album)
    Photo.objects.update(state=State.FAILED, error_message="It kills.", lost_leases=3)
    assert retry_photos(Photo.objects.all()) == 1
    album.process()
    photo.refresh_from_db()
    assert (photo.state, photo.error_message, photo.lost_leases) == (State.COMPLETED, "", 0)


@pytest.mark.parametrize("count", [0, 2])
def test_an_engine_that_gives_the_wrong_number_of_results_fails_the_step(
    album: Album, engines: Engines, monkeypatch: pytest.MonkeyPatch, count: int
) -> None:
    (photo,) = ready(album)
    real = engines.faces_fake.analyze
    monkeypatch.setattr(engines.faces_fake, "analyze", lambda images: (real(images) * 2)[:count])
    album.process()
    run = StepRun.objects.get(photo=photo, step=Step.FACES)
    assert run.status == Status.FAILED
    assert f"gave {count} results for 1 pictures" in run.error
    assert not Face.objects.exists()


@pytest.mark.parametrize("kind", [DatabaseError, InterfaceError])
def test_errors_of_the_database_are_no_photos_fault(
    album: Album, engines: Engines, monkeypatch: pytest.MonkeyPatch, kind: type[Exception]
) -> None:
    (photo,) = ready(album)

    def save(self: Any, results: Any) -> None:
        raise kind("gone")

    with monkeypatch.context() as patch:
        patch.setattr(hash_step.HashStep, "save", save)
        with pytest.raises(kind, match="gone"):
            album.process()
    photo.refresh_from_db()
    assert photo.leased_by == ""
    assert "hash" not in steps_of(photo)
    album.process()
    assert states() == {"0.jpg": State.COMPLETED}


def test_a_photo_that_breaks_the_lane_again_and_again_is_set_aside_and_the_rest_goes_on(
    album: Album, engines: Engines, monkeypatch: pytest.MonkeyPatch
) -> None:
    photos = ready(album, 3)
    real = hash_step.HashStep.save

    def save(self: Any, results: dict[int, Any]) -> None:
        if photos[1].pk in results:
            raise TypeError("a fault of the program")
        real(self, results)

    monkeypatch.setattr(hash_step.HashStep, "save", save)
    for _ in range(3):
        with pytest.raises(TypeError):
            album.process()
    album.process()
    assert states() == {"0.jpg": State.COMPLETED, "1.jpg": State.FAILED, "2.jpg": State.COMPLETED}
    assert "set aside" in album.photo("1.jpg").error_message


def test_a_lost_preview_sends_the_photo_back_and_is_made_again(album: Album, engines: Engines) -> None:
    photos = ready(album, 3)
    preview = rendition_path(photos[1].sha256 or "", "preview")
    preview.unlink()
    album.process()
    assert set(states().values()) == {State.COMPLETED}
    assert preview.exists()
    assert attempts_of(photos[1])["preprocessing"] == 2
    assert attempts_of(photos[0])["preprocessing"] == 1


@pytest.mark.parametrize("content", [b"", b"\xff\xd8\xff cut"])
def test_a_preview_that_a_crash_cut_short_is_made_again(
    album: Album, engines: Engines, content: bytes
) -> None:
    (photo,) = ready(album)
    preview = rendition_path(photo.sha256 or "", "preview")
    preview.write_bytes(content)
    album.process()
    assert states() == {"0.jpg": State.COMPLETED}
    assert preview.stat().st_size > 100


def test_an_engine_without_weights_is_skipped_with_the_reason(album: Album, engines: Engines) -> None:
    engines.absent = {"embedder", "faces"}
    (photo,) = done(album)
    skipped = {name for name, status in steps_of(photo).items() if status == Status.SKIPPED}
    assert skipped == {"objects", "embeddings", "faces"}
    run = StepRun.objects.get(photo=photo, step=Step.FACES)
    assert (run.engine, run.error) == ("", "The weights of the faces are not there. Put them there.")


def test_a_library_without_vocabulary_skips_tags_and_says_what_helps(album: Album, engines: Engines) -> None:
    TagMapping.objects.all().delete()
    (photo,) = done(album)
    run = StepRun.objects.get(photo=photo, step=Step.OBJECTS)
    assert run.status == Status.SKIPPED
    assert "Add tags to categories in the admin" in run.error
    assert steps_of(photo)["embeddings"] == Status.DONE


def test_a_skipped_step_runs_by_itself_when_the_weights_arrive(album: Album, engines: Engines) -> None:
    engines.absent = {"faces"}
    (photo,) = done(album)
    album.process()
    assert attempts_of(photo)["faces"] == 1
    engines.absent = set()
    album.process()
    assert steps_of(photo)["faces"] == Status.DONE
    assert attempts_of(photo) == {"preprocessing": 1} | dict.fromkeys(MODEL_STEPS, 1) | {"faces": 2}


def test_an_engine_that_turns_out_unavailable_while_loading_is_skipped_not_failed(
    album: Album, engines: Engines
) -> None:
    (photo,) = ready(album)

    def broken(images: Any) -> None:
        raise EngineUnavailable("The weights are cut short.", "Fetch them again.")

    engines.reader_fake.before = broken
    album.process()
    run = StepRun.objects.get(photo=photo, step=Step.OCR)
    assert (run.status, run.engine) == (Status.SKIPPED, "")
    engines.reader_fake.before = lambda images: None
    album.process()
    assert steps_of(photo)["ocr"] == Status.DONE


def test_real_weights_that_arrive_are_used(
    album: Album, real_registry: Callable[[], Any], clip_folder: Path, settings: Any
) -> None:
    """With the real registry: CLIP_ONNX_DIR decides, no restart needed."""
    (photo,) = ready(album)
    Photo.objects.update(state=State.PROCESSING_OBJECTS)
    StepRun.objects.bulk_create(
        StepRun(photo=photo, step=step, status=Status.DONE, engine=real_registry().engine_id(port))
        for step, port in ((Step.OCR, "reader"), (Step.FACES, "faces"))
    )
    album.process()
    run = StepRun.objects.get(photo=photo, step=Step.EMBEDDINGS)
    assert run.status == Status.SKIPPED
    assert "CLIP_ONNX_DIR" in run.error
    settings.CLIP_ONNX_DIR = clip_folder
    album.process()
    assert steps_of(photo)["embeddings"] == steps_of(photo)["objects"] == Status.DONE
    assert attempts_of(photo)["hash"] == 1
    vector = np.asarray(PhotoEmbedding.objects.get(photo=photo).vector)
    assert np.linalg.norm(vector) == pytest.approx(1, abs=1e-5)
    space = EmbeddingSpace.objects.get(kind="image")
    assert (space.status, space.dimensions) == ("active", 16)


def test_another_engine_runs_its_step_again_and_no_other(album: Album, engines: Engines) -> None:
    photos = done(album, 2)
    before = {run.pk: run.updated_at for run in StepRun.objects.exclude(step=Step.OCR)}
    engines.reader_fake.version = "2"
    engines.reader_fake.text = "goodbye"
    album.process()
    assert {run.pk: run.updated_at for run in StepRun.objects.exclude(step=Step.OCR)} == before
    assert set(StepRun.objects.filter(step=Step.OCR).values_list("engine", "attempts")) == {
        ("fake_reader/2", 2)
    }
    assert set(OcrText.objects.values_list("text", flat=True)) == {"goodbye"}
    assert engines.reader_fake.looked_at == 2 * len(photos)


def test_another_vocabulary_tags_again_from_stored_vectors(
    album: Album, engines: Engines, settings: Any
) -> None:
    (photo,) = done(album)
    lose_previews(settings)
    looked_at = engines.embedder_fake.looked_at
    TagMapping.objects.create(tag=Tag.objects.create(name="aardvark"), category=Category.objects.get())
    album.process()
    assert [found.tag.name for found in photo.detected_objects.all()] == ["aardvark"]
    assert engines.embedder_fake.looked_at == looked_at
    assert attempts_of(photo) == {"preprocessing": 1} | dict.fromkeys(MODEL_STEPS, 1) | {"objects": 2}
    assert states() == {"0.jpg": State.COMPLETED}


def test_other_thresholds_pair_again_without_a_picture(album: Album, engines: Engines, settings: Any) -> None:
    (photo,) = done(album)
    lose_previews(settings)
    settings.DUPLICATE_THRESHOLD = 3
    album.process()
    assert attempts_of(photo)["duplicates"] == 2
    assert attempts_of(photo)["preprocessing"] == 1


def test_another_embedder_fills_a_new_space_that_then_answers(album: Album, engines: Engines) -> None:
    done(album, 2)
    old = EmbeddingSpace.objects.get(kind="image")
    engines.embedder_fake.version = "2"
    album.process()
    new = EmbeddingSpace.objects.get(kind="image", model="2")
    old.refresh_from_db()
    assert (old.status, new.status) == ("retired", "active")
    assert old.photo_embeddings.count() == new.photo_embeddings.count() == 2


def test_an_engine_that_is_gone_takes_nothing_with_it(album: Album, engines: Engines) -> None:
    (photo,) = done(album)
    engines.absent = {"reader", "embedder"}
    album.process()
    assert steps_of(photo)["ocr"] == Status.DONE
    assert OcrText.objects.get().text == "hello"


def test_an_earlier_step_that_becomes_due_late_is_run_without_going_backwards(
    album: Album, engines: Engines
) -> None:
    """The weights arrive while a photo waits in the middle of its way."""
    engines.absent = {"embedder"}
    (photo,) = ready(album)
    stop = _Stop()
    engines.faces_fake.before = lambda images: stop.now()
    ModelsLane(should_stop=stop).run()
    assert states()["0.jpg"] == State.PROCESSING_HASH
    engines.absent = set()
    album.process()
    assert states() == {"0.jpg": State.COMPLETED}
    assert set(steps_of(photo).values()) == {Status.DONE}


class _Stop:
    """A stop signal that stays on."""

    def __init__(self) -> None:
        self._on = False

    def now(self) -> None:
        self._on = True

    def __call__(self) -> bool:
        return self._on


def test_a_stop_between_photos_keeps_what_is_done_and_gives_the_rest_back(
    album: Album, engines: Engines
) -> None:
    photos = ready(album, 3)
    stop = _Stop()
    engines.reader_fake.before = lambda images: stop.now()
    assert ModelsLane(should_stop=stop).run() == 0
    assert not Photo.objects.exclude(leased_by="").exists()
    assert [steps_of(photo).get("ocr") for photo in photos] == [Status.DONE, None, None]
    assert [state for _, state in sorted(states().items())] == [
        State.PROCESSING_FACES,
        State.PROCESSING_OCR,
        State.PROCESSING_OCR,
    ]
    album.process()
    assert set(states().values()) == {State.COMPLETED}
    assert {attempts_of(photo)["ocr"] for photo in photos} == {1}


def test_results_of_a_lease_that_was_lost_are_not_written(album: Album, engines: Engines) -> None:
    """The worker was thought dead; another one has the photo now."""
    lost, kept = ready(album, 2)

    def steal(images: Any) -> None:
        Photo.objects.filter(pk=lost.pk).update(leased_by="elsewhere:1:1")

    engines.reader_fake.before = steal
    ModelsLane().run()
    assert "ocr" not in steps_of(lost)
    assert not OcrText.objects.filter(photo=lost).exists()
    lost.refresh_from_db()
    assert (lost.leased_by, lost.state) == ("elsewhere:1:1", State.PROCESSING_OCR)
    assert steps_of(kept)["ocr"] == Status.DONE


def test_slow_work_keeps_its_leases(
    album: Album, engines: Engines, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also those of the next batch, which waits meanwhile."""
    from ingest import leases

    ready(album, 4)
    now = [1000.0]
    monkeypatch.setattr(leases.time, "monotonic", lambda: now[0])
    left: list[float] = []

    def slow(images: Any) -> None:
        held = Photo.objects.exclude(lease_until=None)
        left.append(min((photo.lease_until - timezone.now()).total_seconds() for photo in held))
        late = timezone.now() + timedelta(seconds=settings.LEASE_SECONDS / 2)
        held.update(lease_until=late)
        now[0] += settings.LEASE_SECONDS / 2

    engines.reader_fake.before = slow
    ModelsLane(batch_size=2).run()
    assert len(left) == 4
    assert min(left) > settings.LEASE_SECONDS * 0.9


def test_a_photo_edited_while_the_models_look_is_not_given_what_they_saw(
    album: Album, engines: Engines
) -> None:
    (photo,) = ready(album)
    edited: list[Path] = []

    def edit(images: Any) -> None:
        if not edited:
            edited.append(album.put("0.jpg", 50))
            album.scan()

    engines.reader_fake.before = edit
    ModelsLane().run()
    assert states() == {"0.jpg": State.PENDING}
    photo.refresh_from_db()
    assert photo.leased_by == ""
    assert not {"ocr", "faces", "hash"} & steps_of(photo).keys()
    engines.reader_fake.before = lambda images: None
    album.process()
    photo.refresh_from_db()
    assert photo.state == State.COMPLETED
    assert photo.sha256 == album.prints()["0.jpg"][0]
    assert attempts_of(photo)["objects"] == 2
    assert _hamming_to_preview(photo) == 0


def _hamming_to_preview(photo: Photo) -> int:
    from vision.hashing import PdqHasher
    from vision.imaging.open import load_rgb

    (now,) = PdqHasher().hash_images([load_rgb(rendition_path(photo.sha256 or "", "preview"))])
    stored = str(PhotoHash.objects.get(photo=photo).pdq)
    return sum(a != b for a, b in zip(stored, "".join(f"{byte:08b}" for byte in now.bits), strict=True))


def test_a_photo_whose_preprocessing_is_of_an_older_kind_is_read_again(
    album: Album, engines: Engines, monkeypatch: pytest.MonkeyPatch
) -> None:
    photo, gone = done(album, 2)
    monkeypatch.setattr("ingest.steps.preprocessing.VERSION", 999)
    Photo.objects.filter(pk=gone.pk).update(missing_since=photo.created_at)
    album.process()
    assert attempts_of(photo)["preprocessing"] == 2
    assert attempts_of(photo)["faces"] == 1
    assert attempts_of(gone)["preprocessing"] == 1
    assert set(states().values()) == {State.COMPLETED}


def test_reopening_counts_each_photo_once(album: Album, engines: Engines) -> None:
    done(album, 3)
    from ingest.pipeline import todays_engines

    assert ledger.reopen_stale(todays_engines()) == 0
    engines.reader_fake.version = engines.faces_fake.version = "2"
    assert ledger.reopen_stale(todays_engines()) == 3


def test_better_weights_that_arrive_in_between_do_not_get_the_old_vectors(
    album: Album, engines: Engines
) -> None:
    """dlib and SFace both give 128 numbers: nothing but the space tells them apart."""
    (photo,) = ready(album)
    step = FacesStep()
    (seen,) = step.compute([SimpleNamespace(image=np.zeros((8, 8, 3), np.uint8))], ImageVectors())
    engines.faces_fake.version = "2"
    (later,) = step.compute([SimpleNamespace(image=np.zeros((8, 8, 3), np.uint8))], ImageVectors())
    other = make_photo()
    step.save({photo.pk: seen, other.pk: later})
    assert Face.objects.get(photo=photo).space.model == "1"
    assert Face.objects.get(photo=other).space.model == "2"


def test_progress_is_told_as_it_goes(album: Album, engines: Engines) -> None:
    ready(album, 2)
    told: list[int] = []
    ModelsLane(on_progress=lambda: told.append(StepRun.objects.count())).run()
    assert told == sorted(told)
    assert len(told) >= len(MODEL_STEPS)


def test_the_seeded_vocabulary_is_what_the_tagger_looks_for(album: Album, engines: Engines) -> None:
    Category.objects.all().delete()
    assert seed_categories()
    assert not seed_categories()
    done(album)
    assert len(engines.tagger_fake.vocabulary) == TagMapping.objects.count() == 37


@pytest.mark.django_db(transaction=True)
def test_two_workers_at_once_look_at_each_photo_once(
    album: Album, engines: Engines, monkeypatch: pytest.MonkeyPatch
) -> None:
    from ingest import leases

    photos = ready(album, 12)
    mine = threading.local()
    monkeypatch.setattr(
        leases.Worker, "this_process", classmethod(lambda cls: leases.Worker("elsewhere", mine.number, 1))
    )
    start = threading.Barrier(2)
    errors: list[Exception] = []

    def work(number: int) -> None:
        mine.number = number
        try:
            start.wait(20)
            ModelsLane(batch_size=2, should_stop=never).run()
        except Exception as error:  # noqa: BLE001 - told by the test
            errors.append(error)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=work, args=(number,)) for number in (1, 2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert not errors
    assert set(states().values()) == {State.COMPLETED}
    assert engines.reader_fake.looked_at == 12
    assert all(set(attempts_of(photo).values()) == {1} for photo in photos)


def test_an_error_of_an_engine_is_told_with_its_kind(album: Album, engines: Engines) -> None:
    (photo,) = ready(album)
    engines.embedder_fake.before = fail_on(photo, EngineFailed("the answer is not a number"))
    album.process()
    for step in (Step.OBJECTS, Step.EMBEDDINGS):
        run = StepRun.objects.get(photo=photo, step=step)
        assert run.error == "EngineFailed: the answer is not a number"
    assert states() == {"0.jpg": State.PARTIAL}
