"""Searching by a photo, by a picture one brings along, by a face."""

from __future__ import annotations

import io
from datetime import timedelta

import numpy as np
import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.utils import timezone
from PIL import Image

from library.models import EmbeddingSpace
from library.tests.factories import make_photo, make_root, make_user
from people.tests.factories import add_face
from search import pictures
from search.cache_models import SearchPicture
from search.tests.conftest import concept_vector

pytestmark = pytest.mark.django_db


@pytest.fixture
def member(client):
    user = make_user("member")
    client.force_login(user)
    return user


@pytest.fixture
def sees_cats(embedder, monkeypatch):
    """Every picture that is brought along shows a cat; returns what was looked at."""
    seen = []

    def embed_images(images):
        seen.extend(images)
        return np.stack([concept_vector("cat") for _ in images])

    monkeypatch.setattr(type(embedder), "embed_images", staticmethod(embed_images), raising=False)
    return seen


def hits(client, **parameters):
    response = client.get("/search", parameters)
    assert response.status_code == 200
    html = response.content.decode()
    return [int(part.split('"')[0]) for part in html.split('id="hit-')[1:]], html


def picture(size=(40, 30), name="cat.png", kind="PNG"):
    buffer = io.BytesIO()
    Image.new("RGB", size, (200, 100, 50)).save(buffer, kind)
    return SimpleUploadedFile(name, buffer.getvalue())


def test_more_like_a_photo_leaves_it_out_and_needs_no_model(client, member, no_embedder, photo_of):
    cat, other, _ = photo_of("cat"), photo_of("cat"), photo_of("car")
    found, html = hits(client, like=str(cat.pk))
    assert found[0] == other.pk
    assert cat.pk not in found
    assert "Photos like this one" in html
    assert f'name="like" value="{cat.pk}"' in html  # words that are added go with it


def test_a_photo_with_words_is_mixed_by_weight(client, member, embedder, photo_of):
    cat, dog, both = photo_of("cat"), photo_of("dog"), photo_of("cat", "dog")
    found, html = hits(client, like=str(cat.pk), q="dog")
    assert found[0] == both.pk
    assert hits(client, like=str(cat.pk), q="dog", weight="0.25")[0][0] == dog.pk
    assert f"/search?q=dog&amp;like={cat.pk}&amp;weight=0.75" in html
    assert "More words" in html
    assert "More words" not in hits(client, like=str(cat.pk))[1]


def test_a_photo_nobody_may_see_is_not_there(client, member, embedder, photo_of):
    closed = make_root()
    closed.visible_to.add(make_user())
    hidden, shown = photo_of("cat", root=closed), photo_of("cat", root=make_root())
    assert client.get("/search", {"like": hidden.pk}).status_code == 404
    assert client.get("/search", {"like": "999999999999"}).status_code == 404
    assert hits(client, like=str(shown.pk))[0] == []


def test_a_photo_without_a_vector_says_what_helps(client, member, space):
    photo = make_photo()
    found, html = hits(client, like=str(photo.pk))
    assert found == []
    assert "no model has looked at this photo yet" in html


