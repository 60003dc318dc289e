"""Headers, and who is let in."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.test import Client, RequestFactory, override_settings
from django.urls import URLPattern, URLResolver, get_resolver, path
from django.views.generic import RedirectView
from django_htmx.middleware import HtmxDetails

from photos_project.http import is_fragment
from photos_project.middleware import CONTENT_SECURITY_POLICY

BASE = Path(__file__).resolve().parents[2]
OPEN_VIEWS = {"login", "health", "metrics"}
"""Names of the views that need no login; the admin, static files and metrics look after themselves."""


def secret(request: HttpRequest) -> HttpResponse:
    return HttpResponse("only for us")


urlpatterns = [
    path("secret", secret),
    path("away", RedirectView.as_view(url="/elsewhere")),
    path("login/", secret, name="login"),
]


@pytest.mark.urls(__name__)
def test_a_view_needs_a_login_unless_it_says_otherwise(client: Client) -> None:
    response = client.get("/secret")

    assert isinstance(response, HttpResponseRedirect)
    assert response.url == "/login/?next=/secret"


@pytest.mark.urls(__name__)
def test_an_ended_session_sends_the_whole_page_to_the_login(client: Client) -> None:
    response = client.get("/secret", headers={"HX-Request": "true"})

    assert response.status_code == 200
    assert response.headers["HX-Redirect"] == "/login/"


@pytest.mark.urls(__name__)
@pytest.mark.django_db
def test_other_redirects_of_fragments_stay(client: Client) -> None:
    client.force_login(User.objects.create_user("anna"))

    assert client.get("/away", headers={"HX-Request": "true"}).status_code == 302
    assert client.get("/secret", headers={"HX-Request": "true"}).content == b"only for us"


def views(patterns: list[URLPattern | URLResolver]) -> list[URLPattern]:
    found: list[URLPattern] = []
    for pattern in patterns:
        if isinstance(pattern, URLPattern):
            found.append(pattern)
        elif pattern.app_name != "admin":
            found += views(pattern.url_patterns)
    return found


def test_only_login_health_and_metrics_are_open() -> None:
    opened = {
        pattern.name
        for pattern in views(get_resolver().url_patterns)
        if not getattr(pattern.callback, "login_required", True)
    }

    assert opened == OPEN_VIEWS


@pytest.mark.django_db
def test_every_answer_carries_the_policies(client: Client) -> None:
    for address in ("/health", "/admin/login/", "/no-such-page", "/static/vendor/htmx.min.js"):
        response = client.get(address)
        response.close()
        headers = response.headers
        assert headers["Content-Security-Policy"] == CONTENT_SECURITY_POLICY, address
        assert headers["X-Content-Type-Options"] == "nosniff", address
        assert headers["Referrer-Policy"] == "same-origin", address
        assert "geolocation=()" in headers["Permissions-Policy"], address


def test_nothing_inline_and_nothing_from_elsewhere_is_allowed() -> None:
    directives = dict(part.split(" ", 1) for part in CONTENT_SECURITY_POLICY.split("; "))

    assert directives["default-src"] == "'none'"
    assert directives["script-src"] == directives["style-src"] == "'self'"
    assert "unsafe" not in CONTENT_SECURITY_POLICY


@pytest.mark.django_db
def test_the_admin_works_without_anything_inline(client: Client) -> None:
    client.force_login(User.objects.create_superuser("owner"))

    for address in ("/admin/", "/admin/auth/user/", "/admin/auth/user/add/"):
        page = client.get(address).content.decode()
        assert not re.search(r"<script(?![^>]*(src=|application/json))", page), address
        assert not re.search(r"<style|\sstyle=|\son(click|load|change|submit)=", page), address


def test_templates_hold_nothing_the_policy_would_block() -> None:
    for template in [*BASE.glob("templates/**/*.html"), *BASE.glob("*/templates/**/*.html")]:
        text = template.read_text()
        assert not re.search(r"<style|\sstyle=|\shx-on|\son(click|load|change|submit|error)=", text), template
        assert not re.search(r"<script(?![^>]*(src=|application/json))", text), template
        assert not re.search(r"(src|href)=[\"'](https?:)?//[^\"']+\.(js|css|woff2?)", text), template


@pytest.mark.parametrize(
    ("headers", "fragment"),
    [
        ({}, False),
        ({"HX-Request": "true"}, True),
        ({"HX-Request": "true", "HX-Boosted": "true"}, False),
        ({"HX-Request": "true", "HX-History-Restore-Request": "true"}, False),
    ],
)
def test_what_counts_as_a_fragment(headers: dict[str, str], fragment: bool) -> None:  # noqa: FBT001
    request = RequestFactory().get("/", headers=headers)
    assert is_fragment(request) is False  # without the middleware

    request.htmx = HtmxDetails(request)

    assert is_fragment(request) is fragment


@override_settings(SECURE_SSL_REDIRECT=True, SECURE_REDIRECT_EXEMPT=[r"^health$"])
@pytest.mark.django_db
def test_the_health_page_answers_without_tls_behind_a_proxy(client: Client) -> None:
    assert client.get("/health").status_code == 200
    assert client.get("/login/").status_code == 301


@pytest.mark.django_db
def test_nul_characters_are_answered_not_crashed_on(client: Client, admin_client: Client) -> None:
    from django.conf import settings

    client.cookies[settings.SESSION_COOKIE_NAME] = "a\0bcdefghij"
    assert client.get("/").status_code == 302
    assert admin_client.get("/admin/auth/user/?q=a%00b").status_code == 400
