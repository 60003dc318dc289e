"""What the owner changes in the admin."""

from __future__ import annotations

import pytest
from django.test import Client

from library.models import AuditEvent, Category, Root, Tag, TagMapping
from library.tests.factories import add_description, add_tag, make_file, make_photo, make_root, make_user

pytestmark = pytest.mark.django_db
ADMIN = "/admin/library"


@pytest.fixture
def mapping() -> TagMapping:
    """Cats are pets, and one photo shows a cat that was tagged before anybody said so."""
    add_tag(make_photo(), "cat")
    pets = Category.objects.create(slug="pets", name="Pets")
    return TagMapping.objects.create(tag=Tag.objects.get(name="cat"), category=pets)


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


def test_what_a_model_wrote_is_only_looked_at(owner_client: Client) -> None:
    row = add_description(make_photo(), "A cat on a sofa.")
    assert "A cat on a sofa." in owner_client.get(f"{ADMIN}/photodescription/?q=sofa").content.decode()
    page = f"{ADMIN}/photodescription/{row.pk}/change/"
    assert owner_client.get(page).status_code == 200
    assert owner_client.post(page, {"text": "A dog."}).status_code == 403
    assert owner_client.get(f"{ADMIN}/photodescription/add/").status_code == 403


def test_a_forgotten_folder_leaves_its_photos_as_missing(owner_client: Client) -> None:
    kept, lost = make_photo(), make_photo()
    other = make_root()
    make_file(kept, "copy.jpg", root=other)
    root = Root.objects.exclude(pk=other.pk).get()
    form = {"action": "forget", "_selected_action": [root.pk]}
    response = owner_client.post(f"{ADMIN}/root/", form, follow=True)
    assert "1 photos are missing now" in response.content.decode()
    lost.refresh_from_db()
    kept.refresh_from_db()
    assert lost.missing_since is not None
    assert kept.missing_since is None
    assert AuditEvent.objects.get().before["name"] == root.name


def test_the_owner_names_who_may_see_a_folder(owner_client: Client) -> None:
    root, member = make_root(), make_user()
    form = {
        "name": "Private",
        "watch": "on",
        "viewers-TOTAL_FORMS": 1,
        "viewers-INITIAL_FORMS": 0,
        "viewers-0-root": root.pk,
        "viewers-0-user": member.pk,
    }
    page = f"{ADMIN}/root/{root.pk}/change/"
    assert "nobody named: everybody" in owner_client.get(page).content.decode().lower()
    assert owner_client.post(page, form).status_code == 302
    assert list(root.visible_to.all()) == [member]
