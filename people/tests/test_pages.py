"""The pages of people, through the front door."""

from __future__ import annotations

import io
from datetime import UTC, date, datetime
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from PIL import Image

from library.models import Root
from library.tests.factories import make_photo, make_renditions, make_root, make_user
from library.tests.pages import assert_sound
from people.actions.answers import confirm
from people.actions.persons import edit
from people.models import Calibration, Face, FaceLabel, PeopleEvent, Person, Suggestion
from people.tests.factories import add_face, make_person, say

pytestmark = pytest.mark.django_db
HTMX = {"HX-Request": "true"}


def suggest(face: Face, person: Person, probability: float = 0.7) -> Suggestion:
    return Suggestion.objects.create(
        face=face,
        person=person,
        similarity=0.45,
        margin=0.1,
        prior=0.0,
        probability=probability,
        reasons=[{"kind": "time", "text": "2 photos one minute apart", "weight": 0.5}],
        rank=1,
    )


@pytest.fixture
def closed_root() -> Root:
    """A root that only its viewers see: nobody but owners."""
    root = make_root()
    root.visible_to.add(make_user())
    return root


def answer(client: Client, verdict: str, face: Face, **fields: Any) -> Any:
    values = {"verdict": verdict, "faces": str(face.pk), "place": "question"} | fields
    return client.post("/people/answer", values, headers=HTMX)


def test_everything_about_people_needs_a_login(client: Client) -> None:
    face = add_face(make_photo())
    for address in ("/people/", "/people/review", "/people/others", "/people/history", f"/face/{face.pk}"):
        assert client.get(address).headers["Location"].startswith("/login/"), address


def test_an_empty_library_says_where_people_come_from(owner_client: Client) -> None:
    assert "Faces appear here" in assert_sound(owner_client.get("/people/"))
    assert "Nothing to ask" in assert_sound(owner_client.get("/people/review"))
    assert "Nothing was changed" in assert_sound(owner_client.get("/people/history"))


def test_people_are_listed_by_how_many_photos_they_are_in(owner_client: Client) -> None:
    anna, ben = make_person("Anna"), make_person("Ben")
    say(add_face(make_photo()), anna)
    for _ in range(2):
        say(add_face(make_photo()), ben)
    html = assert_sound(owner_client.get("/people/"))
    assert html.index("Ben") < html.index("Anna")
    assert "2 photos" in html
    assert "Anna" not in owner_client.get("/people/?q=be").content.decode()


def test_a_suggestion_is_confirmed_by_one_button(owner_client: Client) -> None:
    anna, face = make_person("Anna"), add_face(make_photo())
    say(add_face(make_photo()), anna)
    suggest(face, anna)
    html = assert_sound(owner_client.get("/people/review"))
    assert "Is this Anna?" in html
    assert "2 photos one minute apart" in html
    html = assert_sound(answer(owner_client, "confirm", face, person=anna.pk))
    assert "This is Anna." in html
    face.refresh_from_db()
    assert (face.person, face.person_source) == (anna, "human_confirmed")


def test_an_answer_teaches_about_others_and_is_undone_by_one_button(owner_client: Client) -> None:
    anna, face = make_person("Anna"), add_face(make_photo())
    suggest(face, anna)
    html = answer(owner_client, "confirm", face, person=anna.pk).content.decode()
    event = PeopleEvent.objects.get()
    assert f"/people/events/{event.pk}/undo" in html
    assert owner_client.post(f"/people/events/{event.pk}/settled", headers=HTMX).status_code == 200
    assert "<html" not in owner_client.get("/people/review", headers=HTMX).content.decode()
    owner_client.post(f"/people/events/{event.pk}/undo", {"next": "/people/review"})
    face.refresh_from_db()
    assert face.person is None


def test_without_javascript_answers_lead_back_to_the_inbox(owner_client: Client) -> None:
    anna, face = make_person("Anna"), add_face(make_photo())
    values = {"verdict": "confirm", "faces": face.pk, "person": anna.pk, "place": "question"}
    response = owner_client.post("/people/answer", values, follow=True)
    assert "This is Anna. It can be undone" in assert_sound(response)


def test_a_typed_name_is_somebody_known_or_somebody_new(owner_client: Client) -> None:
    anna = make_person("Anna")
    one, two = add_face(make_photo()), add_face(make_photo())
    answer(owner_client, "name", one, name=" ANNA ")
    answer(owner_client, "name", two, name="Zoë")
    one.refresh_from_db()
    two.refresh_from_db()
    assert one.person == anna
    assert two.person is not None
    assert two.person.name == "Zoë"
    assert "Type a name first" in answer(owner_client, "name", one, name=" ").content.decode()


