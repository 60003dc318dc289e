"""Changed tag mappings reach the photos, and the words they are found by."""

from __future__ import annotations

import json
from io import StringIO

import pytest
from django.core.management import call_command
from django.test import Client

from library.models import Category, DetectedObject, Tag, TagMapping
from library.tests.factories import add_tag, make_photo, make_user
from search.hybrid import search
from search.indexing import index_photos
from search.query import parse
from search.remapping import apply_mappings

pytestmark = pytest.mark.django_db
ADMIN = "/admin/library"


@pytest.fixture
def mapping() -> TagMapping:
    """Cats are pets, and one photo shows a cat that was tagged before anybody said so."""
    photo = make_photo()
    add_tag(photo, "cat")
    index_photos([photo.pk])
    pets = Category.objects.create(slug="pets", name="Pets")
    return TagMapping.objects.create(tag=Tag.objects.get(name="cat"), category=pets)


def _counts() -> tuple[int, int]:
    changed = apply_mappings()
    return changed.mapped, changed.cleared


def test_a_photo_is_found_by_its_new_category(mapping: TagMapping) -> None:
    owner = make_user(owner=True)
    assert search(parse('"pets"'), owner, mode="keyword").total == 0
    apply_mappings()
    assert search(parse('"pets"'), owner, mode="keyword").total == 1


def test_changed_mappings_reach_photos_that_are_tagged_already(mapping: TagMapping) -> None:
    assert _counts() == (1, 0)
    assert _counts() == (0, 0)
    wild = Category.objects.create(slug="wild", name="Wild")
    TagMapping.objects.update(category=wild)
    assert _counts() == (1, 0)
    assert DetectedObject.objects.get().category == wild
    mapping.delete()
    assert _counts() == (0, 1)
    assert DetectedObject.objects.get().category is None


def test_the_command_says_how_much_changed(mapping: TagMapping) -> None:
    out = StringIO()
    call_command("reindex_categories", "--json", stdout=out)
    assert json.loads(out.getvalue()) == {"mapped": 1, "cleared": 0}
    call_command("reindex_categories", stdout=out)
    assert "0 tags of photos moved" in out.getvalue()


def test_the_action_of_the_admin_does_the_same(client: Client, mapping: TagMapping) -> None:
    client.force_login(make_user(owner=True))
    form = {"action": "remap", "_selected_action": [mapping.pk]}
    response = client.post(f"{ADMIN}/tagmapping/", form, follow=True)
    assert "1 tags of photos moved" in response.content.decode()
    assert DetectedObject.objects.get().category == mapping.category
