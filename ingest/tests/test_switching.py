"""Another model: its space is filled while the old one answers, then it takes over, or is switched to."""

from __future__ import annotations

import io
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.test import Client
from django.urls import reverse

from ingest import ledger
from ingest.batch import ImageVectors, make_items
from ingest.models import StepRun
from ingest.pipeline import todays_engines
from ingest.runner import ModelsLane
from ingest.steps.embeddings import EmbeddingsStep
from ingest.tests.engines import Engines
from ingest.tests.pictures import Album, fail_on
from library.models import AuditEvent, Category, EmbeddingSpace, Photo, PhotoEmbedding, Tag, TagMapping
from people.models import Face, FaceLabel, Person
from search.semantics import understand
from vision.errors import EngineFailed
from vision.tests.small_models import FIXED, build_clip_folder

pytestmark = pytest.mark.django_db

Step = StepRun.Step


def call(*args: str) -> str:
    out = io.StringIO()
    call_command("switch_space", *args, stdout=out)
    return out.getvalue()


def statuses(kind: str = "image") -> dict[str, str]:
    return dict(EmbeddingSpace.objects.filter(kind=kind).values_list("model", "status"))


def pk_of(model: str, kind: str = "image") -> str:
    return str(EmbeddingSpace.objects.get(kind=kind, model=model).pk)


@pytest.fixture
def library(album: Album, engines: Engines) -> Album:
    """Four photos, looked at by the first version of every engine."""
    for seed in range(4):
        album.put(f"{seed}.jpg", seed)
    album.take_in()
    return album


def look_at(count: int) -> None:
    """Open what is stale and let the models lane look at some photos only."""
    ledger.reopen_stale(todays_engines())
    waiting = Photo.objects.exclude(state__in=Photo.FINAL_STATES).order_by("pk").values_list("pk", flat=True)
    kept_back = list(waiting)[count:]
    states = dict(Photo.objects.filter(pk__in=kept_back).values_list("pk", "state"))
    Photo.objects.filter(pk__in=kept_back).update(state=Photo.State.COMPLETED)
    ModelsLane(check_stale=False).run()
    for pk, state in states.items():
        Photo.objects.filter(pk=pk).update(state=state)


def test_the_old_space_answers_until_the_new_one_is_complete(library: Album, engines: Engines) -> None:
    engines.embedder_fake.version = "2"
    look_at(1)
    assert statuses() == {"1": "active", "2": "building"}
    assert "1 of 4 photos; the old one answers meanwhile" in call()
    with pytest.raises(CommandError, match=r"3 of 4 photos are missing\. `manage.py process` goes on"):
        call("fake_embedder/2")
    assert statuses() == {"1": "active", "2": "building"}
    library.process()
    assert statuses() == {"1": "retired", "2": "active"}
    assert PhotoEmbedding.objects.count() == 8


@pytest.mark.parametrize("name", ["number", "fake_embedder/1", "1"])
def test_one_command_switches_back_and_what_was_left_stays_left(
    library: Album, engines: Engines, name: str
) -> None:
    engines.embedder_fake.version = "2"
    library.process()
    told = call(pk_of("1") if name == "number" else name, "--kind", "image")
    assert "fake_embedder/1 (12-d image) answers from now on, in place of fake_embedder/2" in told
    assert "new photos are not in this one" in told
    assert statuses() == {"1": "active", "2": "retired"}
    event = AuditEvent.objects.get(action="switch space")
    assert "fake_embedder/2" in event.before["active"]
    library.put("late.jpg", 9)
    library.take_in()  # today's engine still writes into the space that was left
    assert statuses() == {"1": "active", "2": "building"}
    listing = call()
    assert "1 photos are not found by meaning" in listing
    assert f"is complete; the old one answers until `manage.py switch_space {pk_of('2')}`" in listing
    call(pk_of("2"))
    assert statuses() == {"1": "retired", "2": "active"}


def test_a_former_space_without_the_new_photos_is_refused_with_the_way_to_complete_it(
    library: Album, engines: Engines
) -> None:
    engines.embedder_fake.version = "2"
    library.put("late.jpg", 9)
    library.take_in()
    with pytest.raises(CommandError, match=r"1 of 5 photos are missing\. Set EMBEDDER=fake VERSION=1, then"):
        call(pk_of("1"))
    engines.embedder_fake.version = "1"
    looked_at = engines.embedder_fake.looked_at
    library.process()
    assert engines.embedder_fake.looked_at == looked_at + 1
    assert statuses() == {"1": "active", "2": "retired"}


