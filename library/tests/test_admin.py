"""What the owner changes in the admin, and the command that does the same."""

from __future__ import annotations

import json
from io import StringIO

import pytest
from django.core.management import call_command
from django.test import Client

from library.actions.categories import reindex_categories
from library.models import Category, DetectedObject, Tag, TagMapping
from library.tests.factories import add_tag, make_photo

pytestmark = pytest.mark.django_db
ADMIN = "/admin/library"


@pytest.fixture
def mapping() -> TagMapping:
    """Cats are pets, and one photo shows a cat that was tagged before anybody said so."""
    add_tag(make_photo(), "cat")
    pets = Category.objects.create(slug="pets", name="Pets")
    return TagMapping.objects.create(tag=Tag.objects.get(name="cat"), category=pets)


def test_changed_mappings_reach_photos_that_are_tagged_already(mapping: TagMapping) -> None:
    assert reindex_categories() == {"mapped": 1, "cleared": 0}
    assert reindex_categories() == {"mapped": 0, "cleared": 0}
    wild = Category.objects.create(slug="wild", name="Wild")
    TagMapping.objects.update(category=wild)
    assert reindex_categories() == {"mapped": 1, "cleared": 0}
    assert DetectedObject.objects.get().category == wild
    mapping.delete()
    assert reindex_categories() == {"mapped": 0, "cleared": 1}
    assert DetectedObject.objects.get().category is None


def test_the_command_says_how_much_changed(mapping: TagMapping) -> None:
    out = StringIO()
    call_command("reindex_categories", "--json", stdout=out)
    assert json.loads(out.getvalue()) == {"mapped": 1, "cleared": 0}
    call_command("reindex_categories", stdout=out)
    assert "0 tags of photos moved" in out.getvalue()


def test_the_action_of_the_admin_does_the_same(owner_client: Client, mapping: TagMapping) -> None:
    form = {"action": "remap", "_selected_action": [mapping.pk]}
    response = owner_client.post(f"{ADMIN}/tagmapping/", form, follow=True)
    assert "1 tags of photos moved" in response.content.decode()
    assert DetectedObject.objects.get().category == mapping.category


def test_a_new_mapping_says_what_is_still_to_be_done(owner_client: Client, mapping: TagMapping) -> None:
    dog = Tag.objects.create(name="dog")
    form = {"tag": dog.pk, "category": mapping.category_id}
    response = owner_client.post(f"{ADMIN}/tagmapping/add/", form, follow=True)
    assert "reindex_categories" in response.content.decode()
    assert TagMapping.objects.filter(tag=dog).exists()


def test_mappings_are_edited_with_their_category(owner_client: Client, mapping: TagMapping) -> None:
    fish = Tag.objects.create(name="fish")
    form = {
        "name": "Pets",
        "slug": "pets",
        "position": 0,
        "mappings-TOTAL_FORMS": 2,
        "mappings-INITIAL_FORMS": 1,
        "mappings-0-id": mapping.pk,
        "mappings-0-category": mapping.category_id,
        "mappings-0-tag": mapping.tag_id,
        "mappings-1-category": mapping.category_id,
        "mappings-1-tag": fish.pk,
    }
    response = owner_client.post(f"{ADMIN}/category/{mapping.category_id}/change/", form, follow=True)
    assert "reindex_categories" in response.content.decode()
    assert TagMapping.objects.get(tag=fish).category == mapping.category


@pytest.mark.parametrize("model", ["category", "tagmapping", "tag", "root", "duplicatepair", "auditevent"])
def test_every_list_opens_for_the_owner_alone(
    owner_client: Client, member_client: Client, mapping: TagMapping, model: str
) -> None:
    assert owner_client.get(f"{ADMIN}/{model}/").status_code == 200
    assert member_client.get(f"{ADMIN}/{model}/").status_code == 302


@pytest.mark.parametrize("model", ["root", "duplicatepair", "auditevent"])
def test_rows_of_the_program_cannot_be_added(owner_client: Client, model: str) -> None:
    assert owner_client.get(f"{ADMIN}/{model}/add/").status_code == 403
