"""The heart of a photo: everybody has their own."""

from __future__ import annotations

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.http import require_POST
from django.views.decorators.vary import vary_on_headers

from library.access import photo_or_404
from library.actions.favourites import set_favourite
from photos_project.http import is_fragment


@require_POST
@vary_on_headers("HX-Request")
def favourite(request: HttpRequest, pk: int) -> HttpResponse:
    """``on`` is 1 or 0. Answers with the new button, or goes back to the page that it stood on."""
    photo = photo_or_404(request.user, pk)
    if request.user.pk is None:
        raise Http404
    on = request.POST.get("on") == "1"
    set_favourite(photo_id=photo.pk, user_id=request.user.pk, on=on)
    if is_fragment(request):
        return render(request, "library/_heart.html", {"photo": photo, "on": on})
    page = request.headers.get("Referer", "")
    ours = url_has_allowed_host_and_scheme(page, {request.get_host()}, require_https=request.is_secure())
    if "/" not in page or not ours:
        page = reverse("library:photo", args=[pk])
    return redirect(f"{page.partition('#')[0]}#photo-{pk}")
