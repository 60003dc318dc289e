"""``/metrics``: for Prometheus, with a token; without one for this machine alone."""

from __future__ import annotations

import hmac
from ipaddress import ip_address

from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse
from django.http.request import split_domain_port
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from ingest.metrics import CONTENT_TYPE, collect, expose

#: A reverse proxy on this machine makes every visitor come from the loopback address. These it may add.
_SIGNS_OF_A_PROXY = (
    *("Forwarded", "Via", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "X-Real-IP"),
    *("X-Client-IP", "CF-Connecting-IP", "True-Client-IP"),
)
_REMEDY = (
    "Set METRICS_TOKEN and let Prometheus send it as bearer token; without a token only this machine "
    "itself may ask, and not through a proxy.\n"
)


@login_not_required
@never_cache
@require_safe
def metrics(request: HttpRequest) -> HttpResponse:
    """The figures as text; 401 without the right token, 403 for strangers where no token is set."""
    token: str | None = settings.METRICS_TOKEN
    if token:
        if not _has_token(request, token):
            answer = HttpResponse("The bearer token is missing or wrong.\n", "text/plain", 401)
            answer["WWW-Authenticate"] = 'Bearer realm="metrics"'
            return answer
    elif not _is_local(request):
        return HttpResponse(_REMEDY, "text/plain", 403)
    return HttpResponse(expose(collect()), CONTENT_TYPE)


def _has_token(request: HttpRequest, token: str) -> bool:
    scheme, _, sent = request.headers.get("Authorization", "").partition(" ")
    return scheme.lower() == "bearer" and hmac.compare_digest(sent.strip().encode(), token.encode())


def _is_local(request: HttpRequest) -> bool:
    """Whether a program on this machine asks us directly. What a header says only ever takes away.

    The address is that of the socket. Where the settings speak of a proxy (HTTPS, CSRF_TRUSTED_ORIGINS), it
    says nothing, even if the proxy adds no header; nor under another name than this machine's own.
    """
    behind_proxy = settings.HTTPS or bool(settings.CSRF_TRUSTED_ORIGINS)
    if behind_proxy or any(name in request.headers for name in _SIGNS_OF_A_PROXY):
        return False
    host = split_domain_port(request.get_host())[0].strip("[]")
    return _is_loopback(request.META.get("REMOTE_ADDR", "")) and (host == "localhost" or _is_loopback(host))


def _is_loopback(address: str) -> bool:
    try:
        found = ip_address(address)
    except ValueError:
        return False
    mapped = getattr(found, "ipv4_mapped", None)
    return (mapped or found).is_loopback
