"""``retag --from-embeddings``: new words onto old photos, and nothing else."""

from __future__ import annotations

import io
import json
import shutil
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connections
from django.utils import timezone

from ingest import ledger, retagging
from ingest.leases import Worker
from ingest.models import StepRun
from ingest.retagging import RetagRefused, retag
from ingest.runner import ModelsLane
from ingest.tests.engines import Engines
from ingest.tests.pictures import Album, attempts_of, states
from library.models import Category, DetectedObject, Photo, PhotoEmbedding, Tag, TagMapping
from library.tests.factories import make_photo
from search.hybrid import search
from search.query import parse
from vision.errors import EngineFailed
from vision.ports import Tagger
from vision.results import Tag as TagResult
from vision.results import Vectors

pytestmark = pytest.mark.django_db

State = Photo.State


def add_word(name: str) -> None:
    category, _ = Category.objects.get_or_create(slug="things", defaults={"name": "Things"})
    TagMapping.objects.create(tag=Tag.objects.create(name=name), category=category)


@pytest.fixture
def tagged(album: Album, engines: Engines, settings: Any) -> list[Photo]:
    """Five processed photos, tagged for the word "thing"; then their previews are lost and a word is added.

    The fake tagger gives the first word: "another".
    """
    add_word("thing")
    for seed in range(5):
        album.put(f"{seed}.jpg", seed)
    album.take_in()
    assert set(states().values()) == {State.COMPLETED}
    shutil.rmtree(Path(settings.THUMBNAIL_DIR) / "preview")
    add_word("another")
    return [album.photo(f"{seed}.jpg") for seed in range(5)]


def names() -> set[str]:
    return set(DetectedObject.objects.values_list("tag__name", flat=True))


def told(*args: str) -> Any:
    out = io.StringIO()
    call_command("retag", "--from-embeddings", "--json", *args, stdout=out)
    return json.loads(out.getvalue())


def test_a_new_word_appears_without_a_picture_and_nothing_else_runs(
    tagged: list[Photo], engines: Engines, owner: Any
) -> None:
    looked_at = {name: fake.looked_at for name, fake in vars(engines).items() if name.endswith("_fake")}
    before = {photo.pk: attempts_of(photo) for photo in tagged}
    result = told()
    assert result == {
        "engine": "fake_tagger/1/another+thing",
        "retagged": 5,
        "without_embedding": 0,
        "left": 0,
    }
    assert names() == {"another"}
    assert DetectedObject.objects.first().category.slug == "things"
    assert {name: getattr(engines, name).looked_at for name in looked_at} == looked_at
    for photo in tagged:
        assert attempts_of(photo) == before[photo.pk] | {"objects": 2}
    runs = StepRun.objects.filter(step="objects")
    assert set(runs.values_list("engine", "status")) == {("fake_tagger/1/another+thing", "done")}
    assert set(states().values()) == {State.COMPLETED}
    assert not Photo.objects.filter(lease_until__isnull=False).exists()
    found = search(parse("another"), owner, mode="keyword")
    assert {hit.photo_id for hit in found.hits} == {photo.pk for photo in tagged}
    assert ModelsLane().run() == 0  # nothing is stale


def test_a_second_run_has_nothing_to_do(tagged: list[Photo]) -> None:
    assert told()["retagged"] == 5
    assert told()["retagged"] == 0


def test_photos_without_a_vector_are_counted_and_left(tagged: list[Photo]) -> None:
    PhotoEmbedding.objects.filter(photo=tagged[0]).delete()
    make_photo(state=State.PENDING)
    result = told()
    assert (result["retagged"], result["without_embedding"], result["left"]) == (4, 2, 0)
    assert {tag.tag.name for tag in tagged[0].detected_objects.all()} == {"thing"}


def test_broken_off_it_goes_on(tagged: list[Photo]) -> None:
    batches: list[int] = []
    first = retag(should_stop=lambda: len(batches) >= 2, on_progress=batches.append, batch_size=2)
    assert (batches, first.retagged, first.left) == ([2, 2], 4, 1)
    second = retag()
    assert (second.retagged, second.left) == (1, 0)
    assert set(states().values()) == {State.COMPLETED}


def test_what_a_killed_run_held_is_taken_up_by_the_next(tagged: list[Photo]) -> None:
    dead = Worker(Worker.this_process().host, 2**22 + 1, 1)
    held = ledger.take_up_again(dead, Photo.objects.all(), State.PROCESSING_OBJECTS, 3)
    assert set(held.values()) == {State.COMPLETED}
    StepRun.objects.filter(photo=tagged[0], step="ocr").update(status=StepRun.Status.PENDING)
    assert retag().retagged == 5
    assert states() == {f"{seed}.jpg": State.COMPLETED for seed in range(1, 5)} | {
        "0.jpg": State.PROCESSING_OCR  # it was under way: what else it waits for is left to the lane
    }
    assert not Photo.objects.filter(lease_until__isnull=False).exists()


