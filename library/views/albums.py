"""Albums: the list, the page of one, and the forms that make, fill and undo them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from itertools import chain
from typing import Final, TypeVar

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_POST, require_safe
from django.views.decorators.vary import vary_on_headers

from library import timeline as cut
from library.access import album_or_404, may_change_album
from library.actions import albums as actions
from library.albums import album_photos, changeable_albums, counted_albums, shelved
from library.models import Album, AuditEvent
from library.views.chosen import chosen_photos
from photos_project.http import back_to, is_fragment, offer_undo

ALBUMS_PER_PAGE: Final = 60
UNDO_WITHIN: Final = timedelta(hours=1)

T = TypeVar("T")


@require_safe
def albums(request: HttpRequest) -> HttpResponse:
    """A page of albums by title, with counts and covers of what this user may see."""
    page = Paginator(counted_albums(request.user), ALBUMS_PER_PAGE).get_page(request.GET.get("page"))
    context = {"page": page, "albums": shelved(list(page.object_list), request.user)}
    return render(request, "library/albums.html", context)


@require_safe
@vary_on_headers("HX-Request")
def album(request: HttpRequest, pk: int) -> HttpResponse:
    """The photos of an album, newest first: from the top or after ``cursor``."""
    found = album_or_404(request.user, pk)
    photos = album_photos(found, request.user)
    try:
        cursor = cut.Cursor.parse(text) if (text := request.GET.get("cursor")) else None
    except cut.BadCursor as error:
        return render(request, "400.html", {"reason": str(error)}, status=400)
    page = cut.page_after(cut.with_details(photos, request.user), cursor)
    context = {
        "album": found,
        "photos": list(chain.from_iterable(month.photos for month in page.months)),
        "more": f"{reverse('library:album', args=[pk])}?cursor={page.older}" if page.older else "",
    }
    if is_fragment(request):
        return render(request, "library/_album_tiles.html", context)
    context |= {
        "count": photos.count(),
        "may_change": may_change_album(request.user, found),
        "changeable": changeable_albums(request.user).exclude(pk=pk),
    }
    return render(request, "library/album.html", context)


@require_POST
def new_album(request: HttpRequest) -> HttpResponse:
    """Make an album: ``title``."""
    title, user_id = request.POST.get("title", ""), _actor(request)
    event = _said(request, lambda: actions.create_album(title=title, actor_id=user_id))
    if event is None:
        return redirect("library:albums")
    _offer(request, "The album was made.", event, back=reverse("library:albums"))
    return redirect("library:album", event.object_id)


@require_POST
def rename(request: HttpRequest, pk: int) -> HttpResponse:
    """Change the title of an album."""
    found, title = album_or_404(request.user, pk, to_change=True), request.POST.get("title", "")
    event = _said(request, lambda: actions.rename_album(album=found, title=title, actor_id=_actor(request)))
    if event is not None and event.before != event.after:
        _offer(request, f"The album is called “{found.title}” now.", event)
    return redirect("library:album", pk)


@require_POST
def delete(request: HttpRequest, pk: int) -> HttpResponse:
    """Delete an album, not its photos."""
    found = album_or_404(request.user, pk, to_change=True)
    event = actions.delete_album(album=found, actor_id=_actor(request))
    _offer(request, f"The album “{found.title}” was deleted. Its photos are where they were.", event)
    return redirect("library:albums")


@require_POST
def add_photos(request: HttpRequest) -> HttpResponse:
    """Put photos (``photo``, several) into ``album``, or into a new one called ``title``."""
    photo_ids, back = chosen_photos(request), back_to(request, reverse("library:albums"))
    target, title = request.POST.get("album", ""), request.POST.get("title", "").strip()
    if not photo_ids:
        messages.error(request, "No photo was chosen. Tick the photos that belong in the album.")
    elif target.isascii() and target.isdigit() and len(target) < 19:
        found = album_or_404(request.user, int(target), to_change=True)
        event = actions.add_to_album(album=found, photo_ids=photo_ids, actor_id=_actor(request))
        _offer(request, _added(len(event.after["photos"]), len(photo_ids), found.title), event, back=back)
    elif title or target == "new":
        made = _said(
            request,
            lambda: actions.create_album(title=title, actor_id=_actor(request), photo_ids=photo_ids),
        )
        if made is not None:
            _offer(request, f"{_photos(len(photo_ids))} put into the new album “{title}”.", made, back=back)
    else:
        messages.error(request, "Choose an album, or write the title of a new one.")
    return redirect(back)


@require_POST
def remove_photos(request: HttpRequest, pk: int) -> HttpResponse:
    """Take photos (``photo``, several) out of an album."""
    found = album_or_404(request.user, pk, to_change=True)
    photo_ids = chosen_photos(request)
    event = actions.remove_from_album(album=found, photo_ids=photo_ids, actor_id=_actor(request))
    if gone := len(event.before["photos"]):
        _offer(request, f"{_photos(gone)} taken out of the album.", event)
    else:
        messages.error(request, "No photo of this album was chosen.")
    return redirect("library:album", pk)


@require_POST
def undo_deed(request: HttpRequest, pk: int) -> HttpResponse:
    """Take back one's own deed, as long as that is fresh."""
    event = AuditEvent.objects.filter(
        pk=pk, actor=request.user.pk, object_type="album", at__gte=timezone.now() - UNDO_WITHIN
    ).first()
    if event is None:
        raise Http404
    found = Album.objects.filter(pk=event.object_id or 0).first()
    if found is not None and not may_change_album(request.user, found):
        raise Http404
    try:
        messages.success(request, actions.undo(event=event, actor_id=_actor(request)))
    except actions.CannotUndo as error:
        messages.error(request, str(error))
    return redirect(back_to(request, reverse("library:albums")))


def _said(request: HttpRequest, deed: Callable[[], T]) -> T | None:
    """The result of the deed, or None after its objection was put on the next page."""
    try:
        return deed()
    except actions.BadAlbum as error:
        messages.error(request, str(error))
        return None


def _offer(request: HttpRequest, said: str, event: AuditEvent, *, back: str = "") -> None:
    back = back or (
        reverse("library:album", args=[event.object_id]) if event.object_id else reverse("library:albums")
    )
    offer_undo(request, said, reverse("library:undo_album", args=[event.pk]), back=back)


def _actor(request: HttpRequest) -> int:
    if request.user.pk is None:
        raise Http404
    return int(request.user.pk)


def _photos(number: int) -> str:
    return "1 photo was" if number == 1 else f"{number} photos were"


def _added(new: int, chosen: int, title: str) -> str:
    if new == 0:
        return f"Nothing changed: {'the photo was' if chosen == 1 else 'all were'} in “{title}” already."
    return f"{_photos(new)} put into “{title}”."
