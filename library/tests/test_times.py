"""When photos were taken: what people correct, and what a camera's other photos tell."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from library.actions.times import borrow_offsets, correct_times, reapply_corrections, undo_corrections
from library.models import AuditEvent, Photo, TimeCorrection
from library.tests.factories import make_photo, make_root
from library.tests.pages import assert_sound

pytestmark = pytest.mark.django_db

NOON = datetime(2019, 7, 4, 12, 0, 30, tzinfo=UTC)


def shot(hours: float = 0, offset: int | None = None, **fields: Any) -> Photo:
    """A photo of one camera; without an offset its instant was reckoned in UTC."""
    local = NOON + timedelta(hours=hours)
    values = {
        "taken_local": local,
        "taken_at": local - timedelta(minutes=offset or 0),
        "taken_offset_minutes": offset,
        "taken_offset_source": "" if offset is None else "recorded",
        "camera_make": "Canon",
        "camera_model": "EOS",
    }
    return make_photo(**values | fields)


def values(photo: Photo) -> tuple[Any, ...]:
    photo.refresh_from_db()
    return (photo.taken_offset_minutes, photo.taken_offset_source, photo.taken_at, photo.taken_local)


@pytest.mark.parametrize("first", ["with", "without"])
def test_a_camera_s_other_photos_tell_the_offset_in_any_order(first: str) -> None:
    bare, told = shot(), shot(2, 120)
    assert borrow_offsets(photo_ids=[told.pk if first == "with" else bare.pk]) == 1
    assert values(bare) == (120, "camera", NOON - timedelta(hours=2), NOON)
    assert borrow_offsets(photo_ids=[bare.pk, told.pk]) == 0


def test_the_nearest_counts() -> None:
    bare = shot()
    shot(-5, 120), shot(3, 540)
    borrow_offsets(photo_ids=[bare.pk])
    assert values(bare)[0] == 540
    nearer = shot(1, 60)
    borrow_offsets(photo_ids=[nearer.pk])
    assert values(bare)[0] == 60


@pytest.mark.parametrize(
    "other",
    [
        {"hours": 13},
        {"camera_model": "Pixel"},
        {"camera_make": "Nikon"},
        {"exif": {"BodySerialNumber": "2"}},
        {"taken_offset_source": "camera"},
    ],
)
def test_others_do_not_count(other: dict[str, Any]) -> None:
    bare = shot()
    shot(**{"offset": 120} | other)
    assert borrow_offsets(photo_ids=[bare.pk]) == 0


def test_no_camera_is_not_one_camera() -> None:
    bare, _ = shot(camera_make="", camera_model=""), shot(1, 120, camera_make="", camera_model="")
    assert borrow_offsets(photo_ids=[bare.pk]) == 0


def test_what_was_written_down_is_never_replaced() -> None:
    mine = shot(0, 0)
    shot(1, 120)
    assert borrow_offsets(photo_ids=[mine.pk]) == 0


def test_a_correction_outlives_a_new_reading_and_can_be_taken_back(owner: Any) -> None:
    photo = shot()
    correct_times(photo_ids=[photo.pk], actor_id=owner.pk, shift=timedelta(hours=1), offset_minutes=120)
    corrected = (120, "person", NOON - timedelta(hours=1), NOON + timedelta(hours=1))
    assert values(photo) == corrected
    assert photo.taken_source == "person"
    Photo.objects.filter(pk=photo.pk).update(
        taken_at=NOON,
        taken_local=NOON,
        taken_offset_minutes=None,
        taken_offset_source="",
        taken_source="exif",
    )
    reapply_corrections(photo_ids=[photo.pk])
    assert values(photo) == corrected
    assert undo_corrections(photo_ids=[photo.pk], actor_id=owner.pk) == 1
    assert values(photo) == (None, "", NOON, NOON)
    assert photo.taken_source == "exif"
    assert not TimeCorrection.objects.exists()
    events = AuditEvent.objects.filter(object_id=photo.pk).order_by("pk")
    assert [(event.action, event.actor) for event in events] == [
        ("correct_time", owner),
        ("undo_correct_time", owner),
    ]
    assert events[0].before["taken_offset_minutes"] is None
    assert events[0].after["taken_offset_minutes"] == 120


def test_shifts_add_up_and_undo_goes_all_the_way_back() -> None:
    photo = shot(0, 60)
    for _ in range(2):
        correct_times(photo_ids=[photo.pk], actor_id=None, shift=timedelta(hours=-1))
    assert values(photo)[3] == NOON - timedelta(hours=2)
    undo_corrections(photo_ids=[photo.pk], actor_id=None)
    assert values(photo) == (60, "recorded", NOON - timedelta(hours=1), NOON)


def test_the_offset_of_an_instant_moves_the_clock_not_the_instant() -> None:
    photo = shot(taken_source="takeout")
    correct_times(photo_ids=[photo.pk], actor_id=None, offset_minutes=-300)
    assert values(photo) == (-300, "person", NOON, NOON - timedelta(hours=5))


def test_no_photo_is_older_than_photography() -> None:
    photo = shot()
    with pytest.raises(ValueError, match="1719"):
        correct_times(photo_ids=[photo.pk], actor_id=None, shift=timedelta(days=-300 * 365))


class TestPage:
    def post(self, client: Client, photo: Photo, **data: str) -> Any:
        return client.post(reverse("library:correct_time", args=[photo.pk]), data, follow=True)

    def test_the_owner_corrects_and_takes_back(self, owner_client: Client) -> None:
        photo = shot()
        page = self.post(owner_client, photo, taken_local="2001-02-03T04:05", offset="-05:00")
        html = assert_sound(page)
        assert "offset from: correction made here" in html
        assert values(photo)[3] == datetime(2001, 2, 3, 4, 5, tzinfo=UTC)
        self.post(owner_client, photo, undo="1")
        assert values(photo)[3] == NOON

    def test_a_clock_that_was_not_touched_keeps_its_seconds(self, owner_client: Client) -> None:
        photo = shot()
        self.post(owner_client, photo, taken_local="2019-07-04T12:00", offset="+02:00")
        assert values(photo) == (120, "person", NOON - timedelta(hours=2), NOON)
        assert photo.taken_source == "exif"

    @pytest.mark.parametrize(
        "data", [{"offset": "soon"}, {"taken_local": "x"}, {"taken_local": "0001-01-01T00:00"}]
    )
    def test_nonsense_is_said_and_changes_nothing(self, owner_client: Client, data: dict[str, str]) -> None:
        photo = shot()
        page = self.post(owner_client, photo, **data)
        assert [str(message) for message in page.context["messages"]]
        assert not TimeCorrection.objects.exists()

    @pytest.mark.parametrize(
        ("scope", "moved"),
        [("photo", "a"), ("day", "ab"), ("camera", "abc"), ("folder", "ae"), ("planet", "a")],
    )
    def test_others_that_are_wrong_in_the_same_way_come_along_and_go_back(
        self, owner_client: Client, scope: str, moved: str
    ) -> None:
        root = make_root()
        photos = {
            "a": shot(0, path="trip/a.jpg", root=root),
            "b": shot(2, path="b.jpg", root=root),
            "c": shot(48, path="trip/below/c.jpg", root=root),
            "d": shot(exif={"BodySerialNumber": "7"}, path="d.jpg", root=root),
            "e": shot(camera_model="Pixel", path="trip/e.jpg", root=root),
            "f": shot(path="trip/f.jpg", root=make_root(), camera_model="Nokia"),
        }
        before = {name: values(photo)[3] for name, photo in photos.items()}
        page = self.post(owner_client, photos["a"], taken_local="2019-07-04T13:00", scope=scope)
        hour = timedelta(hours=1)
        after = {name: values(photo)[3] - before[name] for name, photo in photos.items()}
        # Alone it gets the clock that was said; with others all move by the same minutes.
        own = hour - timedelta(seconds=NOON.second) if len(moved) == 1 else hour
        assert after == {name: own if name in moved else timedelta() for name in photos}
        expected = "this photo" if len(moved) == 1 else f"{len(moved)} photos"
        assert f"The time of {expected} was corrected." in assert_sound(page)
        self.post(owner_client, photos["a"], undo="1", scope=scope)
        assert {name: values(photo)[3] for name, photo in photos.items()} == before

    def test_too_many_are_refused_with_a_way_out(
        self, owner_client: Client, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("library.same_clock.AT_ONCE", 1)
        photo, _ = shot(), shot(1)
        page = self.post(owner_client, photo, taken_local="2019-07-04T13:00", scope="camera")
        assert "more than 1 photos" in page.content.decode()
        assert not TimeCorrection.objects.exists()

    def test_members_may_not(self, member_client: Client) -> None:
        photo = shot()
        assert self.post(member_client, photo, offset="+02:00").status_code == 403
        page = member_client.get(reverse("library:photo", args=[photo.pk]))
        assert "Correct the time" not in page.content.decode()


class TestAdmin:
    def post(self, client: Client, action: str, photos: list[Photo], **data: str) -> Any:
        chosen = {"action": action, "_selected_action": [photo.pk for photo in photos]}
        return client.post(reverse("admin:library_photo_changelist"), chosen | data, follow=True)

    def test_many_are_corrected_at_once_and_back(self, owner_client: Client) -> None:
        photos = [shot(), shot(1)]
        self.post(owner_client, "correct_time", photos, shift="-1:30", offset="+02:00")
        assert [values(photo)[3] - NOON for photo in photos] == [timedelta(hours=-1.5), timedelta(hours=-0.5)]
        assert TimeCorrection.objects.count() == 2
        self.post(owner_client, "undo_correct_time", photos)
        assert values(photos[0]) == (None, "", NOON, NOON)

    @pytest.mark.parametrize("data", [{}, {"shift": "later"}, {"offset": "99"}, {"shift": "999999:00"}])
    def test_nonsense_is_said(self, owner_client: Client, data: dict[str, str]) -> None:
        self.post(owner_client, "correct_time", [shot()], **data)
        assert not TimeCorrection.objects.exists()
