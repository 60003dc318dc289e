"""Help while typing, and a picture that is pasted, in a real browser."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from library.models import EmbeddingSpace, Photo
from library.tests.factories import add_embedding
from search import lexicon
from search.tests.conftest import DIMENSIONS, SmallEmbedder, SmallRegistry, concept_vector
from tests.browser.test_search import visit  # noqa: F401 - a fixture

pytestmark = pytest.mark.django_db(transaction=True)

PASTE = """async () => {
  const canvas = Object.assign(document.createElement("canvas"), { width: 40, height: 30 });
  canvas.getContext("2d").fillRect(0, 0, 40, 30);
  const blob = await new Promise((done) => canvas.toBlob(done, "image/png"));
  const carrier = new DataTransfer();
  carrier.items.add(new File([blob], "pasted.png", { type: "image/png" }));
  document.dispatchEvent(new ClipboardEvent("paste", { clipboardData: carrier, bubbles: true }));
}"""


def test_suggestions_are_chosen_with_the_keyboard(visit: Callable[..., Any]) -> None:  # noqa: F811
    lexicon.forget()
    page = visit("/")
    box = page.locator("#search-box")
    assert box.get_attribute("role") == "combobox"
    box.press_sequentially("piz")
    page.wait_for_selector("#suggestions [role=option]")
    assert box.get_attribute("aria-expanded") == "true"
    box.press("ArrowDown")
    assert box.input_value() == "tag:pizza"
    assert page.locator(f"#{box.get_attribute('aria-activedescendant')}").inner_text().startswith("pizza")
    box.press("Escape")
    assert (box.input_value(), page.locator("#suggestions").count()) == ("piz", 0)
    box.press("ArrowDown")
    page.wait_for_selector("#suggestions [role=option]")
    box.press("ArrowDown")
    box.press("Enter")
    page.wait_for_url("**/search?q=tag%3Apizza")
    assert page.locator(".hits > li").count() == 2


def test_a_field_is_completed_and_goes_on(visit: Callable[..., Any]) -> None:  # noqa: F811
    lexicon.forget()
    page = visit("/search")
    page.locator("#search-box").press_sequentially("cate")
    page.locator("#suggestions [data-open]").click()
    page.wait_for_selector("#suggestions [data-query='category:Food']")
    page.locator("#suggestions [data-query='category:Food']").click()
    page.wait_for_url("**/search?q=category%3AFood")


def test_a_picture_is_pasted(visit: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: F811
    class Eyes(SmallEmbedder):
        def embed_images(self, images: Any) -> Any:
            return [concept_vector("cat") for _ in images]

    monkeypatch.setattr("library.engines.registry", lambda: SmallRegistry(Eyes()))
    space = EmbeddingSpace.objects.create(
        kind="image", engine="test", model="small", dimensions=DIMENSIONS, status="active"
    )
    cat = Photo.objects.earliest("pk")
    for photo in Photo.objects.all():
        add_embedding(photo, list(concept_vector("cat" if photo == cat else "car")), space)
    page = visit("/search")
    page.evaluate(PASTE)
    page.wait_for_url("**/search?picture=*")
    assert page.locator(".hits > li").first.get_attribute("id") == f"hit-{cat.pk}"
    assert page.get_by_text("Photos like your picture").is_visible()
