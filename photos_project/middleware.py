"""Headers that keep the browser on a short leash, and the login page where a fragment cannot show it."""

from __future__ import annotations

from collections.abc import Callable

from django.conf import settings
from django.http import HttpRequest, HttpResponseBadRequest, HttpResponseBase
from django.shortcuts import resolve_url
from django_htmx.http import HttpResponseClientRedirect

GetResponse = Callable[[HttpRequest], HttpResponseBase]

CONTENT_SECURITY_POLICY = "; ".join(
    [
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' data: blob:",
        "media-src 'self'",
        "font-src 'self'",
        "connect-src 'self'",
        "manifest-src 'self'",
        "form-action 'self'",
        "frame-ancestors 'none'",
        "base-uri 'none'",
    ]
)
"""Nothing inline, nothing from elsewhere; ``data:`` and ``blob:`` pictures are the placeholders."""

PERMISSIONS_POLICY = ", ".join(
    f"{feature}=()"
    for feature in ("camera", "geolocation", "microphone", "payment", "usb", "browsing-topics")
)


def security_headers(get_response: GetResponse) -> GetResponse:
    """Add the policies to every answer. The other headers come from Django's SecurityMiddleware."""

    def middleware(request: HttpRequest) -> HttpResponseBase:
        response = get_response(request)
        response.headers.setdefault("Content-Security-Policy", CONTENT_SECURITY_POLICY)
        response.headers.setdefault("Permissions-Policy", PERMISSIONS_POLICY)
        return response

    return middleware


def no_nul(get_response: GetResponse) -> GetResponse:
    """PostgreSQL cannot hold NUL: a cookie with one is dropped, an admin parameter with one is refused."""

    def middleware(request: HttpRequest) -> HttpResponseBase:
        for name in [name for name, value in request.COOKIES.items() if "\0" in value]:
            del request.COOKIES[name]
        in_admin = request.path_info.startswith("/admin/")
        if in_admin and any("\0" in value for _, values in request.GET.lists() for value in values):
            return HttpResponseBadRequest("A parameter holds a NUL character.", content_type="text/plain")
        return get_response(request)

    return middleware


class NoNulInForms:
    """Refuse a form that holds NUL, too: 400 instead of an error of the database.

    Stands behind Django's check of the CSRF token, for which the form was read already. A view without that
    check reads its form itself, and looks after it.
    """

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        """Hand it on."""
        return self.get_response(request)

    def process_view(
        self, request: HttpRequest, view: object, args: object, kwargs: object
    ) -> HttpResponseBase | None:
        """Look at what was posted."""
        if request.method != "POST" or getattr(view, "csrf_exempt", False):
            return None
        if any("\0" in value for _, values in request.POST.lists() for value in values):
            return HttpResponseBadRequest("A field holds a NUL character.", content_type="text/plain")
        return None


def htmx_login(get_response: GetResponse) -> GetResponse:
    """When a session has ended, send the whole page to the login instead of putting it into a fragment."""

    def middleware(request: HttpRequest) -> HttpResponseBase:
        response = get_response(request)
        login = resolve_url(settings.LOGIN_URL)
        target = response.headers.get("Location", "")
        if getattr(request, "htmx", None) and target.split("?", 1)[0] == login:
            return HttpResponseClientRedirect(login)
        return response

    return middleware
