"""Searching in a real browser: filters apply themselves, the way back works, photos are ticked."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.test import Client

from library.models import Album, Category
from library.tests.factories import add_tag, make_photo, make_renditions, make_user
from tests.browser.conftest import DESKTOP

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def visit(browser: Any, live_server: Any, transactional_db: None) -> Iterator[Callable[..., Any]]:
    """Open an address as a member of the family; at the end nothing may have been forbidden or failed."""
    food = Category.objects.create(slug="food", name="Food")
    for number in range(6):
        photo = make_photo()
        make_renditions(photo, (40 * number, 120, 90))
        if number < 2:
            add_tag(photo, "pizza", category=food)
    make_user("max")
    client = Client()
    client.login(username="max", password="max")
    [(name, session)] = [(key, value.value) for key, value in client.cookies.items() if "session" in key]
    faults: list[str] = []
    context = browser.new_context(viewport=DESKTOP)
    context.add_cookies([{"name": name, "value": session, "url": live_server.url}])

    def heard(message: Any) -> None:
        if message.type == "error":
            faults.append(message.text)

    def answered(response: Any) -> None:
        if response.status >= 400:
            faults.append(f"{response.status} {response.url}")

    def open_page(address: str) -> Any:
        page = context.new_page()
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.on("console", heard)
        page.on("response", answered)
        page.set_default_timeout(10_000)
        page.goto(live_server.url + address)
        return page

    yield open_page
    for page in context.pages:  # a request that is answered while the tables are emptied would lock them
        page.wait_for_load_state("networkidle")
    context.close()
    assert not faults


def test_filters_apply_themselves_and_ticked_photos_go_into_an_album(visit: Callable[..., Any]) -> None:
    page = visit("/search?q=after:2000")
    hits = page.locator(".hits .tile")
    page.check("#facets [name=category][value=food]")
    page.wait_for_url("**/search?q=after%3A2000+category%3Afood")
    page.wait_for_function("() => document.querySelectorAll('.hits .tile').length === 2")
    assert page.input_value("#search-box") == "after:2000 category:food"
    page.wait_for_function("() => document.activeElement.matches('[name=category][value=food]:checked')")
    page.go_back()
    page.wait_for_function("() => document.querySelectorAll('.hits .tile').length === 6")
    page.wait_for_selector("#facets [name=category]:not(:checked)")

    boxes = page.locator(".pick input")
    hits.first.hover()
    boxes.nth(0).click()
    boxes.nth(3).click(modifiers=["Shift"])
    assert page.locator("#selection output").inner_text() == "4 chosen"
    page.get_by_text("Add to album").click()
    page.fill("#selection [name=title]", "Pizza days")
    page.get_by_role("button", name="Add", exact=True).click()
    page.get_by_role("button", name="Undo").wait_for()
    assert Album.objects.get(title="Pizza days").photos.count() == 4
    page.get_by_role("button", name="Undo").click()
    page.wait_for_selector(".messages")
    assert not Album.objects.exists()
