"""Hearts: everybody has their own, on photos they may see."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from library.models import Favourite
from library.tests.factories import make_photo, make_root
from library.tests.pages import assert_sound

pytestmark = pytest.mark.django_db


def test_a_heart_is_given_and_taken_back_without_javascript(
    member_client: Client, owner_client: Client
) -> None:
    photo = make_photo()
    page = "http://testserver/?year=2019"
    for on, pressed in (("1", "true"), ("1", "true"), ("0", "false")):
        response = member_client.post(f"/photo/{photo.pk}/favourite", {"on": on}, headers={"Referer": page})
        assert response.status_code == 302
        assert response["Location"] == f"{page}#photo-{photo.pk}"
        html = assert_sound(member_client.get(f"/photo/{photo.pk}"))
        assert f'aria-pressed="{pressed}" aria-label="Favourite"' in html
        assert 'aria-pressed="false" aria-label="Favourite"' in assert_sound(
            owner_client.get(f"/photo/{photo.pk}")
        )


@pytest.mark.parametrize("referer", ["", "https://elsewhere.example/", "javascript:alert(1)", "nowhere"])
def test_the_way_back_leads_nowhere_else(member_client: Client, referer: str) -> None:
    photo = make_photo()
    response = member_client.post(f"/photo/{photo.pk}/favourite", {"on": "1"}, headers={"Referer": referer})
    assert response["Location"] == f"/photo/{photo.pk}#photo-{photo.pk}"


def test_htmx_gets_the_button_alone(member_client: Client, member: Any) -> None:
    photo = make_photo()
    url = f"/photo/{photo.pk}/favourite"
    html = member_client.post(url, {"on": "1"}, headers={"HX-Request": "true"}).content.decode()
    assert "<html" not in html
    assert 'name="on" value="0"' in html and 'aria-pressed="true"' in html
    assert Favourite.objects.get().user == member


def test_a_hidden_photo_is_not_there(member_client: Client, owner: Any) -> None:
    root = make_root()
    root.visible_to.add(owner)
    photo = make_photo(root=root)
    assert member_client.post(f"/photo/{photo.pk}/favourite", {"on": "1"}).status_code == 404
    assert member_client.get(f"/photo/{photo.pk}/favourite").status_code == 405
    assert Client().post(f"/photo/{photo.pk}/favourite", {"on": "1"}).status_code == 302
    assert not Favourite.objects.exists()


def test_tiles_carry_the_heart(member_client: Client, member: Any) -> None:
    photo, _ = make_photo(), make_photo()
    Favourite.objects.create(user=member, photo=photo)
    html = assert_sound(member_client.get("/"))
    assert html.count('aria-pressed="true" aria-label="Favourite"') == 1
    assert html.count('aria-pressed="false" aria-label="Favourite"') == 1