def test_a_face_answered_elsewhere_drops_out(owner_client: Client, member_client: Client) -> None:
    anna, ben = make_person("Anna"), make_person("Ben")
    face = add_face(make_photo())
    say(add_face(make_photo()), ben)
    answer(owner_client, "confirm", face, person=anna.pk)
    html = answer(member_client, "confirm", face, person=ben.pk).content.decode()
    assert "answered meanwhile" in html
    face.refresh_from_db()
    assert face.person == anna


def test_a_name_that_is_in_the_photo_already_can_be_moved(owner_client: Client) -> None:
    anna, photo = make_person("Anna"), make_photo()
    first, second = add_face(photo, x=0.1), add_face(photo, x=0.6)
    say(first, anna)
    html = answer(
        owner_client, "confirm", second, person=anna.pk, place="photo", photo=photo.pk
    ).content.decode()
    assert "Move the name here" in html
    fields = {"person": anna.pk, "place": "photo", "photo": photo.pk, "instead": "1"}
    answer(owner_client, "confirm", second, **fields)
    second.refresh_from_db()
    assert second.person == anna


def test_questions_that_are_put_off_come_back_when_asked_for(owner_client: Client) -> None:
    anna, face = make_person("Anna"), add_face(make_photo())
    suggest(face, anna)
    assert "The rest can wait" in answer(owner_client, "skip", face).content.decode()
    html = owner_client.post("/people/answer", {"verdict": "unskip", "place": "question"}, headers=HTMX)
    assert "Is this Anna?" in html.content.decode()


def test_a_face_like_no_other_stays_in_reach(owner_client: Client) -> None:
    face = add_face(make_photo())
    assert f"card-{face.pk}" in assert_sound(owner_client.get("/people/others"))
    answer(owner_client, "ignore", face, place="card")
    assert "No such faces" in assert_sound(owner_client.get("/people/others"))


def test_the_grid_replaces_the_answered_card(owner_client: Client) -> None:
    anna, face = make_person("Anna"), add_face(make_photo())
    suggest(face, anna)
    assert f"card-{face.pk}" in assert_sound(owner_client.get("/people/review?view=grid"))
    html = answer(owner_client, "reject", face, person=anna.pk, place="card").content.decode()
    assert f'id="card-{face.pk}"' in html
    assert "Not Anna." in html


def test_the_photo_page_names_faces_inline(owner_client: Client) -> None:
    photo = make_photo()
    face = add_face(photo)
    html = assert_sound(owner_client.get(f"/photo/{photo.pk}"))
    assert "Who is this?" in html
    html = answer(owner_client, "name", face, name="Anna", place="photo", photo=photo.pk).content.decode()
    assert 'id="_faces"' in html
    assert ">Anna<" in html
    html = answer(owner_client, "not_a_face", face, place="photo", photo=photo.pk).content.decode()
    assert "No face was found" in html


def test_a_drawn_box_becomes_a_face_with_a_name(owner_client: Client) -> None:
    photo = make_photo()
    box = {"x": "10", "y": "20", "width": "15", "height": "95", "name": "Anna"}
    owner_client.post(f"/photo/{photo.pk}/face", box)
    face = Face.objects.get()
    assert (face.x, face.y, face.width, face.height) == pytest.approx((0.1, 0.2, 0.15, 0.8))
    assert face.drawn
    assert face.person is not None
    assert face.person.name == "Anna"
    assert owner_client.post(f"/photo/{photo.pk}/face", box | {"width": "nan"}).status_code == 302
    assert Face.objects.count() == 1
    assert 'value="10.0"' in assert_sound(owner_client.get(f"/photo/{photo.pk}?move={face.pk}"))
    owner_client.post(f"/photo/{photo.pk}/face", box | {"x": "12", "face": face.pk})
    face.refresh_from_db()
    assert face.x == pytest.approx(0.12)
    answer(owner_client, "delete", face, place="photo", photo=photo.pk)
    assert "No face was found" in owner_client.get(f"/photo/{photo.pk}").content.decode()


def test_a_person_is_changed_and_bad_values_are_told(owner_client: Client) -> None:
    anna = make_person("Anna")
    address = f"/people/{anna.pk}/edit"
    owner_client.post(address, {"name": "Anna  Maria", "birth_date": "1980-05-01", "notes": "My sister"})
    anna.refresh_from_db()
    assert (anna.name, anna.birth_date, anna.notes) == ("Anna Maria", date(1980, 5, 1), "My sister")
    response = owner_client.post(address, {"name": "", "birth_date": "2999-01-01"})
    assert response.status_code == 422
    assert "still to come" in response.content.decode()


