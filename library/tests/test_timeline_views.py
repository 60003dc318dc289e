"""The gallery."""

from __future__ import annotations

import re
from datetime import UTC, datetime

import pytest
from django.test import Client

from library.models import Photo
from library.presentation import ratio_class, ratio_rules
from library.tests.factories import add_description, add_tag, make_file, make_photo, make_root
from library.tests.pages import assert_sound
from library.timeline import PAGE_SIZE, BadCursor, Cursor

pytestmark = pytest.mark.django_db


def shown_ids(html: str) -> list[int]:
    return [int(pk) for pk in re.findall(r'id="photo-(\d+)"', html)]


def next_address(html: str) -> str | None:
    found = re.search(r'hx-get="([^"]*cursor=[^"]*)"', html)
    return found[1] if found else None


def test_anonymous_visitors_are_sent_to_the_login(client: Client) -> None:
    response = client.get("/")
    assert response.status_code == 302
    assert response["Location"].startswith("/login/")


def test_an_empty_library_says_what_to_do(owner_client: Client) -> None:
    html = assert_sound(owner_client.get("/"))
    assert "make run PHOTOS=" in html
    assert "scan_library" in html


def test_photos_come_newest_first_under_their_months(owner_client: Client) -> None:
    july = make_photo(taken_local=datetime(2020, 7, 3, tzinfo=UTC))
    may = make_photo(taken_local=datetime(2020, 5, 3, tzinfo=UTC))
    later = make_photo(taken_local=datetime(2020, 7, 9, tzinfo=UTC))
    html = assert_sound(owner_client.get("/"))
    assert shown_ids(html) == [later.pk, july.pk, may.pk]
    assert html.index("July 2020") < html.index(f"photo-{july.pk}") < html.index("May 2020")


def test_pages_with_equal_times_show_every_photo_once(owner_client: Client) -> None:
    moment = datetime(2020, 1, 1, tzinfo=UTC)
    photos = [make_photo(taken_local=moment) for _ in range(2 * PAGE_SIZE + 7)]
    seen: list[int] = []
    address: str | None = "/"
    while address:
        html = owner_client.get(address, headers={"HX-Request": "true"}).content.decode()
        seen += shown_ids(html)
        address = next_address(html)
    assert seen == sorted((photo.pk for photo in photos), reverse=True)


def test_a_photo_that_arrives_while_one_scrolls_disturbs_nothing(owner_client: Client) -> None:
    photos = [make_photo() for _ in range(PAGE_SIZE + 3)]
    first = owner_client.get("/").content.decode()
    make_photo(taken_local=datetime(2040, 1, 1, tzinfo=UTC))
    second = owner_client.get(next_address(first) or "").content.decode()
    assert shown_ids(first) + shown_ids(second) == [photo.pk for photo in reversed(photos)]


def test_a_fragment_continues_its_month_without_saying_it_again(owner_client: Client) -> None:
    for day in range(1, 21):
        for _ in range(3):
            make_photo(taken_local=datetime(2020, 7, day, tzinfo=UTC))
    page = owner_client.get("/")
    address = next_address(assert_sound(page)) or ""
    fragment = owner_client.get(address, headers={"HX-Request": "true"})
    html = assert_sound(fragment)
    assert 'hx-swap-oob="beforeend:#month-2020-07"' in html
    assert "<h2" not in html
    assert "<html" not in html
    assert "July 2020" in assert_sound(owner_client.get(address))
    assert "HX-Request" in fragment["Vary"]


def test_without_javascript_a_link_leads_on_and_back(owner_client: Client) -> None:
    photos = [make_photo() for _ in range(PAGE_SIZE + 5)]
    top = assert_sound(owner_client.get("/"))
    assert "Newer photos" not in top
    link = re.search(r'<a class="button" rel="next" href="([^"]+)"', top)
    assert link
    html = assert_sound(owner_client.get(link[1]))
    assert shown_ids(html) == [photo.pk for photo in reversed(photos[:5])]
    assert 'rel="prev" href="/"' in html


def test_newer_page_ends_where_this_one_begins(owner_client: Client) -> None:
    photos = [make_photo() for _ in range(3 * PAGE_SIZE)]
    cursor = Cursor.of(photos[PAGE_SIZE])
    html = owner_client.get(f"/?cursor={cursor}").content.decode()
    newer = re.search(r'rel="prev" href="([^"]+)"', html)
    assert newer
    above = owner_client.get(newer[1]).content.decode()
    assert shown_ids(above)[-1] == photos[PAGE_SIZE].pk
    assert len(shown_ids(above)) == PAGE_SIZE


def test_short_months_share_a_row_when_they_are_here_as_a_whole(owner_client: Client) -> None:
    for month, count in ((12, 1), (11, PAGE_SIZE - 2), (10, 2)):
        for _ in range(count):
            make_photo(taken_local=datetime(2020, month, 1, tzinfo=UTC))
    html = owner_client.get("/").content.decode()
    assert re.findall(r'class="month( small)?" aria-labelledby="heading-([\d-]+)"', html) == [
        (" small", "2020-12"),
        ("", "2020-11"),
        ("", "2020-10"),
    ]


def test_years_lead_to_their_last_photo(owner_client: Client) -> None:
    old = make_photo(taken_local=datetime(2018, 12, 31, 23, 59, tzinfo=UTC))
    make_photo(taken_local=datetime(2019, 1, 1, tzinfo=UTC))
    assert 'href="/?year=2018"' in assert_sound(owner_client.get("/"))
    assert shown_ids(owner_client.get("/?year=2018").content.decode()) == [old.pk]


