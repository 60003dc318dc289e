"""What every view needs to know about a request."""

from __future__ import annotations

from django.contrib.auth.models import AnonymousUser, User
from django.http import HttpRequest
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