def test_the_person_page_tells_years_companions_and_suggestions(owner_client: Client) -> None:
    anna, ben = make_person("Anna"), make_person("Ben")
    photo = make_photo()
    say(add_face(photo, x=0.1), anna)
    say(add_face(photo, x=0.6), ben)
    asked = add_face(make_photo())
    suggest(asked, anna)
    html = assert_sound(owner_client.get(f"/people/{anna.pk}"))
    assert 'id="year-2019"' in html
    assert f"card-{asked.pk}" in html
    assert "Most often with" in html
    assert "/search/export?q=person%3A%22Anna%22&amp;format=zip" in html


def test_merging_tells_what_stands_against_it_and_is_undone(owner_client: Client) -> None:
    anna, ann = make_person("Anna"), make_person("Ann")
    photo = make_photo()
    say(add_face(photo, x=0.1), anna)
    twice = add_face(photo, x=0.6)
    say(twice, ann)
    html = assert_sound(owner_client.get(f"/people/{anna.pk}/merge?name=ann"))
    assert "Before you do" in html
    response = owner_client.post(f"/people/{anna.pk}/merge", {"other": ann.pk, "into": anna.pk})
    assert response.headers["Location"] == f"/people/{anna.pk}"
    ann.refresh_from_db()
    assert ann.merged_into == anna
    assert owner_client.get(f"/people/{ann.pk}").status_code == 200
    event = PeopleEvent.objects.get(kind="merge")
    assert "Ann became Anna" in assert_sound(owner_client.get("/people/history"))
    owner_client.post(f"/people/events/{event.pk}/undo")
    twice.refresh_from_db()
    assert twice.person == ann


def test_nobody_is_merged_with_nobody(owner_client: Client) -> None:
    anna = make_person("Anna")
    assert owner_client.get(f"/people/{anna.pk}/merge?name=Zoe").status_code == 422
    assert owner_client.get(f"/people/{anna.pk}/merge?other={anna.pk}").status_code == 422
    assert owner_client.get(f"/people/{anna.pk}/merge?other=99999").status_code == 404


def test_faces_are_split_off_from_their_page(owner_client: Client) -> None:
    anna = make_person("Anna")
    faces = [add_face(make_photo()) for _ in range(3)]
    for face in faces:
        say(face, anna)
    address = f"/people/{anna.pk}/faces"
    for order in ("date", "unlike", "parts"):
        assert_sound(owner_client.get(f"{address}?order={order}"))
    owner_client.post(address, {"face": [faces[0].pk, faces[1].pk], "do": "move", "name": "Berta"})
    assert sorted(Face.objects.values_list("person__name", flat=True)) == ["Anna", "Berta", "Berta"]
    assert "Choose one face" in owner_client.post(address, {"do": "reject"}, follow=True).content.decode()


def test_a_portrait_is_a_small_square_around_the_face(owner_client: Client) -> None:
    photo = make_photo()
    make_renditions(photo, (200, 40, 40))
    face = add_face(photo)
    response = owner_client.get(f"/face/{face.pk}")
    with Image.open(io.BytesIO(response.content)) as image:
        assert image.width == image.height <= 192
        assert image.getpixel((5, 5))[0] > 150  # type: ignore[index]
    known = owner_client.get(f"/face/{face.pk}", headers={"If-None-Match": response.headers["ETag"]})
    assert known.status_code == 304


def test_a_portrait_without_its_preview_is_not_there(owner_client: Client) -> None:
    assert owner_client.get(f"/face/{add_face(make_photo()).pk}").status_code == 404


def test_members_learn_nothing_of_closed_roots(member_client: Client, closed_root: Root) -> None:
    make_root()
    anna, hidden = make_person("Anna"), make_photo(root=closed_root)
    make_renditions(hidden)
    face = add_face(hidden)
    say(face, anna)
    unknown = add_face(make_photo(root=closed_root))
    suggest(unknown, anna)
    assert member_client.get(f"/face/{face.pk}").status_code == 404
    assert member_client.get(f"/people/{anna.pk}").status_code == 404
    for address in ("/people/", "/people/review", "/people/review?view=grid", "/people/history"):
        assert "Anna" not in member_client.get(address).content.decode(), address
    assert "answered meanwhile" in answer(member_client, "confirm", unknown, person=anna.pk).content.decode()
    assert not FaceLabel.objects.filter(face=unknown).exists()


