"""Albums: who sees which, what a form does to them, and that it can be taken back."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from library.access import albums_for
from library.actions import albums as actions
from library.models import Album, AuditEvent, Favourite
from library.tests.factories import make_file, make_photo, make_root, make_user
from library.tests.pages import assert_sound

pytestmark = pytest.mark.django_db


def album_of(*photos: Any, title: str = "Summer", **fields: Any) -> Album:
    album = Album.objects.create(title=title, **fields)
    album.add(photo.pk for photo in photos)
    return album


def closed_root() -> Any:
    root = make_root()
    root.visible_to.add(make_user())
    return root


def post(client: Client, name: str, *args: Any, **values: Any) -> str:
    """Send the form, follow, and give the page."""
    response = client.post(reverse(f"library:{name}", args=args), values, follow=True)
    assert response.status_code == 200
    return assert_sound(response)


def undo(client: Client, html: str) -> str:
    """Press the button beside the message."""
    found = re.search(r'class="undo" method="post" action="([^"]+)"', html)
    assert found, "nothing offers to undo"
    back = re.search(r'name="next" value="([^"]+)"', html[found.start() :])
    response = client.post(found[1], {"next": back[1] if back else ""}, follow=True)
    assert response.status_code == 200
    return assert_sound(response)


def test_albums_are_listed_with_counts_and_covers(member_client: Client) -> None:
    older, newer = make_photo("a.jpg"), make_photo("b.jpg")
    album = album_of(older, newer)
    album_of(title="Empty", created_by=None)
    html = assert_sound(member_client.get("/albums"))
    assert f'href="/albums/{album.pk}"' in html
    assert "2 photos" in html
    assert f"/thumbnail/{newer.pk}" in html
    assert f"/thumbnail/{older.pk}" not in html
    assert "Empty" not in html, "an album in which one may see nothing is not there"


def test_counts_and_covers_are_of_what_one_may_see(member_client: Client, owner_client: Client) -> None:
    make_root()
    seen, hidden = make_photo("seen.jpg"), make_photo("hidden.jpg", root=closed_root())
    album = album_of(seen, hidden)
    html = assert_sound(member_client.get("/albums"))
    assert "1 photo<" in html
    assert f"/thumbnail/{hidden.pk}" not in html
    page = assert_sound(member_client.get(f"/albums/{album.pk}"))
    assert f"/photo/{seen.pk}" in page
    assert f"/photo/{hidden.pk}" not in page
    assert "2 photos" in assert_sound(owner_client.get("/albums"))


def test_an_imported_title_is_hidden_with_its_folder(member: Any, member_client: Client) -> None:
    make_root()
    photo = make_photo("open.jpg")
    make_file(photo, "Secret trip/open.jpg", root=closed_root())
    album = album_of(photo, title="Secret trip", source=Album.Source.TAKEOUT)
    assert "Secret" not in assert_sound(member_client.get("/albums"))
    assert member_client.get(f"/albums/{album.pk}").status_code == 404
    assert not albums_for(member).exists()


def test_an_album_of_hidden_photos_is_not_there(member_client: Client) -> None:
    album = album_of(make_photo("hidden.jpg", root=closed_root()))
    assert member_client.get(f"/albums/{album.pk}").status_code == 404


def test_make_rename_and_delete_an_album_and_take_it_back(member: Any, member_client: Client) -> None:
    photo = make_photo()
    html = post(member_client, "new_album", title="  Our   summer ")
    album = Album.objects.get(title="Our summer", created_by=member)
    post(member_client, "add_to_album", album=album.pk, photo=[photo.pk])
    html = post(member_client, "rename_album", album.pk, title="Winter")
    assert "Winter" in html
    undo(member_client, html)
    album.refresh_from_db()
    assert album.title == "Our summer"
    html = post(member_client, "delete_album", album.pk)
    assert not Album.objects.filter(pk=album.pk).exists()
    undo(member_client, html)
    assert list(Album.objects.get(pk=album.pk).photos.all()) == [photo]
    assert Album.objects.get(pk=album.pk).created_by == member


def test_photos_are_put_in_and_taken_out_and_both_is_undone(member: Any, member_client: Client) -> None:
    first, second = make_photo(), make_photo()
    album = album_of(first, created_by=member)
    html = post(member_client, "add_to_album", album=album.pk, photo=[first.pk, second.pk], next="/albums")
    assert "1 photo was put into" in html
    undo(member_client, html)
    assert list(album.photos.all()) == [first], "what was in it before stays in it"
    html = post(member_client, "remove_from_album", album.pk, photo=[first.pk, second.pk])
    assert not album.photos.exists()
    undo(member_client, html)
    assert list(album.photos.all()) == [first]


def test_chosen_photos_can_make_a_new_album(member: Any, member_client: Client) -> None:
    photo = make_photo()
    html = post(member_client, "add_to_album", title="Fresh", photo=[photo.pk], next="/albums")
    assert list(Album.objects.get(title="Fresh").photos.all()) == [photo]
    undo(member_client, html)
    assert not Album.objects.exists()


def test_photos_one_may_not_see_cannot_be_put_into_an_album(member: Any, member_client: Client) -> None:
    make_root()
    hidden = make_photo("hidden.jpg", root=closed_root())
    album = album_of(created_by=member)
    html = post(member_client, "add_to_album", album=album.pk, photo=[hidden.pk, "x", "9" * 30])
    assert "No photo was chosen" in html
    assert not album.photos.exists()


@pytest.mark.parametrize("deed", ["rename_album", "delete_album", "remove_from_album"])
def test_albums_of_others_are_not_changed(member_client: Client, deed: str) -> None:
    photo = make_photo()
    album = album_of(photo, created_by=make_user())
    values = {"title": "Mine", "photo": [photo.pk]}
    assert member_client.post(reverse(f"library:{deed}", args=[album.pk]), values).status_code == 404
    assert member_client.post("/albums/add", {"album": album.pk, "photo": [photo.pk]}).status_code == 404
    assert list(Album.objects.get(title="Summer").photos.all()) == [photo]
    assert "Delete the album" not in assert_sound(member_client.get(f"/albums/{album.pk}"))


def test_only_ones_own_deeds_are_taken_back(member: Any, member_client: Client, owner: Any) -> None:
    album = album_of(make_photo(), created_by=member)
    event = actions.delete_album(album=album, actor_id=owner.pk)
    assert member_client.post(f"/albums/undo/{event.pk}").status_code == 404
    stranger = AuditEvent.objects.create(actor=member, action="correct_time", object_type="photo")
    assert member_client.post(f"/albums/undo/{stranger.pk}").status_code == 404


def test_what_changed_again_since_is_not_undone(member: Any, member_client: Client) -> None:
    album = album_of(created_by=member)
    event = actions.rename_album(album=album, title="Winter", actor_id=member.pk)
    actions.rename_album(album=album, title="Spring", actor_id=member.pk)
    html = assert_sound(member_client.post(f"/albums/undo/{event.pk}", follow=True))
    assert "renamed again since" in html
    assert Album.objects.get().title == "Spring"


@pytest.mark.parametrize("title", ["", "   ", "x" * 201])
def test_a_title_that_is_none_is_refused(member_client: Client, title: str) -> None:
    html = post(member_client, "new_album", title=title)
    assert "title" in html
    assert not Album.objects.exists()


def test_a_title_that_cannot_be_stored_is_refused(member_client: Client) -> None:
    for name, values in (("new_album", {"title": "a\0b"}), ("add_to_album", {"photo": "1", "album": "\0"})):
        response = member_client.post(reverse(f"library:{name}"), values)
        assert response.status_code == 400
        assert "NUL" in response.content.decode()
    assert not Album.objects.exists()


@pytest.mark.parametrize("where", ["https://evil.example/", "//evil.example", "/\\evil.example", "nowhere"])
def test_a_form_leads_nowhere_else(member_client: Client, where: str) -> None:
    response = member_client.post("/albums/add", {"photo": "1", "next": where})
    assert response.url == "/albums"


def test_a_long_album_is_scrolled_without_gaps(member_client: Client) -> None:
    photos = [make_photo() for _ in range(53)]
    album = album_of(*photos)
    html = assert_sound(member_client.get(f"/albums/{album.pk}"))
    more = re.search(r'hx-get="([^"]+)"', html.split('id="more"')[1])
    assert more
    rest = member_client.get(more[1], headers={"HX-Request": "true"}).content.decode()
    ids = re.findall(r'id="photo-(\d+)"', html + rest)
    assert ids == [str(photo.pk) for photo in reversed(photos)]
    assert member_client.get(f"/albums/{album.pk}?cursor=nonsense").status_code == 400


def test_hearts_for_all_chosen_photos(member: Any, member_client: Client) -> None:
    make_root()
    photos = [make_photo(), make_photo()]
    hidden = make_photo("hidden.jpg", root=closed_root())
    html = post(member_client, "favourite_chosen", photo=[p.pk for p in [*photos, hidden]])
    assert "2 photos more" in html
    assert set(Favourite.objects.values_list("user", "photo")) == {(member.pk, p.pk) for p in photos}


def test_the_number_of_queries_does_not_grow(member: Any, member_client: Client) -> None:
    def queries(address: str) -> int:
        with CaptureQueriesContext(
            connection,
        ) as context:
            member_client.get(address)
        return len(context)

    make_root()
    closed_root()
    big = album_of(*(make_photo() for _ in range(10)), title="Big")
    for number in range(9):
        album_of(make_photo(), title=f"Album {number}")
    few, few_photos = queries("/albums"), queries(f"/albums/{big.pk}")
    big.add(make_photo().pk for _ in range(40))
    for number in range(60):
        album_of(make_photo(), title=f"More {number}")
    assert queries("/albums") == few
    assert queries(f"/albums/{big.pk}") == few_photos
