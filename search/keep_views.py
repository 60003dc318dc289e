"""Saved searches and the history: one page shows both, small forms change them."""

from __future__ import annotations

from dataclasses import asdict

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_POST, require_safe

from library.access import photos_for
from library.timeline import with_details
from photos_project.http import back_to, offer_undo
from search import found
from search.actions import history as remembering
from search.actions import saved as saving
from search.history import keeps_history, recent
from search.saved import saved_for, saved_or_404

FLAGS = ("weaker", "shared", "is_album")


@require_safe
def searches(request: HttpRequest) -> HttpResponse:
    """What this user saved, what others share with them, and what they searched for."""
    context = {
        "saved": list(saved_for(request.user)[:500]),
        "history": list(recent(request.user)),
        "keeps_history": keeps_history(request.user),
    }
    return render(request, "search/searches.html", context)


@require_safe
def open_saved(request: HttpRequest, pk: int) -> HttpResponse:
    """The results of a saved search, found with the rights of whoever asks."""
    return redirect(found.Asked.of_saved(saved_or_404(request.user, pk)).url())


@require_safe
def smart_album(request: HttpRequest, pk: int) -> HttpResponse:
    """The card of a saved search among the albums: its count and cover as this user may see them."""
    saved = saved_or_404(request.user, pk)
    asked = found.Asked.of_saved(saved)
    count, newest = found.count_and_first(asked, request.user)
    cover = with_details(photos_for(request.user).filter(pk=newest), request.user).first() if newest else None
    many = found.is_bounded(asked, request.user, count)
    context = {"saved": saved, "count": count, "cover": cover, "many": many}
    return render(request, "search/_smart_album.html", context)


@require_POST
def save(request: HttpRequest) -> HttpResponse:
    """Keep a search: ``name``, ``q``, and what else ``search.found.Asked`` has; ``shared``, ``is_album``."""
    asked = found.Asked.of(request.POST)
    flags = {name: name in request.POST for name in ("shared", "is_album")}
    wish = saving.Wish(
        request.POST.get("name", ""), asked.kept, asked.mode, asked.sort, weaker=asked.weaker, **flags
    )
    try:
        kept = saving.save_search(owner_id=_user_id(request), wish=wish)
    except saving.CannotSave as error:
        messages.error(request, str(error))
    else:
        messages.success(request, f"The search is kept as “{kept.name}”.")
    return redirect(back_to(request, reverse("search:searches")))


@require_POST
def change(request: HttpRequest, pk: int) -> HttpResponse:
    """Rename a saved search, share it or not, put it among the albums or not."""
    saved = saved_or_404(request.user, pk, to_change=True)
    wish = saving.Wish(
        request.POST.get("name", saved.name),
        saved.query,
        saved.mode,
        saved.sort,
        weaker=saved.weaker,
        shared="shared" in request.POST,
        is_album="is_album" in request.POST,
    )
    try:
        saving.change_search(saved=saved, wish=wish)
    except saving.CannotSave as error:
        messages.error(request, str(error))
    else:
        messages.success(request, f"“{wish.name.strip()}” was changed.")
    return redirect(back_to(request, reverse("search:searches")))


@require_POST
def delete(request: HttpRequest, pk: int) -> HttpResponse:
    """Throw a saved search away; the button beside the message saves it again."""
    saved = saved_or_404(request.user, pk, to_change=True)
    wish = saving.delete_search(saved=saved)
    values = {name: value for name, value in asdict(wish).items() if name not in FLAGS or value}
    values["q"] = values.pop("query")
    offer_undo(request, f"“{wish.name}” was deleted.", reverse("search:save"), values)
    return redirect(back_to(request, reverse("search:searches")))


@require_POST
def forget(request: HttpRequest, pk: int) -> HttpResponse:
    """Forget one search of the history."""
    if not remembering.forget(user_id=_user_id(request), entry_id=pk):
        raise Http404
    return redirect("search:searches")


@require_POST
def clear(request: HttpRequest) -> HttpResponse:
    """Forget the whole history."""
    gone = remembering.clear(user_id=_user_id(request))
    messages.success(request, f"{gone} search{'' if gone == 1 else 'es'} forgotten.")
    return redirect("search:searches")


@require_POST
def switch(request: HttpRequest) -> HttpResponse:
    """Keep a history from now on (``keep``), or none; switching it off forgets what there is."""
    keep = "keep" in request.POST
    remembering.switch(user_id=_user_id(request), keep=keep)
    messages.success(
        request, "Searches are remembered from now on." if keep else "Nothing is remembered any more."
    )
    return redirect("search:searches")


def _user_id(request: HttpRequest) -> int:
    if request.user.pk is None:
        raise Http404
    return int(request.user.pk)