def test_coming_back_from_a_photo_shows_it_among_its_neighbours(owner_client: Client) -> None:
    photos = [make_photo() for _ in range(2 * PAGE_SIZE)]
    html = owner_client.get(f"/?photo={photos[10].pk}").content.decode()
    assert photos[10].pk in shown_ids(html)
    assert photos[12].pk in shown_ids(html)


@pytest.mark.parametrize(
    "query",
    [
        "cursor=x",
        "cursor=2020-01-01T00:00:00_",
        "cursor=2020-13-01T00:00:00_1",
        "cursor=2020-01-01T00:00:00_9999999999999999999",
        "cursor=2020-01-01T00:00:00_1;drop",
        "year=0",
        "year=99999",
        "year=²",
        "photo=abc",
        "photo=-1",
    ],
)
def test_a_bad_place_is_refused_in_words(owner_client: Client, query: str) -> None:
    response = owner_client.get(f"/?{query}")
    assert response.status_code == 400
    assert "timeline" in assert_sound(response) or "number" in response.content.decode()


def test_cursors_survive_their_own_text() -> None:
    cursor = Cursor(datetime(2020, 2, 29, 23, 59, 59, 123456, tzinfo=UTC), 12)
    assert Cursor.parse(str(cursor)) == cursor
    with pytest.raises(BadCursor, match="not a place"):
        Cursor.parse(f"{cursor}\n")


def test_photos_of_a_closed_root_are_not_there(member_client: Client, owner_client: Client) -> None:
    closed = make_root()
    closed.visible_to.set([])
    hidden = make_photo(root=make_root())
    hidden.files.get().root.visible_to.add(owner_client.session["_auth_user_id"])
    open_photo = make_photo(root=closed)
    assert shown_ids(member_client.get("/").content.decode()) == [open_photo.pk]
    assert set(shown_ids(owner_client.get("/").content.decode())) == {open_photo.pk, hidden.pk}


def test_nearly_identical_photos_stand_behind_the_best(owner_client: Client) -> None:
    best = make_photo()
    for _ in range(2):
        make_photo(duplicate_of=best)
    html = assert_sound(owner_client.get("/"))
    assert shown_ids(html) == [best.pk]
    assert "3<span" in html


def test_a_photo_never_hides_behind_one_that_may_not_be_seen(
    member_client: Client, owner_client: Client
) -> None:
    closed = make_root()
    closed.visible_to.add(owner_client.session["_auth_user_id"])
    best = make_photo(root=closed)
    copy = make_photo(root=make_root(), duplicate_of=best)
    assert shown_ids(member_client.get("/").content.decode()) == [copy.pk]
    assert shown_ids(owner_client.get("/").content.decode()) == [best.pk]


def test_unread_and_vanished_photos_are_not_in_the_gallery(owner_client: Client) -> None:
    make_photo(renditions_at=None, state=Photo.State.FAILED)
    make_photo(missing_since=datetime(2020, 1, 1, tzinfo=UTC))
    assert shown_ids(owner_client.get("/").content.decode()) == []


def test_alt_text_names_day_tags_and_file(owner_client: Client) -> None:
    photo = make_photo("trip/sea <1>.jpg", taken_local=datetime(2019, 7, 2, tzinfo=UTC))
    add_tag(photo, "beach")
    html = assert_sound(owner_client.get("/"))
    assert 'alt="Photo, 2 July 2019, beach (sea &lt;1&gt;.jpg)"' in html


def test_alt_text_begins_with_what_a_model_saw_unless_a_person_gave_a_title(owner_client: Client) -> None:
    for title in ("", "Kiel"):
        photo = make_photo(
            f"{title}sea.jpg", title=title, taken_local=datetime(2019, 7, 2, 10, 0, tzinfo=UTC)
        )
        add_tag(photo, "beach")
        add_description(photo, 'A <dog> runs "home". It is wet.')
    html = assert_sound(owner_client.get("/"))
    assert 'alt="A &lt;dog&gt; runs &quot;home&quot;, 2 July 2019 (sea.jpg)"' in html
    assert 'alt="Kiel, 2 July 2019, beach (Kielsea.jpg)"' in html


def test_alt_text_keeps_names_in_closed_roots_to_itself(member_client: Client, owner_client: Client) -> None:
    photo = make_photo("shared.jpg", root=make_root())
    closed = make_root()
    closed.visible_to.add(owner_client.session["_auth_user_id"])
    make_file(photo, "secret/diary.jpg", root=closed)
    assert "diary" not in member_client.get("/").content.decode()
    assert "diary" not in member_client.get(f"/photo/{photo.pk}").content.decode()
    assert "diary" in owner_client.get(f"/photo/{photo.pk}").content.decode()


@pytest.mark.parametrize(
    ("size", "expected"),
    [((4000, 3000), "r27"), ((100, 5000), "r10"), ((9000, 100), "r80"), ((None, None), "r20")],
)
def test_tiles_have_the_ratio_of_their_photo(size: tuple[int | None, int | None], expected: str) -> None:
    assert ratio_class(Photo(width=size[0], height=size[1])) == expected


def test_the_style_sheet_knows_every_ratio(settings) -> None:  # type: ignore[no-untyped-def]
    written = (settings.BASE_DIR / "static" / "library" / "ratios.css").read_text()
    assert written == ratio_rules()