def test_how_sure_names_are_is_for_owners(owner_client: Client, member_client: Client) -> None:
    space = add_face(make_photo()).space
    Calibration.objects.create(
        space=space,
        high=0.5,
        low=0.35,
        margin=0.06,
        labels=40,
        coefficients={},
        bins=[{"low": 0.8, "high": 0.9, "count": 12, "predicted": 0.85, "observed": 0.8}],
    )
    html = assert_sound(owner_client.get("/people/accuracy"))
    assert "40 answers" in html
    assert "85 %" in html
    assert member_client.get("/people/accuracy").status_code == 403


def test_names_that_nobody_can_have_find_nobody(owner_client: Client) -> None:
    anna = make_person("Anna")
    assert "Anna" not in owner_client.get("/people/?q=b%00").content.decode()
    assert owner_client.get(f"/people/{anna.pk}/merge?name=b%00").status_code == 422


def test_the_history_tells_no_names_of_folders_that_were_closed(
    member: Any, member_client: Client, owner: Any, closed_root: Root
) -> None:
    closed_root.visible_to.add(member)
    person, photo = make_person("Anna"), make_photo(root=closed_root)
    confirm(face_ids=[add_face(photo).pk], person=person, by=member)
    assert "One face: Anna" in member_client.get("/people/history").content.decode()
    closed_root.visible_to.remove(member)
    edit(person=person, by=owner, name="Annabel")
    html = member_client.get("/people/history").content.decode()
    assert "One face: somebody" in html
    assert "Anna" not in html


def test_members_do_not_undo_what_others_did(owner_client: Client, member_client: Client) -> None:
    anna, face = make_person("Anna"), add_face(make_photo())
    answer(owner_client, "confirm", face, person=anna.pk)
    event = PeopleEvent.objects.get()
    assert member_client.post(f"/people/events/{event.pk}/undo").status_code == 404


@pytest.mark.parametrize(
    "address",
    [
        "/people/",
        "/people/review?view=grid",
        "/people/others",
        "/people/history",
        "/people/{0}",
        "/people/{0}/faces",
    ],
)
def test_more_rows_need_no_more_queries(owner_client: Client, address: str) -> None:
    anna = make_person("Anna")

    def add(number: int) -> None:
        for _ in range(number):
            say(add_face(make_photo()), anna)
            person = make_person("Ben")
            photo = make_photo()
            say(add_face(photo, x=0.1), person)
            suggest(add_face(photo, x=0.6), anna)
            answer(owner_client, "confirm", add_face(make_photo()), person=person.pk)
            add_face(make_photo())

    def count() -> int:
        with CaptureQueriesContext(connection) as queries:
            assert owner_client.get(address.format(anna.pk)).status_code == 200
        return len(queries)

    add(10)
    few = count()
    add(40)
    assert count() == few


def test_why_somebody_is_suggested_is_not_told_of_closed_folders(
    member_client: Client, owner_client: Client, closed_root: Root
) -> None:
    anna, photo = make_person("Anna"), make_photo(root=make_root())
    say(add_face(make_photo(root=photo.files.get().root)), anna)
    suggest(add_face(photo), anna)
    address = f"/photo/{photo.pk}"
    assert "2 photos one minute apart" in owner_client.get(address).content.decode()
    html = member_client.get(address).content.decode()
    assert "Anna?" in html
    assert "one minute apart" not in html


def test_how_many_faces_an_answer_settled_is_not_told_of_closed_folders(
    member: Any, member_client: Client, closed_root: Root
) -> None:
    anna, face = make_person("Anna"), add_face(make_photo(root=make_root()))
    event = confirm(face_ids=[face.pk], person=anna, by=member)
    PeopleEvent.objects.filter(pk=event.pk).update(settled=7)
    address = f"/people/events/{event.pk}/settled"
    response = member_client.post(address, headers=HTMX)
    assert "7" not in response.content.decode()
    assert "settled" in response.headers["HX-Trigger"]
    closed_root.visible_to.add(member)
    assert "+7 faces" in member_client.post(address, headers=HTMX).content.decode()


def test_a_refusal_tells_no_date_of_a_photo_in_a_closed_folder(
    member_client: Client, owner: Any, owner_client: Client, closed_root: Root
) -> None:
    anna = make_person("Anna")
    say(add_face(make_photo(root=make_root())), anna)
    hidden = make_photo("1999/a.jpg", root=closed_root, taken_local=datetime(1999, 3, 4, 12, tzinfo=UTC))
    confirm(face_ids=[add_face(hidden).pk], person=anna, by=owner)
    values = {"name": "Anna", "birth_date": "2001-05-06", "notes": ""}
    address = f"/people/{anna.pk}/edit"
    assert "1999-03-04" in owner_client.post(address, values).content.decode()
    response = member_client.post(address, values)
    assert response.status_code == 422
    html = response.content.decode()
    assert "Ask an owner" in html
    assert "1999" not in html
