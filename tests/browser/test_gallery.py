"""What a person does first: log in, scroll, open a photo, walk on, come back."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.test import Client

from library.models import Photo
from library.tests.factories import add_tag, add_text, make_photo, make_renditions, make_user
from people.tests.factories import add_face
from tests.browser.conftest import DESKTOP, PHONE

pytestmark = pytest.mark.django_db(transaction=True)
PHOTOS = 56


@pytest.fixture
def photos(transactional_db: None) -> list[Photo]:
    """More than a page of photos of several shapes, the newest first."""
    shapes = [(1200, 800), (800, 1200), (1600, 700), (1000, 1000)]
    made = [make_photo(width=w, height=h) for w, h in (shapes * PHOTOS)[:PHOTOS]]
    made.reverse()
    for number, photo in enumerate(made[:8]):
        make_renditions(photo, (40 + 20 * number, 120, 200 - 10 * number))
    return made


@pytest.fixture
def open_page(browser: Any, live_server: Any, photos: list[Photo]) -> Iterator[Callable[..., Any]]:
    """Open an address as the owner; at the end nothing may have been forbidden or gone wrong in a script."""
    make_user("olga", owner=True)
    client = Client()
    client.login(username="olga", password="olga")
    [(name, session)] = [(key, value.value) for key, value in client.cookies.items() if "session" in key]
    faults: list[str] = []
    contexts = []

    def visit(address: str = "/", *, viewport: dict[str, int] = DESKTOP, **options: Any) -> Any:
        context = browser.new_context(viewport=viewport, **options)
        contexts.append(context)
        context.add_cookies([{"name": name, "value": session, "url": live_server.url}])
        page = context.new_page()
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.on("console", lambda message: _note(faults, message))
        page.set_default_timeout(10_000)
        page.goto(live_server.url + address)
        return page

    yield visit
    for context in contexts:
        context.close()
    assert not faults


def _note(faults: list[str], message: Any) -> None:
    # Pictures of the second page were never written: that they are missing is not the page's fault.
    if message.type == "error" and "404" not in message.text:
        faults.append(message.text)


def tiles(page: Any) -> Any:
    return page.locator("#timeline .tile")


def test_scrolling_loads_every_photo_once(open_page: Callable[..., Any], photos: list[Photo]) -> None:
    photos = [make_photo() for _ in range(PHOTOS)][::-1] + photos
    page = open_page()
    while tiles(page).count() < len(photos):
        before = tiles(page).count()
        page.mouse.wheel(0, 20_000)
        page.wait_for_function("count => document.querySelectorAll('.tile').length > count", arg=before)
    ids = page.eval_on_selector_all("#timeline .tile", "all => all.map(tile => tile.id)")
    assert ids == [f"photo-{photo.pk}" for photo in photos]
    headings = page.locator(".month h2").all_inner_texts()
    assert len(headings) == len(set(headings))
    assert page.locator("#more").count() == 0


def test_rows_are_justified(open_page: Callable[..., Any]) -> None:
    page = open_page()
    boxes = page.eval_on_selector_all(
        "#timeline .grid:first-of-type .tile",
        "all => all.map(t => t.getBoundingClientRect()).map(b => [Math.round(b.top), b.height, b.right])",
    )
    rows: dict[int, list[tuple[float, float]]] = {}
    for top, height, right in boxes:
        rows.setdefault(top, []).append((height, right))
    full = list(rows.values())[:3]
    for row in full:
        assert max(h for h, _ in row) - min(h for h, _ in row) < 2
    assert max(row[-1][1] for row in full) - min(row[-1][1] for row in full) < 2


def test_walking_through_photos_with_the_keyboard(open_page: Callable[..., Any], photos: list[Photo]) -> None:
    page = open_page()
    page.keyboard.press("j")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    page.wait_for_url(f"**/photo/{photos[1].pk}")
    page.keyboard.press("ArrowRight")
    page.wait_for_url(f"**/photo/{photos[2].pk}")
    page.keyboard.press("k")
    page.wait_for_url(f"**/photo/{photos[1].pk}")
    page.keyboard.press("Escape")
    page.wait_for_url(f"**/?photo={photos[1].pk}#photo-{photos[1].pk}")
    assert page.locator(f"#photo-{photos[1].pk}").is_visible()


def test_boxes_of_faces_and_lines_of_text(open_page: Callable[..., Any], photos: list[Photo]) -> None:
    add_face(photos[0])
    add_text(photos[0], "EXIT")
    add_tag(photos[0], "door")
    page = open_page(f"/photo/{photos[0].pk}")
    page.wait_for_function("document.querySelector('#frame img').complete")
    picture = page.locator("#frame img").bounding_box()
    face = page.locator(".overlay .faces rect").bounding_box()
    assert face["x"] == pytest.approx(picture["x"] + 0.4 * picture["width"], abs=3)
    assert face["height"] == pytest.approx(0.3 * picture["height"], abs=6)
    page.get_by_role("button", name="1 face").click()
    assert page.locator("#frame.show-faces").count() == 1
    page.get_by_text("EXIT").focus()
    assert page.locator("#block-1.on").count() == 1


def test_the_theme_follows_the_system_until_it_is_chosen(open_page: Callable[..., Any]) -> None:
    def background(page: Any) -> str:
        return str(page.evaluate("getComputedStyle(document.body).backgroundColor"))

    light = background(open_page(color_scheme="light"))
    page = open_page(color_scheme="dark")
    dark = background(page)
    assert dark != light
    page.locator(".menu summary").click()
    page.get_by_role("button", name="Use light colours").click()
    assert background(page) == light
    page.reload()
    assert background(page) == light


def test_nothing_is_wider_than_a_phone(open_page: Callable[..., Any], photos: list[Photo]) -> None:
    add_text(photos[0], "x" * 200)
    add_tag(photos[0], "door")
    page = open_page(viewport=PHONE)
    start = page.url.rstrip("/")
    for address in ("/", "/duplicates", "/status/", "/search?q=door", f"/photo/{photos[0].pk}"):
        page.goto(start + address)
        assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"], address
        tab_bar = page.locator(".site-nav").bounding_box()
        assert tab_bar["y"] + tab_bar["height"] == pytest.approx(PHONE["height"], abs=1)


def test_placeholders_show_the_colours_of_the_picture(
    open_page: Callable[..., Any], photos: list[Photo]
) -> None:
    from PIL import Image

    from vision.imaging.thumbhash import thumbhash

    picture = Image.new("RGB", (90, 60), (200, 60, 40))
    Photo.objects.filter(pk=photos[-1].pk).update(thumbhash=thumbhash(picture))
    page = open_page(f"/?photo={photos[-1].pk}")
    # This photo has no thumbnail on disk, so that its placeholder stays.
    canvas = page.locator(f"#photo-{photos[-1].pk} canvas")
    canvas.wait_for()
    pixel = canvas.evaluate("c => Array.from(c.getContext('2d').getImageData(9, 9, 1, 1).data)")
    assert pixel == pytest.approx([200, 60, 40, 255], abs=16)


def test_everything_works_without_scripts(open_page: Callable[..., Any], photos: list[Photo]) -> None:
    page = open_page(java_script_enabled=False)
    page.get_by_role("link", name="Older photos").click()
    page.locator(f"#photo-{photos[50].pk} a").click()
    page.locator("#older").click()
    page.wait_for_url(f"**/photo/{photos[51].pk}")
