"""The inbox of faces, and the one door for answers about them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_POST, require_safe
from django.views.decorators.vary import vary_on_headers
from django_htmx.http import trigger_client_event

from library.access import hidden_roots, photo_or_404
from people import inbox
from people.access import events_for
from people.actions.settle import settle
from people.refusals import PeopleRefused, TwiceInPhoto
from people.replies import Answer, Reply, reply
from people.review import open_counts, single_faces
from people.views.common import by_whom, number
from photos_project.http import is_fragment

GRID: Final = 24
#: Questions that may be put off in one session.
MOST_SKIPPED: Final = 200
_SKIPPED: Final = "people_skipped"
_LONGEST: Final = 2_000


@require_safe
@vary_on_headers("HX-Request")
def review(request: HttpRequest) -> HttpResponse:
    """The questions, one by one or (``view=grid``) many at once."""
    grid = request.GET.get("view") == "grid"
    context = _grid(request) if grid else _next(request)
    if is_fragment(request):
        return render(request, "people/_questions.html" if grid else "people/_question.html", context)
    return render(request, "people/review.html", context | {"grid": grid, "names": inbox.names(request.user)})


@require_safe
def strangers(request: HttpRequest) -> HttpResponse:
    """The unknown faces that are like no other, the best first: nothing is out of reach."""
    page = Paginator(single_faces(request.user), GRID).get_page(request.GET.get("page"))
    items = inbox.single_items(request.user, page.object_list)
    context = {"page": page, "items": items, "names": inbox.names(request.user)}
    return render(request, "people/others.html", context)


@require_POST
def answer(request: HttpRequest) -> HttpResponse:
    """One answer; ``place`` says what is shown next: a question, a card of the grid, or a photo's faces."""
    place = request.POST.get("place", "question")
    given = _given(request, place)
    if given.verdict in ("skip", "unskip"):
        _put_off(request, given)
        return _shown(request, place, given, _Outcome())
    try:
        outcome = _Outcome(reply(given, by_whom(request)))
    except PeopleRefused as refused:
        outcome = _Outcome(refused=refused)
    return _shown(request, place, given, outcome)


@require_POST
def settled(request: HttpRequest, pk: int) -> HttpResponse:
    """What one answer taught about other faces; worked out when it is asked for the first time.

    How many they are is told to those who may see all folders: it counts the faces of all.
    """
    event = events_for(request.user).filter(pk=pk).first()
    number = settle(event) if event is not None else 0
    told = 0 if number and hidden_roots(request.user) else number
    response = render(request, "people/_settled.html", {"number": told})
    # What is asked on the page may have its answer by now.
    return trigger_client_event(response, "settled") if number else response


@dataclass(frozen=True, slots=True)
class _Outcome:
    reply: Reply | None = None
    refused: PeopleRefused | None = None

    def context(self, given: Answer, back: str) -> dict[str, Any]:
        """For ``people/_said.html``."""
        return {
            "said": self.reply.said if self.reply else "",
            "event": self.reply.event if self.reply else None,
            "problem": str(self.refused) if self.refused else "",
            "instead": given if isinstance(self.refused, TwiceInPhoto) else None,
            "instead_person": getattr(self.refused, "person", None),
            "back": back,
        }


def _given(request: HttpRequest, place: str) -> Answer:
    posted = request.POST
    faces = [int(pk) for pk in posted.get("faces", "")[:_LONGEST].split(",") if pk.isascii() and pk.isdigit()]
    other = posted.get("other", "")
    verdict = "confirm" if other else posted.get("verdict", "")
    person = other or posted.get("person", "")
    return Answer(
        verdict=verdict,
        face_ids=list(dict.fromkeys(faces)),
        person_id=int(person) if person.isascii() and person.isdigit() and len(person) < 18 else None,
        name=posted.get("name", ""),
        deliberate=place == "photo",
        instead="instead" in posted,
    )


def _shown(request: HttpRequest, place: str, given: Answer, outcome: _Outcome) -> HttpResponse:
    back = _back(request, place)
    if not is_fragment(request):
        return _redirected(request, outcome, back)
    said = outcome.context(given, back) | {"place": place}
    if place == "photo":
        photo = photo_or_404(request.user, number(request.POST.get("photo", "")))
        faces = inbox.photo_faces(photo, request.user)
        return render(request, "people/_faces.html", {"photo": photo, "faces": faces} | said)
    if place == "card":
        return render(
            request, "people/_answered.html", {"item_id": given.face_ids[0] if given.face_ids else 0} | said
        )
    return render(request, "people/_question.html", _next(request, given) | said)


def _back(request: HttpRequest, place: str) -> str:
    if place == "photo":
        return reverse("library:photo", args=[number(request.POST.get("photo", ""))])
    if place == "card":
        return reverse("people:review") + "?view=grid"
    return reverse("people:review")


def _redirected(request: HttpRequest, outcome: _Outcome, back: str) -> HttpResponseRedirect:
    if outcome.refused:
        messages.error(request, str(outcome.refused))
    elif outcome.reply:
        messages.success(request, f"{outcome.reply.said} It can be undone under “What was changed”.")
    return redirect(back)


def _next(request: HttpRequest, given: Answer | None = None) -> dict[str, Any]:
    skipped = _skipped(request)
    found = inbox.items(request.user, 1, without=skipped)
    return {"item": found[0] if found else None, "skipped": len(skipped), **_counts(request)}


def _grid(request: HttpRequest) -> dict[str, Any]:
    return {"items": inbox.items(request.user, GRID, shown=0), **_counts(request)}


def _counts(request: HttpRequest) -> dict[str, Any]:
    counts = open_counts(request.user)
    return {"left": counts["suggested"] + counts["grouped"], "singles": counts["single"]}


def _skipped(request: HttpRequest) -> list[int]:
    known: Sequence[int] = request.session.get(_SKIPPED, [])
    return list(known)


def _put_off(request: HttpRequest, given: Answer) -> None:
    if given.verdict == "unskip":
        request.session.pop(_SKIPPED, None)
    elif given.face_ids:
        request.session[_SKIPPED] = [*_skipped(request), given.face_ids[0]][-MOST_SKIPPED:]
