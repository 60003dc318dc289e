"""What every view needs to know about a request."""

from __future__ import annotations

from collections.abc import Mapping

from django.contrib import messages
from django.contrib.auth.models import AnonymousUser, User
from django.http import HttpRequest
from django.template.loader import render_to_string
from django.utils.http import url_has_allowed_host_and_scheme
from django_htmx.middleware import HtmxDetails


class HtmxRequest(HttpRequest):
    """A request as it reaches our views: the middleware has added ``htmx``, and the user is logged in."""

    htmx: HtmxDetails
    user: User | AnonymousUser


def is_fragment(request: HttpRequest) -> bool:
    """Whether only a part of the page is asked for.

    A boosted link wants the whole page, and so does HTMX when it restores one from its history. The answer
    depends on a header: the view says so with ``vary_on_headers("HX-Request")``.
    """
    htmx: HtmxDetails | None = getattr(request, "htmx", None)
    return bool(htmx) and htmx is not None and not htmx.boosted and not htmx.history_restore_request


def back_to(request: HttpRequest, otherwise: str) -> str:
    """Where a form wants to go afterwards: its ``next`` if that is a path of ours.

    Nothing but a path: ``redirect`` would take a bare word for the name of a page.
    """
    wanted = request.POST.get("next") or request.GET.get("next") or ""
    ours = wanted.startswith("/") and url_has_allowed_host_and_scheme(wanted, allowed_hosts=None)
    return wanted if ours else otherwise


def offer_undo(
    request: HttpRequest, said: str, url: str, fields: Mapping[str, object] | None = None, *, back: str = ""
) -> None:
    """Tell on the next page what was done, beside a button that takes it back by posting ``fields``."""
    context = {"said": said, "url": url, "fields": dict(fields or {}), "back": back}
    messages.success(request, render_to_string("_components/undo.html", context, request))
