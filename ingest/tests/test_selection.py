"""The language of selections: what it means, and that nothing but its fields is understood."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.models import StepRun
from ingest.selection import FIELDS, Selection, SelectionError, Term, parse, photos
from library.models import DetectedObject, Photo, Tag
from library.tests.factories import make_file, make_photo, make_root


def test_terms_are_read() -> None:
    assert parse('root:Family folder:"2019/At sea, again" -tag:dog,cat ids:1,5-9') == Selection(
        (
            Term("root", ("Family",)),
            Term("folder", ("2019/At sea, again",)),
            Term("tag", ("dog", "cat"), negated=True),
            Term("ids", ("1", "5-9")),
        )
    )
    assert parse("  ") == Selection()
    assert parse("ID:7") == Selection((Term("ids", ("7",)),))


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("dogs", "'dogs' is not of the form field:value"),
        ("tag:", "not of the form"),
        ('tag:""', "needs a value"),
        ("tag:a,,b", "needs a value"),
        ('tag:"a"b', "not of the form"),
        ("state:finished", "one of pending"),
        ("after:yesterday", "after:2019"),
        ("before:2019-13", "before:2020"),
        ("ids:7-3", "ids:17,20-29"),
        ("ids:99999999999999999999", "ids:17,20-29"),
        ("sql:1", "'sql' is not a field. Fields are root, folder"),
        ("state:failed;DROP", "one of pending"),
    ],
)
def test_what_is_no_selection_is_refused_with_what_is_allowed(text: str, told: str) -> None:
    with pytest.raises(SelectionError) as refused:
        parse(text)
    assert told in str(refused.value)


@given(st.text(max_size=60))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        found = parse(text)
    except SelectionError:
        return
    assert all(term.field in FIELDS for term in found.terms)


def chosen(text: str) -> set[int]:
    return set(photos(parse(text)).values_list("pk", flat=True))


@pytest.mark.django_db
def test_each_field_chooses() -> None:
    family, work = make_root(name="Family"), make_root(name="Work 2")
    one = make_photo("trip/a.jpg", root=family, camera_make="Apple", camera_model="iPhone 12")
    two = make_photo("trip_2/b.jpg", root=family, state=Photo.State.PARTIAL, taken_local=None)
    three = make_photo("trip/deep/c.jpg", root=work, camera_model="X100")
    DetectedObject.objects.create(photo=one, tag=Tag.objects.create(name="Dog"), confidence=0.9)
    StepRun.objects.create(photo=two, step="ocr", status="done", engine="rapidocr/3.10")
    everything = {one.pk, two.pk, three.pk}
    for text, expected in {
        "": everything,
        "root:family": {one.pk, two.pk},
        f"root:{work.pk}": {three.pk},
        'root:"Work 2",': None,
        'root:"Work 2"': {three.pk},
        "-root:family": {three.pk},
        "folder:trip": {one.pk, three.pk},
        "folder:/trip/": {one.pk, three.pk},
        "folder:trip root:family": {one.pk},
        "folder:tri_": set(),
        "state:partial": {two.pk},
        "state:partial,completed": everything,
        "-state:partial": {one.pk, three.pk},
        "tag:dog": {one.pk},
        "tag:do": set(),
        "-tag:dog": {two.pk, three.pk},
        "camera:iphone": {one.pk},
        "camera:apple,x100": {one.pk, three.pk},
        "engine:rapidocr": {two.pk},
        "engine:%": set(),
        "after:2019": {one.pk, three.pk},
        "after:2019 before:2019": set(),
        "-after:2020": everything,
        f"ids:{one.pk},{three.pk}-{three.pk + 5}": {one.pk, three.pk},
        f"-ids:{one.pk}": {two.pk, three.pk},
    }.items():
        if expected is None:
            with pytest.raises(SelectionError):
                chosen(text)
        else:
            assert chosen(text) == expected, text


@pytest.mark.django_db
def test_root_and_folder_are_about_the_same_file() -> None:
    family, work = make_root(name="Family"), make_root(name="Work")
    photo = make_photo("a/x.jpg", root=family)
    make_file(photo, "b/x.jpg", root=work)
    assert chosen("root:Family folder:b") == set()
    assert chosen("root:Work folder:b") == {photo.pk}


@pytest.mark.django_db
def test_an_unknown_root_is_told_with_those_there_are() -> None:
    make_root(name="Family")
    with pytest.raises(SelectionError, match="No root is called 'x'. Roots are Family"):
        chosen("root:x")
