"""Sessions: choose folders, start, watch, pause, resume, cancel. For owners only, as they name folders."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

from django.contrib import messages
from django.db.models import Q
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.views.decorators.http import require_POST, require_safe
from django.views.decorators.vary import vary_on_headers

from ingest import browsing, sessions, tasks
from ingest.browsing import NoSuchFolder, Place
from ingest.failure_views import owners_only
from ingest.models import ScanSession, SessionFolder
from ingest.retrying import By
from ingest.session_progress import SessionState, folders_in, pace_of_steps, shown, states_of
from ingest.sessions import PRIORITIES, SessionRefused
from library.models import Photo, Root
from photos_project.http import is_fragment

PAGE = 25
MOST_PICKS = 50
_SHOWN_PRIORITIES = [(Photo.Priority(number), name) for name, number in PRIORITIES.items()]


@require_safe
@vary_on_headers("HX-Request")
@owners_only
def session_list(request: HttpRequest) -> HttpResponse:
    """All sessions, the newest first; ``before`` goes on behind the session of that number."""
    return _render_list(request)


def _render_list(request: HttpRequest) -> HttpResponse:
    before = _number(request.GET.get("before", ""))
    found = shown().order_by("-pk")
    page = list((found.filter(pk__lt=before) if before else found)[: PAGE + 1])
    states = states_of(page[:PAGE])
    context = {
        "states": states,
        "moving": any(state.moving for state in states),
        "following": page[PAGE - 1].pk if page[PAGE:] else 0,
        "before": before,
        "priorities": _SHOWN_PRIORITIES,
    }
    template = "ingest/_sessions.html" if is_fragment(request) else "ingest/sessions.html"
    return _fresh(render(request, template, context))


@require_safe
@vary_on_headers("HX-Request")
@owners_only
def session(request: HttpRequest, pk: int) -> HttpResponse:
    """One session with its folders; ``in`` is the folder of it that is looked into, ``after`` the page."""
    return _render_session(request, pk)


def _render_session(request: HttpRequest, pk: int) -> HttpResponse:
    found = get_object_or_404(shown().select_related("root", "started_by"), pk=pk)
    (state,) = states_of([found])
    steps, failures = pace_of_steps(found)
    context: dict[str, Any] = {"state": state, "steps": steps, "failures": failures}
    context |= _folders(state, request) | {"priorities": _SHOWN_PRIORITIES}
    template = "ingest/_session.html" if is_fragment(request) else "ingest/session.html"
    return _fresh(render(request, template, context))


def _folders(state: SessionState, request: HttpRequest) -> dict[str, Any]:
    number, after = _number(request.GET.get("in", "")), _number(request.GET.get("after", ""))
    folder = state.top
    if number:
        folder = SessionFolder.objects.filter(session=state.session, pk=number).first()
    if folder is None:
        if number:
            raise Http404
        return {"rows": [], "query": ""}
    rows, following = folders_in(folder, after=after)
    query = {name: value for name, value in (("in", number), ("after", after)) if value}
    return {
        "folder": folder,
        "around": _around(folder),
        # Finished words: a template that asks row by row takes most of the time of the answer.
        "rows": [row.as_cells() for row in rows],
        "following": urlencode({"in": folder.pk, "after": following}) if following else "",
        "query": f"?{urlencode(query)}" if query else "",
    }


def _around(folder: SessionFolder) -> list[SessionFolder]:
    """The folders of the session that hold this one, the outermost first; none for its top."""
    if folder.parent_id is None:
        return []
    path = bytes(folder.path)
    paths = [path[:at] for at, byte in enumerate(path) if byte == ord("/")]
    holding = SessionFolder.objects.filter(Q(parent=None) | Q(path__in=paths), session=folder.session_id)
    return list(holding.order_by("path"))


@require_POST
@owners_only
def control(request: HttpRequest, pk: int, action: str) -> HttpResponse:
    """Pause, resume, cancel, start again, or another priority; then back, or the part of the page anew."""
    found = get_object_or_404(shown(), pk=pk)
    try:
        after = _control(found, action, request)
    except SessionRefused as refused:
        after = found
        messages.error(request, str(refused))
    tasks.wake_all()
    from_list = request.POST.get("from") == "list"
    if is_fragment(request):
        return _render_list(request) if from_list else _render_session(request, after.pk)
    where = reverse("ingest:sessions") if from_list else reverse("ingest:session", args=[after.pk])
    return HttpResponseRedirect(where)


def _control(found: ScanSession, action: str, request: HttpRequest) -> ScanSession:
    by = By(request.user.pk, "page")
    simple: dict[str, Callable[..., ScanSession]] = {
        "pause": sessions.pause,
        "resume": sessions.resume,
        "cancel": sessions.cancel,
        "again": sessions.again,
    }
    if action in simple:
        return simple[action](session=found, by=by)
    priority = PRIORITIES.get(request.POST.get("priority", ""))
    if action != "priority" or priority is None:
        raise Http404
    return sessions.set_priority(session=found, priority=priority, by=by)


@require_safe
@vary_on_headers("HX-Request")
@owners_only
def browse(request: HttpRequest) -> HttpResponse:
    """Folders to choose from: the roots, or with ``at`` what lies in a folder; ``pick`` was chosen before."""
    return _render_browser(request)


def _render_browser(request: HttpRequest, problem: str = "", status: int = 200) -> HttpResponse:
    values: Any = request.POST or request.GET
    picks, problem = _picks(values.getlist("pick"), problem)
    listing = None
    # A form that is refused shows the folder it was sent from.
    if at := values.get("here" if request.POST else "at", ""):
        try:
            listing = browsing.look(browsing.place_of(at), after=values.get("after", ""))
        except NoSuchFolder as error:
            problem, status = str(error), 404
    roots = [Place(root) for root in Root.objects.all()] if listing is None else []
    shown = listing.folders if listing else roots
    here = {place.token for place in (*shown, *([listing.place] if listing else []))}
    context = {
        "listing": listing,
        "shown": shown,
        "picks": {place.token for place in picks},
        "elsewhere": [place for place in picks if place.token not in here],
        "priority": values.get("priority") if values.get("priority") in PRIORITIES else "normal",
        "priorities": _SHOWN_PRIORITIES,
        "problem": problem,
    }
    template = "ingest/_browser.html" if is_fragment(request) else "ingest/session_new.html"
    return render(request, template, context, status=status)


def _picks(tokens: list[str], problem: str) -> tuple[list[Place], str]:
    """The chosen folders, without those inside another chosen one; and what is wrong with the others."""
    places: list[Place] = []
    for token in dict.fromkeys(tokens[:MOST_PICKS]):
        try:
            places.append(browsing.place_of(token))
        except NoSuchFolder as error:
            problem = str(error)
    if len(tokens) > MOST_PICKS:
        problem = f"No more than {MOST_PICKS} folders at once."
    inner = [place for place in places if any(other != place and other.holds(place) for other in places)]
    return [place for place in places if place not in inner], problem


@require_POST
@owners_only
def start(request: HttpRequest) -> HttpResponse:
    """Start a session for each chosen folder, all or none; then to the list, or to the only one."""
    picks, problem = _picks(request.POST.getlist("pick"), "")
    try:
        targets = [browsing.check(place).target for place in picks]
    except NoSuchFolder as error:
        problem = str(error)
    if problem or not picks:
        return _render_browser(request, problem or "Choose a folder first.", 400)
    priority = PRIORITIES.get(request.POST.get("priority", ""), int(Photo.Priority.NORMAL))
    started = sessions.start(targets=targets, priority=priority, by=By(request.user.pk, "page"))
    tasks.wake_all()
    if len(started) == 1:
        return HttpResponseRedirect(reverse("ingest:session", args=[started[0].pk]))
    return HttpResponseRedirect(reverse("ingest:sessions"))


def _fresh(response: HttpResponse) -> HttpResponse:
    response["Cache-Control"] = "no-store"
    return response


def _number(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else 0