def test_a_model_whose_files_are_gone_cannot_answer(library: Album, engines: Engines) -> None:
    engines.embedder_fake.version = "2"
    library.process()
    engines.gone = {"1"}
    with pytest.raises(CommandError, match=r"could not answer: fake_embedder/1 is gone\. Put it back\."):
        call(pk_of("1"))
    assert statuses() == {"1": "retired", "2": "active"}


def test_photos_the_new_engine_cannot_have_hold_nothing_up(library: Album, engines: Engines) -> None:
    """One it fails on, one that was set aside because it killed its worker."""
    engines.embedder_fake.version = "2"
    first, second = Photo.objects.order_by("pk")[:2]
    Photo.objects.filter(pk=first.pk).update(state=Photo.State.FAILED)

    engines.embedder_fake.before = fail_on(second, EngineFailed("bad luck"))
    library.process()
    assert StepRun.objects.filter(step=Step.EMBEDDINGS, status="failed").exists()
    assert statuses() == {"1": "retired", "2": "active"}
    assert PhotoEmbedding.objects.filter(space__model="2").count() == 2


def test_a_space_that_does_not_answer_can_be_dropped(library: Album, engines: Engines) -> None:
    engines.embedder_fake.version = "2"
    library.process()
    with pytest.raises(CommandError, match="switch to another space first"):
        call("--drop", pk_of("2"))
    dropped = json.loads(call("--drop", pk_of("1"), "--json"))
    assert (dropped["deleted"], dropped["kept"]) == (4, 0)
    assert statuses() == {"2": "active"}
    assert PhotoEmbedding.objects.count() == 4


def test_what_is_being_filled_is_not_dropped(library: Album, engines: Engines) -> None:
    engines.embedder_fake.version = "2"
    look_at(1)
    with pytest.raises(CommandError, match="being filled by today's engine"):
        call("--drop", pk_of("2"))


def test_a_space_of_todays_engine_is_not_dropped_after_a_switch_away(
    library: Album, engines: Engines
) -> None:
    """The ledger says that its engine looked at every photo: it would not do so a second time."""
    engines.embedder_fake.version = "2"
    library.process()
    call(pk_of("1"))
    assert statuses() == {"1": "active", "2": "retired"}
    with pytest.raises(CommandError, match="filled by today's engine"):
        call("--drop", pk_of("2"))
    assert PhotoEmbedding.objects.filter(space__model="2").count() == 4


@pytest.mark.parametrize("kind", ["image", "face"])
def test_what_was_dropped_is_made_again_when_its_engine_comes_back(
    library: Album, engines: Engines, kind: str
) -> None:
    """Dropped before today's engine has looked at anything, so that the ledger still names the other one."""
    fake = engines.embedder_fake if kind == "image" else engines.faces_fake
    fake.version = "2"
    look_at(2)
    fake.version = "1"
    call("--drop", pk_of("2", kind))
    fake.version = "2"
    library.process()
    rows = PhotoEmbedding.objects if kind == "image" else Face.objects
    assert rows.filter(space__model="2").count() == 4
    assert statuses(kind)["2"] == "active"


def test_a_model_that_arrives_in_the_middle_of_a_batch_gets_none_of_the_old_ones_vectors(
    album: Album, engines: Engines, monkeypatch: pytest.MonkeyPatch
) -> None:
    category = Category.objects.create(name="Things")
    TagMapping.objects.create(tag=Tag.objects.create(name="thing"), category=category)
    tag, see = engines.tagger_fake.tag_vectors, engines.embedder_fake._see

    def tag_and_change(vectors: Any) -> Any:
        engines.embedder_fake.version = "2"
        return tag(vectors)

    seen_by: list[str] = []

    def note(images: Any) -> None:
        seen_by.append(engines.embedder_fake.version)
        see(images)

    monkeypatch.setattr(engines.tagger_fake, "tag_vectors", tag_and_change)
    monkeypatch.setattr(engines.embedder_fake, "_see", note)
    album.put("a.jpg", 1)
    album.take_in()
    assert seen_by == ["1", "2"]  # first for the tags, then for the space
    assert list(PhotoEmbedding.objects.values_list("space__model", flat=True)) == ["2"]