def test_a_picture_is_searched_by_and_never_kept(client, member, sees_cats, photo_of, settings, tmp_path):
    settings.FILE_UPLOAD_TEMP_DIR = str(tmp_path)
    cat, _ = photo_of("cat"), photo_of("car")
    large = np.random.default_rng(1).integers(0, 255, (1500, 1500, 3), dtype=np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(large).save(buffer, "PNG")
    assert len(buffer.getvalue()) > settings.FILE_UPLOAD_MAX_MEMORY_SIZE
    upload = SimpleUploadedFile("x.png", buffer.getvalue())
    response = client.post("/search/picture", {"picture": upload, "q": "-tag:pet"})
    assert response.status_code == 302
    assert list(tmp_path.iterdir()) == []
    assert sees_cats[0].shape == (1500, 1500, 3)
    kept = SearchPicture.objects.get()
    assert response["Location"] == f"/search?q=-tag%3Apet&picture={kept.token}"
    found, html = hits(client, picture=kept.token)
    assert found[0] == cat.pk
    assert "it is not kept" in html


def test_a_picture_is_for_one_person_and_an_hour(client, member, sees_cats, photo_of):
    photo_of("cat")
    client.post("/search/picture", {"picture": picture()})
    kept = SearchPicture.objects.get()
    other = Client()
    other.force_login(make_user(owner=True))
    assert "not known any more" in hits(other, picture=kept.token)[1]
    assert hits(client, picture=kept.token)[0]
    SearchPicture.objects.update(made_at=timezone.now() - timedelta(hours=2))
    assert "not known any more" in hits(client, picture=kept.token)[1]
    client.post("/search/picture", {"picture": picture()})
    assert kept not in SearchPicture.objects.all()
    EmbeddingSpace.objects.update(status="retired")
    assert hits(client, picture=SearchPicture.objects.get().token)[0] == []


def test_only_so_many_are_kept(client, member, sees_cats, photo_of, monkeypatch):
    photo_of("cat")
    monkeypatch.setattr(pictures, "MOST_KEPT", 2)
    for _ in range(4):
        client.post("/search/picture", {"picture": picture()})
    assert SearchPicture.objects.count() == 2


@pytest.mark.parametrize(
    ("upload", "said"),
    [
        (lambda: SimpleUploadedFile("x.png", b"no picture"), "cannot be searched by"),
        (lambda: SimpleUploadedFile("x.nef", b"no picture"), "cannot be searched by"),
        (lambda: SimpleUploadedFile("x.pdf", b"%PDF-1.4"), "cannot be searched by"),
        (lambda: SimpleUploadedFile("x.png", b""), "cannot be searched by"),
        (lambda: picture(size=(2000, 2000)), "more than the limit"),
        (lambda: "text", "Choose a picture first"),
    ],
)
def test_what_is_no_picture_is_said(client, member, sees_cats, photo_of, monkeypatch, upload, said):
    photo_of("cat")
    monkeypatch.setattr(pictures, "MAX_PIXELS", 1_000_000)
    response = client.post("/search/picture", {"picture": upload(), "q": "cat"}, follow=True)
    assert response.redirect_chain == [("/search?q=cat", 302)]
    assert said in response.content.decode()
    assert not SearchPicture.objects.exists()
    assert not sees_cats


def test_a_file_that_is_too_large_is_not_even_read(client, member, sees_cats, photo_of, monkeypatch):
    photo_of("cat")
    monkeypatch.setattr(pictures, "MAX_BYTES", 10)
    monkeypatch.setattr("search.picture_views.FORM_BYTES", 100)
    response = client.post("/search/picture", {"picture": picture()}, follow=True)
    assert "too large" in response.content.decode()


def test_without_a_model_the_reason_is_said(client, member, no_embedder, photo_of):
    photo_of("cat")
    html = client.post("/search/picture", {"picture": picture()}, follow=True).content.decode()
    assert "Searching by picture is off: There is no CLIP model. Set CLIP_ONNX_DIR." in html


def test_forms_from_elsewhere_are_refused(member):
    elsewhere = Client(enforce_csrf_checks=True)
    elsewhere.force_login(member)
    assert elsewhere.post("/search/picture", {"picture": picture()}).status_code == 403
    assert elsewhere.get("/search/picture").status_code == 405
    assert Client().post("/search/picture", {"picture": picture()}).status_code == 302
    assert not SearchPicture.objects.exists()


@pytest.mark.parametrize("value", ["x", "-1", "9" * 40, "", "é", "\0", "1.5"])
@pytest.mark.parametrize("name", ["like", "face", "picture", "weight"])
def test_strange_parameters_are_harmless(client, member, no_embedder, name, value):
    assert client.get("/search", {name: value, "q": "cat"}).status_code == 200


def face_vector(*values):
    return np.array(values, dtype=np.float32) / np.linalg.norm(values)


def test_by_a_face(client, member, no_embedder):
    face = add_face(make_photo(), embedding=face_vector(1, 0, 0, 0.01))
    near = add_face(make_photo(), embedding=face_vector(1, 0.05, 0, 0))
    far = add_face(make_photo(), embedding=face_vector(-1, 0, 0, 0))
    add_face(near.photo, embedding=far.embedding)
    found, html = hits(client, face=str(face.pk))
    assert found[0] == near.photo_id
    assert face.photo_id not in found and far.photo_id not in found
    assert "face like the one" in html
    assert hits(client, face=str(face.pk), q="-faces:2")[0] == []
    assert "words do not count" in hits(client, face=str(face.pk), q="cat")[1]


def test_faces_that_are_near_by_chance_only_are_named_so(client, member, no_embedder):
    face = add_face(make_photo(), embedding=face_vector(1, 0, 0, 0))
    for number in range(14):
        add_face(make_photo(), embedding=face_vector(0.2, 1, number, 0))
    found, html = hits(client, face=str(face.pk))
    assert len(found) == 12
    assert "No other face is clearly like this one" in html


def test_faces_of_photos_that_are_hidden_are_not_there(client, member, no_embedder):
    closed = make_root()
    closed.visible_to.add(make_user())
    hidden = add_face(make_photo(root=closed))
    face = add_face(make_photo(root=make_root()))
    assert client.get("/search", {"face": hidden.pk}).status_code == 404
    assert hits(client, face=str(face.pk))[0] == []


def test_pages_and_filters_keep_the_picture(client, member, no_embedder, photo_of):
    photos = [photo_of("cat") for _ in range(60)]
    found, html = hits(client, like=str(photos[0].pk))
    assert len(found) == 48
    assert f"like={photos[0].pk}&amp;after=" in html
    facets = client.get("/search/facets", {"like": photos[0].pk}).content.decode()
    assert f'name="like" value="{photos[0].pk}"' in facets


def test_the_photo_page_leads_there(client, member):
    photo = make_photo()
    face = add_face(photo)
    html = client.get(f"/photo/{photo.pk}").content.decode()
    assert f'href="/search?like={photo.pk}"' in html
    assert f'href="/search?face={face.pk}"' in html


def test_the_number_of_queries_does_not_grow(client, member, embedder, photo_of, django_assert_num_queries):
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    photos = [photo_of("cat", tags=["cat"]) for _ in range(10)]
    counts = []
    for _ in range(2):
        hits(client, like=str(photos[0].pk), q="cat")
        with CaptureQueriesContext(connection) as queries:
            hits(client, like=str(photos[0].pk), q="cat")
        counts.append(len(queries))
        photos += [photo_of("cat", tags=["cat"]) for _ in range(30)]
    assert counts[0] == counts[1]
