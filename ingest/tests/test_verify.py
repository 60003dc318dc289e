"""The checker: silent about a whole library, and it names each kind of damage."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.utils import timezone

from ingest.leftovers import partial_folder
from ingest.models import StepRun
from ingest.tests.engines import Engines
from ingest.tests.pictures import NO_JPEG, Album
from ingest.verify import verify
from library.models import (
    DetectedObject,
    DuplicatePair,
    OcrText,
    Photo,
    PhotoDescription,
    PhotoEmbedding,
    PhotoHash,
)
from library.storage import rendition_path
from people.derivation import derive
from people.models import Face, FaceLabel, Person
from search.models import SearchDocument

pytestmark = pytest.mark.django_db


@pytest.fixture
def library(album: Album, engines: Engines) -> Album:
    """Four photos, one of them twice on disk, one of them broken."""
    for seed in range(3):
        album.put(f"{seed}.jpg", seed)
    album.put("again.jpg", 1)
    album.put("broken.jpg", NO_JPEG)
    album.take_in()
    return album


def found() -> dict[str, int]:
    return {finding.check: finding.count for finding in verify(originals=True).findings}


def test_a_whole_library_passes(library: Album) -> None:
    verdict = verify(originals=True)
    assert verdict.findings == []
    assert verdict.counts["photos"] == verdict.counts["finished"] == 4
    assert verdict.counts["files"] == 5
    assert verdict.counts["failed"] == 1


def test_a_library_with_work_left_passes(album: Album, engines: Engines) -> None:
    album.put("0.jpg")
    album.scan()
    assert found() == {}
    album.read()
    assert found() == {}


def test_missing_files_are_no_fault(library: Album) -> None:
    (library.folder / "0.jpg").unlink()
    library.scan()
    assert found() == {}


def first() -> Photo:
    return Photo.objects.filter(state="completed").order_by("pk")[0]


def _other_front() -> None:
    one, two, three = Photo.objects.filter(state="completed").order_by("pk")
    Photo.objects.filter(pk=two.pk).update(duplicate_of=one)
    Photo.objects.filter(pk=three.pk).update(duplicate_of=two)


def _pair() -> None:
    one, two, _ = Photo.objects.filter(state="completed").order_by("pk")
    DuplicatePair.objects.create(first=one, second=two, distance=1)


def _killed_while_writing() -> None:
    # No process has this number on any system: the kernel's largest is 2 ** 22.
    own = partial_folder()
    dead = own.with_name(f"{own.name.split(':')[0]}:{2**22 + 1}:5")
    dead.mkdir()
    (dead / ".half.tmp").write_bytes(b"x")


def _short_vector() -> None:
    vector = PhotoEmbedding.objects.order_by("pk")[0]
    PhotoEmbedding.objects.filter(pk=vector.pk).update(vector=[1.0, 2.0])


def _lease(**fields: Any) -> None:
    values = {"lease_until": timezone.now() + timedelta(hours=1), "leased_by": "elsewhere:1:1", **fields}
    Photo.objects.filter(pk=first().pk).update(**values)


def _a_face() -> Face:
    return Face.objects.order_by("pk")[0]


def _before_birth() -> None:
    person = Person.objects.create(name="Anna", birth_date=timezone.localdate())
    face = _a_face()
    Photo.objects.filter(pk=face.photo_id).update(taken_local=timezone.now() - timedelta(days=400))
    FaceLabel.objects.create(face=face, person=person, verdict="confirmed", source="human_confirmed")
    derive([face.pk])


DAMAGE: dict[str, Callable[[], object]] = {
    "finished_without_step": lambda: StepRun.objects.filter(photo=first(), step="faces").delete(),
    "state_against_ledger": lambda: Photo.objects.filter(pk=first().pk).update(state="partial"),
    "read_without_facts": lambda: Photo.objects.filter(pk=first().pk).update(width=None),
    "done_without_result": lambda: PhotoHash.objects.filter(photo=first()).delete(),
    "result_without_step": lambda: PhotoDescription.objects.create(photo=first(), text="A dog.", engine="x"),
    "vector_of_wrong_size": _short_vector,
    "files_against_photo": lambda: Photo.objects.filter(pk=first().pk).update(missing_since=timezone.now()),
    "not_findable": lambda: SearchDocument.objects.filter(photo=first()).delete(),
    "pairs_against_hashes": _pair,
    "hidden_behind_hidden": _other_front,
    "lease_on_finished": _lease,
    "lease_of_the_dead": lambda: _lease(
        state="processing_ocr", lease_until=timezone.now() - timedelta(days=1)
    ),
    "faces_against_labels": lambda: Face.objects.filter(pk=_a_face().pk).update(status="ignored"),
    "person_against_photo": _before_birth,
    "failed_without_reason": lambda: Photo.objects.filter(state="failed").update(error_message=""),
    "rendition_missing": lambda: rendition_path(first().sha256 or "", "thumbnail").unlink(),
    "rendition_broken": lambda: os.truncate(rendition_path(first().sha256 or "", "preview"), 200),
    "rendition_of_no_photo": lambda: (
        rendition_path(first().sha256 or "", "preview").with_name("0" * 64 + ".jpg").write_bytes(b"x")
    ),
    "partial_file": _killed_while_writing,
}


@pytest.mark.parametrize("name", DAMAGE)
def test_each_kind_of_damage_is_named(library: Album, name: str) -> None:
    DAMAGE[name]()
    assert found() == {name: 1}


def test_the_same_row_twice_is_found_where_the_index_that_forbids_it_is_broken(library: Album) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute("ALTER TABLE ingest_steprun DROP CONSTRAINT step_run_unique")
    run = StepRun.objects.filter(photo=first(), step="ocr").get()
    run.pk = None
    run.save(force_insert=True)
    assert found() == {"twice_in_the_library": 1}


def test_bit_rot_is_told_from_an_edit(library: Album) -> None:
    rotten = library.folder / "0.jpg"
    before = rotten.stat()
    content = bytearray(rotten.read_bytes())
    content[-10] ^= 1
    rotten.write_bytes(content)
    os.utime(rotten, ns=(before.st_atime_ns, before.st_mtime_ns))
    library.put("2.jpg", 7)
    assert found() == {"original_changed": 1, "original_newer": 1}


def test_it_writes_nothing(library: Album, tmp_path: Any) -> None:
    def everything() -> list[tuple[str, int]]:
        return [(str(path), path.stat().st_mtime_ns) for path in sorted(tmp_path.rglob("*"))]

    before = everything(), list(Photo.objects.order_by("pk").values())
    DetectedObject.objects.all().delete()
    verify(originals=True)
    assert (everything(), list(Photo.objects.order_by("pk").values())) == before


def test_the_command_tells_people_and_scripts(library: Album) -> None:
    out = StringIO()
    call_command("verify_library", "--originals", stdout=out)
    assert "Everything is as it should be." in out.getvalue()
    OcrText.objects.all().delete()
    out = StringIO()
    with pytest.raises(CommandError, match="1 kinds of faults") as caught:
        call_command("verify_library", "--quick", "--json", stdout=out)
    assert caught.value.returncode == 1
    told = json.loads(out.getvalue())
    assert not told["whole"]
    assert [finding["check"] for finding in told["findings"]] == ["done_without_result"]
    assert told["findings"][0]["count"] == 3