def test_what_others_hold_is_left_to_them(tagged: list[Photo]) -> None:
    until = timezone.now() + timezone.timedelta(minutes=5)
    Photo.objects.filter(pk=tagged[1].pk).update(lease_until=until, leased_by="elsewhere:1:1")
    result = retag()
    assert (result.retagged, result.left) == (4, 1)
    assert Photo.objects.get(pk=tagged[1].pk).leased_by == "elsewhere:1:1"


def test_a_photo_that_was_partly_done_stays_so(tagged: list[Photo]) -> None:
    StepRun.objects.filter(photo=tagged[2], step="faces").update(status=StepRun.Status.FAILED)
    Photo.objects.filter(pk=tagged[2].pk).update(state=State.PARTIAL)
    assert retag().retagged == 5
    assert states()["2.jpg"] == State.PARTIAL


def test_it_refuses_a_tagger_that_looks_at_pictures(
    tagged: list[Photo], engines: Engines, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Looker:
        engine_id = "looker/1"

        def tag_images(self, images: Sequence[Any]) -> list[list[TagResult]]:
            raise AssertionError("never asked")

    assert isinstance(Looker(), Tagger)
    monkeypatch.setattr(engines, "tagger", lambda vocabulary: Looker())
    with pytest.raises(CommandError, match="looker/1 looks at pictures.*manage.py process"):
        told()


def test_it_refuses_without_vectors_of_todays_model(tagged: list[Photo], engines: Engines) -> None:
    engines.embedder_fake.version = "2"
    with pytest.raises(CommandError, match="No photo has a vector of fake_embedder/2 yet"):
        told()


def test_it_refuses_without_an_engine_and_says_why(tagged: list[Photo], engines: Engines) -> None:
    engines.absent = {"embedder"}
    with pytest.raises(CommandError, match="The weights of the embedder are not there. Put them there."):
        told()


def test_words_that_cannot_be_embedded_fail_before_a_photo_is_touched(
    tagged: list[Photo], engines: Engines, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(vectors: Vectors) -> list[list[TagResult]]:
        raise EngineFailed("The text tower gave no numbers.")

    monkeypatch.setattr(engines.tagger_fake, "tag_vectors", broken)
    with pytest.raises(RetagRefused, match="gave no numbers"):
        retag()
    assert set(states().values()) == {State.COMPLETED}
    assert names() == {"thing"}


def test_an_error_gives_the_photos_back(tagged: list[Photo], monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*args: Any) -> None:
        raise RuntimeError("a fault of the program")

    with monkeypatch.context() as patch, pytest.raises(RuntimeError):
        patch.setattr(retagging, "index_photos", broken)
        retag()
    assert not Photo.objects.filter(lease_until__isnull=False).exists()
    retag()
    assert names() == {"another"}
    assert set(states().values()) == {State.COMPLETED}


def test_the_flag_is_needed(db: None) -> None:
    with pytest.raises(CommandError, match="--from-embeddings"):
        call_command("retag")


def test_with_the_real_tagger_a_word_of_a_file_appears(
    album: Album, real_registry: Callable[[], Any], clip_folder: Path, settings: Any, tmp_path: Path
) -> None:
    """Real engines: the list of tags is a setting, and threshold and number of tags are, too."""
    settings.CLIP_ONNX_DIR = clip_folder
    settings.TAG_LIST = "none"
    settings.TAG_MIN_CONFIDENCE = 0.0
    add_word("cat")
    album.put("a.jpg", 1)
    album.take_in()
    assert names() == {"cat"}
    shutil.rmtree(Path(settings.THUMBNAIL_DIR) / "preview")
    file = tmp_path / "tags.txt"
    file.write_text("dog\nhouse = the house\nsea\n", encoding="utf-8")
    settings.TAG_LIST = str(file)
    assert told()["retagged"] == 1
    assert names() == {"cat", "dog", "house", "sea"}
    settings.TAGS_PER_PHOTO = 2
    assert told()["retagged"] == 1
    assert DetectedObject.objects.count() == 2
    file.write_bytes(b"dog\n\xff\n")
    with pytest.raises(CommandError, match="tags.txt, line 2: is not UTF-8"):
        told()


@pytest.mark.django_db(transaction=True)
def test_two_runs_at_once_share_the_work(tagged: list[Photo]) -> None:
    done: list[int] = []
    errors: list[Exception] = []
    start = threading.Barrier(2)

    def run() -> None:
        try:
            start.wait(20)
            done.append(retag(batch_size=1).retagged)
        except Exception as error:  # noqa: BLE001 - told by the test
            errors.append(error)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=run) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert not errors
    assert sum(done) == 5
    assert names() == {"another"}
    assert set(StepRun.objects.filter(step="objects").values_list("attempts", flat=True)) == {2}
    assert set(states().values()) == {State.COMPLETED}
