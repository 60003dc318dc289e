"""What can be done with people: change, merge, split, draw, and take it all back."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, Final

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.http import require_http_methods, require_POST, require_safe
from django_htmx.http import HttpResponseClientRedirect

from library.access import photo_or_404
from people import inbox
from people.access import events_for, faces_for, figures_for, person_or_404
from people.actions import answers, draw, persons
from people.actions.merge import merge as merge_people
from people.actions.merge import split
from people.actions.undo import undo as undo_event
from people.events import history as history_of
from people.events import lines
from people.forms import BoxForm, PersonForm
from people.merging import merge_conflicts
from people.models import Face, PeopleEvent, Person
from people.parts import ORDERS, parts_of
from people.refusals import MergeRefused, PeopleRefused
from people.views.common import by_whom, number, why_not
from people.views.people import person_context
from photos_project.http import is_fragment
from vision.results import Box

FACES_PAGE: Final = 120
HISTORY_PAGE: Final = 50


@require_POST
def edit(request: HttpRequest, pk: int) -> HttpResponse:
    """Change name, birth date, notes, account, or whether somebody is hidden."""
    person = person_or_404(request.user, pk)
    form = PersonForm(request.POST, instance=Person.objects.get(pk=person.pk), owner=_is_owner(request))
    if not form.is_valid():
        return render(request, "people/person.html", person_context(request, person, form), status=422)
    try:
        persons.edit(person=person, by=by_whom(request), **form.cleaned_data)
    except PeopleRefused as refused:
        form.add_error(None, why_not(refused, request))
        return render(request, "people/person.html", person_context(request, person, form), status=422)
    messages.success(request, "Saved. It can be undone under “What was changed”.")
    return redirect("people:person", person.pk)


@require_http_methods(["GET", "HEAD", "POST"])
def merge(request: HttpRequest, pk: int) -> HttpResponse:
    """Ask whether two people are one, telling what stands against it; POST makes them one."""
    person = person_or_404(request.user, pk)
    other, problem = _other(request, person)
    context: dict[str, Any] = {"person": person, "other": other, "problem": problem}
    if other is None:
        return render(request, "people/merge.html", context, status=422)
    if request.method == "POST":
        into, gone = (other, person) if request.POST.get("into") == str(other.pk) else (person, other)
        try:
            merge_people(into=into, others=[gone], by=by_whom(request), overrule=True)
        except PeopleRefused as refused:
            context["problem"] = why_not(refused, request)
        else:
            messages.success(
                request, f"{gone.name} is {into.name} now. It can be undone under “What was changed”."
            )
            return redirect("people:person", into.pk)
    return render(request, "people/merge.html", context | _against(person, other, request))


@require_http_methods(["GET", "HEAD", "POST"])
def faces(request: HttpRequest, pk: int) -> HttpResponse:
    """All faces of a person by date, the unlike ones first, or in parts; POST does something with some."""
    person = person_or_404(request.user, pk)
    if request.method == "POST":
        return _with_faces(request, person)
    order = request.GET.get("order", "")
    order = order if order in ORDERS else ORDERS[0]
    mine = (
        inbox.with_photo(faces_for(request.user)).filter(person=person).select_related("prototype", "space")
    )
    page = Paginator(mine.order_by("-photo__taken_local", "-pk"), FACES_PAGE).get_page(
        request.GET.get("page")
    )
    address = reverse("people:faces", args=[person.pk])
    context = {
        "person": person,
        "page": page,
        "parts": _parts(list(page.object_list), order, request),
        "orders": [
            {"text": name.capitalize(), "url": f"{address}?order={name}", "current": name == order}
            for name in ORDERS
        ],
        "query": f"order={order}&",
        "names": inbox.names(request.user),
    }
    return render(request, "people/faces.html", context)


@require_POST
def not_same(request: HttpRequest, pk: int) -> HttpResponse:
    """Two people who look alike and are two."""
    person = person_or_404(request.user, pk)
    other = person_or_404(request.user, number(request.POST.get("other", "")))
    _do(request, lambda: persons.mark_not_same(one=person, two=other, by=by_whom(request)), "Remembered.")
    return redirect("people:person", person.pk)


@require_POST
def undo(request: HttpRequest, pk: int) -> HttpResponse:
    """Take an event back; ``next`` is where to go on."""
    event = get_object_or_404(events_for(request.user), pk=pk)
    _do(request, lambda: undo_event(event=event, by=by_whom(request)), "Taken back.")
    return redirect(_next(request, reverse("people:history")))


@require_safe
def history(request: HttpRequest) -> HttpResponse:
    """What was changed, the latest first, with its undo."""
    page = Paginator(history_of(request.user), HISTORY_PAGE).get_page(request.GET.get("page"))
    return render(
        request, "people/history.html", {"page": page, "lines": lines(page.object_list, request.user)}
    )


@require_POST
def draw_box(request: HttpRequest, pk: int) -> HttpResponse:
    """A face that no engine found, in percent of the picture, and perhaps whose it is; with ``face``: where
    that one is.
    """
    photo = photo_or_404(request.user, pk)
    form = BoxForm(request.POST)
    if not form.is_valid():
        problems = [str(error) for errors in form.errors.values() for error in errors]
        messages.error(request, " ".join(dict.fromkeys(problems)))
    else:
        _do(request, lambda: _drawn(request, photo, form), "The box is there now.")
    address = reverse("library:photo", args=[photo.pk])
    # The picture's boxes change with it: the whole page is shown again.
    return HttpResponseClientRedirect(address) if is_fragment(request) else redirect(address)


def _drawn(request: HttpRequest, photo: Any, form: BoxForm) -> PeopleEvent:
    if form.cleaned_data["face"] is not None:
        face = get_object_or_404(faces_for(request.user).filter(photo=photo), pk=form.cleaned_data["face"])
        return draw.move_face(face_id=face.pk, box=Box(*form.fractions), by=by_whom(request))
    name = form.cleaned_data["name"].strip()
    person = inbox.person_by_name(request.user, name) if name else None
    event = draw.draw_face(photo=photo, box=Box(*form.fractions), by=by_whom(request), person=person)
    if name and person is None:
        return persons.create_person(name=name, face_ids=[event.data["drawn"]], by=by_whom(request))
    return event


def _with_faces(request: HttpRequest, person: Person) -> HttpResponse:
    chosen = {number(pk) for pk in request.POST.getlist("face")[:FACES_PAGE]}
    mine = faces_for(request.user).filter(person=person, pk__in=chosen)
    keys = list(mine.values_list("pk", flat=True))
    if not keys:
        messages.error(request, "Choose one face or several first.")
    else:
        _do(request, lambda: _deed(request, person, keys), "Done.")
    return redirect(_next(request, reverse("people:faces", args=[person.pk])))


def _parts(shown: list[Face], order: str, request: HttpRequest) -> list[dict[str, Any]]:
    """The parts; that of ``part`` is chosen already."""
    wanted = number(request.GET.get("part", ""))
    found = parts_of(shown, order)
    many = len(found) > 1
    return [
        {
            "title": part.title,
            "faces": part.faces,
            "checked": many and number == wanted,
            "url": f"?order={order}&part={number}" if many else "",
        }
        for number, part in enumerate(found, 1)
    ]


def _deed(request: HttpRequest, person: Person, keys: list[int]) -> PeopleEvent:
    wanted, by = request.POST.get("do"), by_whom(request)
    if wanted == "move":
        name = request.POST.get("name", "")
        return split(
            person=person, face_ids=keys, by=by, name=name, into=inbox.person_by_name(request.user, name)
        )
    if wanted == "confirm":
        guessed = Face.objects.filter(pk__in=keys).exclude(person_source=Face.Source.HUMAN_CONFIRMED)
        return answers.confirm(face_ids=list(guessed.values_list("pk", flat=True)), person=person, by=by)
    if wanted == "reject":
        return answers.reject(face_ids=keys, person=person, by=by, overrule=True)
    if wanted == "unassign":
        return answers.unassign(face_ids=keys, by=by)
    if len(keys) == 1 and wanted in ("cover", "pin", "unpin"):
        if wanted == "cover":
            return persons.set_cover(person=person, face_id=keys[0], by=by)
        return (persons.pin if wanted == "pin" else persons.unpin)(face_id=keys[0], by=by)
    raise PeopleRefused("Choose one face for this." if len(keys) > 1 else "This is not known.")


def _do(request: HttpRequest, act: Any, said: str) -> None:
    try:
        act()
    except PeopleRefused as refused:
        messages.error(request, why_not(refused, request))
    else:
        messages.success(request, said)


def _other(request: HttpRequest, person: Person) -> tuple[Person | None, str]:
    """Whom to merge with, by key or by name, and what is wrong with it."""
    values = request.POST if request.method == "POST" else request.GET
    name = values.get("name", "").strip()
    if name:
        other = inbox.person_by_name(request.user, name)
        if other is None:
            return None, f"Nobody is called {name}."
    else:
        other = person_or_404(request.user, number(values.get("other", "")))
    return (None, f"That is {person.name} alone.") if other == person else (other, "")


def _against(person: Person, other: Person, request: HttpRequest) -> dict[str, Any]:
    try:
        found = merge_conflicts(into=person, others=[other], by=by_whom(request))
    except MergeRefused as refused:
        return {"problem": str(refused), "blocked": True}
    covers = inbox.portraits(request.user, [person.pk, other.pk])
    return {
        "conflicts": found,
        "blocked": any(conflict.severity == "never" for conflict in found),
        "sides": [
            {"person": one, "cover": covers.get(one.pk), "photos": count}
            for one, count in _with_counts(request.user, (person, other))
        ],
    }


def _with_counts(user: Any, people: Collection[Person]) -> list[tuple[Person, int]]:
    figures = figures_for(user, [person.pk for person in people])
    return [(person, figures[person.pk].photos if person.pk in figures else 0) for person in people]


def _is_owner(request: HttpRequest) -> bool:
    return bool(getattr(request.user, "is_superuser", False))


def _next(request: HttpRequest, otherwise: str) -> str:
    wanted = request.POST.get("next", "")
    return wanted if wanted.startswith("/") and url_has_allowed_host_and_scheme(wanted, None) else otherwise
