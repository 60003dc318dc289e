"""The frame of all pages: login, menu, error pages."""

from __future__ import annotations

import pytest
from django.template.loader import render_to_string
from django.test import Client

from library.tests.pages import assert_sound

pytestmark = pytest.mark.django_db


def test_logging_in_leads_to_the_photos_and_out_to_the_login(client: Client, member: object) -> None:
    assert_sound(client.get("/login/"))
    response = client.post("/login/", {"username": "max", "password": "max"})
    assert response.status_code == 302
    assert response["Location"] == "/"
    assert client.post("/logout/")["Location"] == "/login/"
    assert client.get("/").status_code == 302


def test_a_wrong_password_says_so_and_keeps_the_name(client: Client, member: object) -> None:
    html = assert_sound(client.post("/login/", {"username": "max", "password": "no"}))
    assert 'role="alert"' in html
    assert 'value="max"' in html


def test_the_admin_is_offered_to_the_owner_only(owner_client: Client, member_client: Client) -> None:
    assert 'href="/admin/"' in assert_sound(owner_client.get("/"))
    assert 'href="/admin/"' not in assert_sound(member_client.get("/"))


@pytest.mark.parametrize("address", ["/", "/duplicates", "/status/"])
def test_every_page_has_landmarks_and_says_where_one_is(owner_client: Client, address: str) -> None:
    html = assert_sound(owner_client.get(address))
    assert 'href="#main"' in html
    assert '<main id="main"' in html
    assert 'role="search"' in html
    assert html.count('aria-current="page"') == 1
    assert html.count("<h1") == 1


@pytest.mark.parametrize("code", ["400", "403", "403_csrf", "404", "500"])
def test_error_pages_need_no_context(code: str) -> None:
    assert "<h1>" in render_to_string(f"{code}.html")


def test_the_policy_forbids_everything_inline(owner_client: Client) -> None:
    policy = owner_client.get("/")["Content-Security-Policy"]
    assert "unsafe" not in policy
    assert "default-src 'none'" in policy