def test_vectors_are_saved_in_the_space_of_the_model_that_made_them(
    album: Album, engines: Engines, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The model changes between looking and saving; the next look is by the new one."""
    step = EmbeddingsStep()
    album.put("a.jpg", 1)
    album.scan()
    album.read()
    photo = album.photo("a.jpg")
    items = make_items([(photo.pk, photo.sha256 or "")])
    (found,) = step.compute(items, ImageVectors())
    engines.embedder_fake.version = "2"
    step.save({photo.pk: found})
    space = EmbeddingSpace.objects.get(kind="image")
    assert (space.model, space.written_by) == ("1", "fake_embedder/1")
    assert space.source == {"embedder": "fake", "version": "1"}


def test_a_space_that_does_not_exist_is_told_with_those_that_do(library: Album) -> None:
    with pytest.raises(CommandError, match=r"There is no space 999; there are: \d+ \(fake_embedder/1"):
        call("999")
    EmbeddingSpace.objects.create(kind="image", engine="fake_embedder", model="0", dimensions=12)
    with pytest.raises(CommandError, match="several.*Name it by its number"):
        call("fake_embedder")
    with pytest.raises(CommandError, match="answers already"):
        call("fake_embedder/1")


def test_no_space_is_told_too() -> None:
    assert "There is no space of vectors yet" in call()


def test_faces_are_switched_when_the_new_engine_has_seen_every_photo(
    library: Album, engines: Engines
) -> None:
    """A face that somebody named and that is not found again stays, is counted, and holds nothing up."""
    named = Face.objects.order_by("pk").first()
    assert named is not None
    Face.objects.filter(pk=named.pk).update(x=0.0, y=0.0, width=0.05, height=0.05)
    FaceLabel.objects.create(
        face=named,
        person=Person.objects.create(name="Anna"),
        verdict=FaceLabel.Verdict.CONFIRMED,
        source=FaceLabel.Source.HUMAN_CONFIRMED,
    )
    engines.faces_fake.version = "2"
    look_at(3)
    assert statuses("face") == {"1": "active", "2": "building"}
    with pytest.raises(CommandError, match=r"1 of 4 photos are missing"):
        call("fake_faces/2")
    library.process()
    assert statuses("face") == {"1": "retired", "2": "active"}
    assert "1 faces that somebody named are in other spaces; they stay." in call("--kind", "faces")
    dropped = json.loads(call("--drop", pk_of("1", "face"), "--json"))
    assert dropped["kept"] == 1
    assert Face.objects.filter(pk=named.pk).exists()
    with pytest.raises(CommandError, match="photos are missing"):
        call(pk_of("1", "face"))


def test_search_goes_on_with_the_old_model_while_the_new_one_is_at_work(
    album: Album,
    real_registry: Callable[[], Any],
    clip_folder: Path,
    tmp_path: Path,
    settings: Any,
    owner_client: Client,
) -> None:
    """Real engines: another folder in CLIP_ONNX_DIR, and the photos are found before, between and after."""

    def found() -> tuple[str, list[float]]:
        page = owner_client.get(reverse("search:search"), {"q": "a cat", "mode": "semantic"}).content.decode()
        meaning, _ = understand("a cat")
        vector = [] if meaning is None else [round(float(value), 5) for value in meaning.vector]
        return ("off" if "Searching by meaning is off" in page else "on"), vector

    for seed in range(3):
        album.put(f"{seed}.jpg", seed)
    old = shutil.copytree(clip_folder, tmp_path / "old")
    settings.CLIP_ONNX_DIR = old
    album.take_in()
    before = found()
    assert before[0] == "on"
    settings.CLIP_ONNX_DIR = build_clip_folder(tmp_path / "new", FIXED, seed=3)
    look_at(1)
    assert sorted(statuses().values()) == ["active", "building"]
    assert found() == before
    shutil.move(old, tmp_path / "away")
    assert found() == ("off", [])
    assert f"whose files are not here any more ({old})" in str(understand("a cat")[1])
    # In the cache of downloads they are found without being named.
    (settings.MODEL_CACHE_DIR / "clip").mkdir(parents=True)
    shutil.move(tmp_path / "away", settings.MODEL_CACHE_DIR / "clip" / "old")
    assert found() == before
    album.process()
    assert sorted(statuses().values()) == ["active", "retired"]
    after = found()
    assert after[0] == "on"
    assert after[1] != before[1]
