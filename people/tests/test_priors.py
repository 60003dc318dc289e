"""What speaks for somebody besides the face: its words, its weight, and that it can be switched off."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from library.tests.factories import make_photo
from people.actions.recognise import recognise
from people.models import Person, Suggestion
from people.priors import Circumstances, Share, reasons, total
from people.tests.recognition import between, confirmed, face_like, known_person, look

RARE = Share(10, 1000)


def texts(what: Circumstances, *kinds: str) -> list[str]:
    return [one.text for one in reasons(what, kinds)]


@pytest.mark.parametrize(
    ("what", "text"),
    [
        (Circumstances(RARE, gaps=[40.0, 80.0]), "2 photos one minute apart"),
        (Circumstances(RARE, gaps=[10.0]), "1 photo one minute apart"),
        (Circumstances(RARE, gaps=[600.0]), "1 photo 10 minutes apart"),
        (Circumstances(RARE, gaps=[3000.0, 3500.0, 90_000.0]), "2 photos 50 minutes apart"),
        (Circumstances(RARE, company=[("Anna", Share(14, 20))]), "with Anna in 14 photos"),
        (Circumstances(Share(500, 1000), company=[("Anna", Share(0, 80))]), "never with Anna"),
        (Circumstances(RARE, place=Share(6, 9)), "in 6 photos taken nearby"),
        (Circumstances(RARE, folder=Share(1, 4)), "in 1 photo of this folder"),
        (Circumstances(Share(500, 1000), folder=Share(0, 80)), "in no other photo of this folder"),
    ],
)
def test_every_contribution_has_words(what: Circumstances, text: str) -> None:
    assert texts(what, "time", "company", "place", "folder") == [text]


def test_kinds_can_be_left_out() -> None:
    what = Circumstances(RARE, gaps=[40.0], place=Share(6, 9), folder=Share(3, 4))
    assert texts(what, "place") == ["in 6 photos taken nearby"]
    assert texts(what) == []


def test_nearer_is_weightier_and_much_seen_weighs_more_than_little() -> None:
    near, far = (reasons(Circumstances(RARE, gaps=[gap]))[0].weight for gap in (60.0, 7200.0))
    assert near > far > 0
    usual = Share(100, 1000)
    shares = (Share(40, 50), Share(1, 1))
    often, once = (reasons(Circumstances(usual, folder=share))[0].weight for share in shares)
    assert often > once > 0


def test_never_weighs_little_where_little_was_seen() -> None:
    usual = Share(500, 1000)
    assert not reasons(Circumstances(usual, folder=Share(0, 0)))
    (few,) = reasons(Circumstances(usual, folder=Share(0, 4)))
    (many,) = reasons(Circumstances(usual, folder=Share(0, 100)))
    assert many.weight < few.weight < 0


def test_all_together_stay_within_bounds() -> None:
    everything = Circumstances(
        RARE, gaps=[1.0] * 50, company=[(str(n), Share(50, 50)) for n in range(9)], folder=Share(90, 90)
    )
    assert total(reasons(everything)) == 4.0
    nothing = Circumstances(Share(900, 1000), company=[(str(n), Share(0, 500)) for n in range(9)])
    assert total(reasons(nothing)) == -2.5


@pytest.mark.django_db
class TestInTheLibrary:
    """Anna and Bea look alike; where and when the photo was taken decides who is asked about first."""

    def scene(self, **elsewhere: Any) -> Any:
        anna, bea = known_person("Anna", 0), known_person("Bea", 1)
        photo = make_photo("2020/party/1.jpg", latitude=48.0, longitude=11.0)
        face = face_like(between(0, 1, 0.66, 0.65), photo, x=0.1)
        there = {
            "taken_local": photo.taken_local + timedelta(minutes=5),
            "latitude": 48.001,
            "longitude": 11.0,
        }
        for number in range(3):
            near = make_photo(f"2020/party/x{number}.jpg", **there)
            confirmed(face_like(look(1, 0.9, noise=number), near), bea)
        for number in range(3):
            confirmed(face_like(look(0, 0.9, noise=number), make_photo(f"1999/{number}/1.jpg")), anna)
        return face

    def suggested(self, face: Any) -> list[Suggestion]:
        recognise(photo_ids=[face.photo_id])
        return list(Suggestion.objects.filter(face=face).select_related("person").order_by("rank"))

    def test_they_turn_the_order_and_say_why(self) -> None:
        first, second = self.suggested(self.scene())
        assert (first.person.name, second.person.name) == ("Bea", "Anna")
        assert first.prior > 0 and first.margin < 0
        kinds = {reason["kind"]: reason["text"] for reason in first.reasons}
        assert kinds["time"] == "3 photos 5 minutes apart"
        assert kinds["place"] == "in 3 photos taken nearby"
        assert kinds["folder"] == "in 3 photos of this folder"

    def test_switched_off_the_face_alone_decides(self, settings: Any) -> None:
        settings.PEOPLE_PRIORS = ()
        first, second = self.suggested(self.scene())
        assert (first.person.name, second.person.name) == ("Anna", "Bea")
        assert first.reasons == [] and first.prior == 0

    def test_company_is_told_by_name(self, settings: Any) -> None:
        settings.PEOPLE_PRIORS = ("company",)
        face = self.scene()
        carl = known_person("Carl", 2)
        for number in range(4):
            photo = make_photo()
            confirmed(face_like(look(1, 0.9, noise=number), photo, x=0.1), Person.objects.get(name="Bea"))
            confirmed(face_like(look(2, 0.9, noise=number), photo, x=0.6), carl)
        confirmed(face_like(look(2), face.photo, x=0.6), carl)
        first = self.suggested(face)[0]
        assert first.person.name == "Bea"
        assert [reason["text"] for reason in first.reasons] == ["with Carl in 4 photos"]

    def test_no_name_is_given_on_circumstances_alone(self) -> None:
        bea = known_person("Bea", 1)
        photo = make_photo("2020/party/1.jpg")
        for number in range(5):
            near = make_photo(f"2020/party/x{number}.jpg", taken_local=photo.taken_local)
            confirmed(face_like(look(1, 0.9, noise=number), near), bea)
        face = face_like(look(1, 0.6), photo)
        (only,) = self.suggested(face)
        face.refresh_from_db()
        assert face.person is None and only.probability > 0.9
