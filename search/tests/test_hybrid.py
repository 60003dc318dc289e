"""Ranking: words, meaning, both; rights, filters, scale, and reasons."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from library.models import Category, EmbeddingSpace, Photo
from library.tests.factories import (
    add_description,
    add_tag,
    add_text,
    make_file,
    make_photo,
    make_root,
    make_user,
)
from search import hybrid, ranking
from search.hybrid import search
from search.indexing import index_photos
from search.query import Clause, Expansion, parse
from search.results import MODES, Fragment, Match, Picture, TagFound
from search.tests.conftest import concept_vector
from search.trace import Trace


def found(text, user, **options):
    return [hit.photo_id for hit in search(parse(text), user, **options).hits]


# --- Words --------------------------------------------------------------------------------------------------


def test_a_tag_beats_text_and_text_beats_a_file_name(owner, no_embedder):
    in_name = make_photo("receipt.jpg")
    in_text = make_photo("a.jpg")
    add_text(in_text, "receipt")
    in_tag = make_photo("b.jpg")
    add_tag(in_tag, "receipt")
    index_photos([in_name.pk, in_text.pk, in_tag.pk])
    assert found("receipt", owner) == [in_tag.pk, in_text.pk, in_name.pk]


def test_what_a_model_wrote_is_found_and_explained_but_ranks_below_what_is_written(owner, no_embedder):
    guessed, in_name = make_photo("a.jpg"), make_photo("lighthouse.jpg")
    in_text, by_hand = make_photo("b.jpg"), make_photo("c.jpg", description="The lighthouse of Kiel")
    add_description(guessed, "A lighthouse stands on rocks. Waves break.")
    add_text(in_text, "lighthouse")
    index_photos([guessed.pk, in_name.pk, in_text.pk, by_hand.pk])
    order = found("lighthouse", owner)
    assert order[-1] == guessed.pk and order[-2] == in_name.pk
    assert set(order[:2]) == {in_text.pk, by_hand.pk}
    (hit,) = search(parse("wave rocks"), owner).hits
    assert hit.photo_id == guessed.pk
    assert {(match.field, match.value) for match in hit.why.matches} == {("description", "")}
    assert Fragment("Waves", matched=True) in hit.why.snippet
    assert found("text:waves", owner) == []


def test_a_description_counts_for_members_who_may_not_see_every_file(owner, no_embedder):
    photo, closed = make_photo("a.jpg", root=make_root()), make_root()
    closed.visible_to.add(owner)
    make_file(photo, "closed/b.jpg", root=closed)
    add_description(photo, "A lighthouse.")
    index_photos([photo.pk])
    assert found("lighthouse", make_user()) == [photo.pk]


@pytest.mark.parametrize("text", ["cafe", "CAFÉ", "Café", "cafes", '"cafe central"', "central or nothing"])
def test_accents_case_and_endings_do_not_matter(owner, no_embedder, text):
    photo = make_photo("x.jpg", title="Café Central")
    index_photos([photo.pk])
    assert found(text, owner) == [photo.pk]


def test_stop_words_do_not_stand_in_the_way(owner, no_embedder):
    photo = make_photo("x.jpg", title="Dogs running on a beach")
    index_photos([photo.pk])
    assert found("the dog on the beach", owner) == [photo.pk]


def test_phrases_exclusions_and_alternatives(owner, no_embedder):
    bill = make_photo("a.jpg", title="vet bill")
    other = make_photo("b.jpg", title="bill for the vet")
    cat = make_photo("c.jpg", title="cat")
    index_photos([bill.pk, other.pk, cat.pk])
    assert set(found("vet bill", owner)) == {bill.pk, other.pk}
    assert found('"vet bill"', owner) == [bill.pk]
    assert found('bill -"vet bill"', owner) == [other.pk]
    assert set(found('cat or "vet bill"', owner)) == {cat.pk, bill.pk}
    assert found("-bill", owner) == [cat.pk]
    assert found("-bill -cat", owner) == []


def test_nearly_identical_copies_stand_behind_the_best_one(owner, no_embedder):
    best = make_photo("a.jpg", title="castle")
    copy = make_photo("b.jpg", title="castle", duplicate_of=best)
    missing = make_photo("c.jpg", title="castle", missing_since=best.taken_at)
    index_photos([best.pk, copy.pk, missing.pk])
    assert found("castle", owner) == [best.pk]


# --- Meaning ------------------------------------------------------------------------------------------------


def test_meaning_finds_what_has_no_words(owner, embedder, photo_of):
    cats = [photo_of("cat").pk, photo_of("cat").pk]
    for _ in range(10):
        photo_of("dog")
    assert sorted(found("cat", owner)) == cats
    assert found("cat", owner, mode="keyword") == []


def test_a_word_the_model_does_not_know_means_nothing(owner, embedder, photo_of):
    for number in range(30):
        photo_of(*[("cat",), ("dog",), ()][number % 3])
    assert found("zorblax", owner) == []
    assert found("zorblax", owner, mode="semantic") == []


def test_a_library_full_of_what_is_asked_for_is_found(owner, embedder, photo_of):
    cats = [photo_of("cat").pk for _ in range(12)]
    assert sorted(found("cat", owner)) == cats


def test_one_photo_is_enough(owner, embedder, photo_of):
    photo = photo_of("cat")
    assert found("cat", owner) == [photo.pk]
    assert found("dog", owner) == []


@pytest.mark.parametrize("mode", MODES)
def test_filters_never_starve_the_ranking(owner, embedder, photo_of, mode):
    for _ in range(25):
        photo_of("cat", tags=["cat"])
    wanted = photo_of("cat", tags=["cat", "Sofa"])
    assert found("cat tag:sofa", owner, mode=mode) == [wanted.pk]


def test_hybrid_puts_first_what_both_sides_found(owner, embedder, photo_of):
    seen = photo_of("cat")
    both = photo_of("cat", tags=["cat"])
    said = photo_of("dog", tags=["cat"])
    result = search(parse("cat"), owner)
    assert [hit.photo_id for hit in result.hits][0] == both.pk
    why = {hit.photo_id: hit.why for hit in result.hits}
    assert (why[both.pk].keyword_rank, why[both.pk].semantic_rank) == (1, 1)
    assert (why[said.pk].keyword_rank, why[said.pk].semantic_rank) == (1, None)
    assert (why[seen.pk].keyword_rank, why[seen.pk].semantic_rank) == (None, 1)
    assert why[seen.pk].similarity > 0.9
    assert why[seen.pk].strength == pytest.approx(1)


def test_without_a_model_hybrid_is_keyword_and_says_so(owner, no_embedder, photo_of):
    photo = photo_of("cat", tags=["cat"])
    result = search(parse("cat"), owner)
    assert [hit.photo_id for hit in result.hits] == [photo.pk]
    assert result.notices[0].reason == "Searching by meaning is off: There is no CLIP model."
    assert result.notices[0].remedy == "Set CLIP_ONNX_DIR."
    assert search(parse("cat"), owner, mode="keyword").notices == ()
    assert search(parse("cat"), owner, mode="semantic").hits == ()


def test_vectors_of_another_model_are_not_compared(owner, embedder, photo_of, space):
    photo_of("cat")
    EmbeddingSpace.objects.filter(pk=space.pk).update(model="other")
    result = search(parse("cat"), owner)
    assert result.hits == ()
    assert "test/other" in str(result.notices[0])


def test_an_empty_library_says_what_to_do(owner, embedder):
    assert "manage.py process" in str(search(parse("cat"), owner).notices[0])


# --- Rights -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", MODES)
def test_nobody_finds_what_they_may_not_see(owner, embedder, photo_of, mode):
    member, stranger = make_user(), make_user()
    private = make_root()
    private.visible_to.add(member)
    secret = photo_of("cat", path="cat.jpg", tags=["cat"], root=private)
    shared = photo_of("cat", path="b.jpg", tags=["cat"], root=make_root())
    assert set(found("cat", member, mode=mode)) == {secret.pk, shared.pk}
    for text in ("cat", "cat tag:cat", "-dog", "tag:cat", "cat or zorblax"):
        assert secret.pk not in found(text, stranger, mode=mode)
        assert secret.pk in found(text, owner, mode=mode)


@pytest.fixture
def in_two_roots(photo_of):
    """The same bytes in an open root and in one that is closed to members; both names are indexed."""
    closed = make_root(name="Closed")
    closed.visible_to.add(make_user("other member"))
    words = {"title": "cat", "text": "lake", "camera_model": "Pixel"}
    photo = photo_of("cat", path="picnic.jpg", root=make_root(), **words)
    make_file(photo, "owlsecret/heronsecret2019.jpg", root=closed)
    index_photos([photo.pk])
    return photo


SECRETS = ("owlsecret", "heronsecret2019", "heronsecret", "owlsecrets")


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("gone", [False, True])
def test_names_in_closed_roots_find_nothing(owner, embedder, photo_of, in_two_roots, mode, gone):
    member, photo = make_user(), in_two_roots
    if gone:
        photo.files.filter(root__name="Closed").update(missing_since=photo.taken_at)
    plain = photo_of(path="owlsecret.jpg", root=make_root())
    for word in SECRETS:
        for text in (f"zorblax or {word}", word, f'"{word}"', f'"{word}" or tag:none', f'cat "{word}"'):
            assert photo.pk not in found(text, member, mode=mode), text
        for text in (f"-{word}", f'-"{word}"', f"-zorblax -{word}"):
            assert photo.pk in found(text, member, mode=mode), text
        for text in (f'"{word}" or tag:none', f'cat "{word}"'):
            assert photo.pk in found(text, owner, mode=mode), text
        assert photo.pk not in found(f"-{word}", owner, mode=mode)
        assert photo.pk not in found(f"text:{word}", member, mode=mode)
    # The names of a photo whose files all lie in open roots go on counting.
    assert plain.pk in found('"owlsecret" or tag:none', member, mode=mode)
    assert plain.pk not in found("-owlsecret", member, mode=mode)


def test_names_in_closed_roots_do_not_rank(owner, no_embedder, photo_of, in_two_roots):
    member, photo = make_user(), in_two_roots
    plain = photo_of(path="a.jpg", title="cat owlsecret", root=make_root())
    assert found("owlsecret", member) == [plain.pk]
    assert set(found("owlsecret", owner)) == {photo.pk, plain.pk}
    assert found("cat owlsecret", member) == [plain.pk]
    assert found("owlsecret pixel", member) == []
    assert found("owlsecret pixel", owner) == [photo.pk]
    for text in ("cat", "lake", "pixel", '"cat"', "text:lake", "camera:pixel"):
        assert photo.pk in found(text, member), text


def test_the_length_of_a_closed_name_does_not_rank(owner, no_embedder, photo_of, in_two_roots):
    """Ranking divides by the length of the document: names that are not told must not count in it."""
    member = make_user()
    twin = photo_of(path="a.jpg", title="cat", text="lake", camera_model="Pixel", root=make_root())
    assert found("cat", member) == [in_two_roots.pk, twin.pk]
    assert found("cat", owner) == [twin.pk, in_two_roots.pk]


def test_names_count_for_whoever_may_see_all_roots(no_embedder, in_two_roots):
    member = make_user()
    in_two_roots.files.get(root__name="Closed").root.visible_to.add(member)
    for text in ("owlsecret", '"owlsecret"', "picnic", "picnic owlsecret"):
        assert found(text, member) == [in_two_roots.pk], text
    assert found("-owlsecret", member) == []


def test_names_of_photos_in_closed_roots_are_not_told(owner, no_embedder, in_two_roots):
    (hit,) = search(parse("cat or picnic or owlsecret"), make_user()).hits
    assert [match.field for match in hit.why.matches] == ["title"]
    (hit,) = search(parse("cat or picnic or owlsecret"), owner).hits
    assert {match.field for match in hit.why.matches} == {"title", "file", "folder"}


def test_closed_roots_cost_a_constant_number_of_queries(no_embedder, photo_of, in_two_roots):
    member, counts = make_user(), []
    open_root = make_root()
    for _ in range(2):
        with CaptureQueriesContext(connection) as queries:
            assert search(parse("cat -dog"), member).hits
        counts.append(len(queries))
        for _ in range(20):
            photo_of(path="", title="cat", root=open_root)
    assert counts[0] == counts[1] <= 14


# --- Fusion -------------------------------------------------------------------------------------------------


def test_fusion_is_what_plain_python_computes(owner, embedder, photo_of):
    chance = random.Random(7)  # noqa: S311
    for _ in range(40):
        concepts = chance.sample(["cat", "dog", "beach"], chance.choice([0, 1, 2]))
        photo_of(*concepts, tags=chance.sample(["cat", "car", "tree"], chance.choice([0, 1, 2])))
    ranks = {}
    for side in ("keyword", "semantic"):
        hits = search(parse("cat"), owner, mode=side, limit=100).hits
        ranks[side] = {hit.photo_id: getattr(hit.why, f"{side}_rank") for hit in hits}
    expected = {
        pk: sum(1 / (60 + side[pk]) for side in ranks.values() if pk in side)
        for pk in ranks["keyword"].keys() | ranks["semantic"].keys()
    }
    fused = search(parse("cat"), owner, limit=100)
    assert {hit.photo_id: hit.score for hit in fused.hits} == pytest.approx(expected)
    order = sorted(expected, key=lambda pk: (-expected[pk], ranks["keyword"].get(pk, 10**6), -pk))
    assert [hit.photo_id for hit in fused.hits] == order
    assert fused.total == len(expected)


def test_pages_follow_one_another(owner, no_embedder):
    ids = [make_photo(title="same words").pk for _ in range(25)]
    index_photos(ids)
    pages = [found("same", owner, limit=10, offset=offset) for offset in (0, 10, 20, 30)]
    assert [len(page) for page in pages] == [10, 10, 5, 0]
    assert sorted(sum(pages, [])) == ids
    assert search(parse("same"), owner, limit=10).total == 25
    assert found("same", owner, limit=10, offset=hybrid.WINDOW) == []


def test_the_number_of_queries_does_not_grow(owner, embedder, photo_of):
    photos = [photo_of("cat", tags=["cat", "pet"], text="a cat sat", indexed=False) for _ in range(100)]
    index_photos([photo.pk for photo in photos])
    counts = []
    search(parse("cat -dog"), owner)  # what the text means is remembered from here on
    for limit in (10, 100):
        with CaptureQueriesContext(
            connection,
        ) as queries:
            assert len(search(parse("cat -dog"), owner, limit=limit).hits) == limit
        counts.append(len(queries))
    assert counts[0] == counts[1] <= 14


# --- Filters ------------------------------------------------------------------------------------------------


def test_fields_narrow_what_is_found(owner, no_embedder):
    food = Category.objects.create(slug="food", name="Food")
    photo = make_photo(
        "a.jpg", title="lunch", keywords=["Oma"], camera_make="Apple", camera_model="iPhone 12", format="HEIF"
    )
    add_tag(photo, "Crème brûlée", category=food)
    add_text(photo, "Zum Goldenen Hirsch")
    other = make_photo("b.jpg", title="lunch")
    index_photos([photo.pk, other.pk])
    matching = [
        'tag:"creme brulee"', "tag:oma", "category:food", 'text:"goldenen hirsch"', "camera:iphone",
        'camera:"apple 12"', "type:heic", "lunch -type:jpg", "tag:oma or category:none",
    ]  # fmt: skip
    for text in matching:
        assert found(text, owner) == [photo.pk], text
    for text in ("tag:lunch", "text:lunch", "category:people", "camera:nokia", "type:raw"):
        assert found(text, owner) == [], text
    assert found("-tag:oma", owner) == [other.pk]
    assert "no category" in str(search(parse("category:zoo"), owner).notices[0])


def test_dates_are_half_open_on_the_clock_of_the_wall(owner, no_embedder):
    from datetime import UTC, datetime

    photos = [
        make_photo(taken_local=datetime(year, 12, 31, 23, 59, tzinfo=UTC)) for year in (2018, 2019, 2020)
    ]
    first, second, third = (photo.pk for photo in photos)
    assert found("year:2019", owner) == [second]
    assert found("before:2019", owner) == [first]
    assert found("after:2019-12-31", owner) == [third, second]
    assert found("after:2019 before:2020", owner) == [second]


def test_people_are_found_by_what_is_said_about_their_faces(owner, no_embedder):
    from people.actions.answers import assign, confirm, reject
    from people.actions.merge import merge
    from people.models import Person
    from people.tests.factories import add_face

    anna, bert = Person.objects.create(name="Anna Müller"), Person.objects.create(name="Bert")
    photo = make_photo()
    face = add_face(photo)
    confirm(face_ids=[face.pk], person=anna, by=owner)
    assert found("person:anna", owner) == [photo.pk]
    assert found('person:"anna muller"', owner) == [photo.pk]
    assign(face_ids=[face.pk], person=bert, by=owner)
    assert (found("person:anna", owner), found("person:bert", owner)) == ([], [photo.pk])
    merge(into=anna, others=[bert], by=owner)
    assert (found("person:anna", owner), found("person:bert", owner)) == ([photo.pk], [photo.pk])
    reject(face_ids=[face.pk], person=anna, by=owner, overrule=True)
    assert found("person:bert", owner) == []
    assert "Nobody is called" in str(search(parse("person:zorro"), owner).notices[0])


def test_alternatives_may_mix_words_and_fields(owner, no_embedder):
    first, second, _ = make_photo(title="cat"), make_photo(title="tree"), make_photo(title="car")
    add_tag(second, "pet")
    index_photos(Photo.objects.values_list("pk", flat=True))
    assert set(found("cat or tag:pet", owner)) == {first.pk, second.pk}


# --- Why ----------------------------------------------------------------------------------------------------


def test_every_hit_says_which_words_stand_where(owner, no_embedder):
    photo = make_photo("Vets/IMG_vet-bill2019.jpg", title="The vet", description="nothing")
    add_tag(photo, "receipt")
    add_text(photo, "line one\n" * 20 + "Tierarzt VÉT Dr. Krause\n" + "line two\n" * 40)
    index_photos([photo.pk])
    (hit,) = search(parse("vet"), owner).hits
    assert set(hit.why.matches) == {
        Match("title", "The vet", ("vet",)),
        Match("text", "", ("vet",)),
        Match("file", "IMG_vet-bill2019.jpg", ("vet",)),
        Match("folder", "Vets", ("vet",)),
    }
    assert Fragment("VÉT", matched=True) in hit.why.snippet
    assert len("".join(piece.text for piece in hit.why.snippet)) < 200
    assert hit.why.tags == (TagFound("receipt", 0.9),)
    assert "**VÉT**" in hit.why.as_dict()["snippet"]


@pytest.mark.parametrize(
    "text", ["'; DROP TABLE x; --", "%s %(a)s %", "a & | ! ( <->", "{eligible}", "\0", "²½", "-", "፩ 日"]
)
def test_no_text_breaks_the_search(owner, embedder, photo_of, text):
    photo_of("cat", tags=["cat"])
    for mode in MODES:
        search(parse(text), owner, mode=mode)
        search(parse(f'-"{text}" text:"{text}" or {text}'), owner, mode=mode)


# --- Order, pictures, weaker matches ------------------------------------------------------------------------


def test_hits_can_be_put_in_the_order_of_their_dates(owner, embedder, photo_of):
    first, second = photo_of("cat"), photo_of("cat", tags=["cat"])
    third = photo_of("cat")
    for text in ("cat", ""):
        assert found(text, owner, sort="newest") == [third.pk, second.pk, first.pk]
        assert found(text, owner, sort="oldest") == [first.pk, second.pk, third.pk]
        assert found(text, owner, sort="oldest", limit=1, offset=1) == [second.pk]
    assert found("cat", owner)[0] == second.pk


def test_a_picture_ranks_alone_or_beside_a_text(owner, embedder, photo_of, space):
    cat, car = photo_of("cat"), photo_of("cat", "car")
    for _ in range(8):
        photo_of("dog")
        photo_of("beach")
    own = Picture(space.pk, concept_vector("cat"), without=(cat.pk,))
    (hit,) = search(parse(""), owner, picture=own).hits
    assert (hit.photo_id, hit.why.semantic_rank) == (car.pk, 1)
    mixed = Picture(space.pk, concept_vector("cat"), weight=0.5)
    result = search(parse("car"), owner, picture=mixed)
    assert [hit.photo_id for hit in result.hits][0] == car.pk
    assert result.hits[0].why.similarity > 0.98
    assert found("year:1990", owner, picture=own) == []
    elsewhere = Picture(space.pk + 1, concept_vector("cat"))
    assert "no photo was looked at" in str(search(parse(""), owner, picture=elsewhere).notices[0])


def test_without_a_text_model_a_picture_still_ranks(owner, no_embedder, photo_of, space):
    cat = photo_of("cat")
    photo_of("dog")
    result = search(parse("at night"), owner, picture=Picture(space.pk, concept_vector("cat"), weight=0.5))
    assert [hit.photo_id for hit in result.hits] == [cat.pk]
    assert result.notices[0].remedy == "Set CLIP_ONNX_DIR."


def test_pictures_find_nothing_that_may_not_be_seen(embedder, photo_of, space):
    root = make_root()
    root.visible_to.add(make_user())
    photo_of("cat", root=root)
    assert found("", make_user(), picture=Picture(space.pk, concept_vector("cat"))) == []


def test_weaker_matches_are_counted_and_shown_when_asked_for(owner, embedder, photo_of):
    clear = [photo_of("cat").pk for _ in range(3)]
    for _ in range(40):
        photo_of()
    vague = photo_of("cat", "dog", "beach", "car", "receipt")
    shown = search(parse("cat"), owner)
    assert sorted(hit.photo_id for hit in shown.hits) == clear
    assert shown.weaker >= 1
    more = search(parse("cat"), owner, weaker=True)
    ids = [hit.photo_id for hit in more.hits]
    assert sorted(ids[:3]) == clear and ids[3] == vague.pk
    assert len(ids) == 3 + shown.weaker
    assert more.weaker == 0
    assert more.hits[3].why.strength < more.hits[0].why.strength <= 1


def test_other_words_find_more_and_rank_below_the_typed_ones(owner, no_embedder):
    typed, other = make_photo(title="a grommet"), make_photo(title="a widget")
    index_photos([typed.pk, other.pk])
    query = parse("grommet")
    assert [hit.photo_id for hit in search(query, owner).hits] == [typed.pk]
    term = replace(query.clauses[0].alternatives[0], expanded=(Expansion(("widget",), 0.5),))
    expanded = replace(query, clauses=(Clause((term,)),))
    assert [hit.photo_id for hit in search(expanded, owner).hits] == [typed.pk, other.pk]
    assert search(expanded, owner).hits[1].why.matches == (
        Match("title", "a widget", ("grommet",), ("widget",)),
    )


def test_an_index_that_gives_up_is_not_the_last_word(owner, embedder, photo_of, monkeypatch):
    """The planner expected many photos, the index found too few: the exact answer is taken."""
    photos = [photo_of("cat").pk for _ in range(3)]
    monkeypatch.setattr(ranking, "EXACT_LIMIT", -1)
    monkeypatch.setattr("search.vector_indexes.indexed_rows", lambda space: 3)
    trace = Trace()
    assert sorted(hit.photo_id for hit in search(parse("cat"), owner, trace=trace).hits) == photos
    assert trace.ranking.approximate
    assert list(trace.milliseconds) == [
        "filters", "text and picture to a vector", "estimate", "ranking", "reasons",
    ]  # fmt: skip


def test_of_very_many_photos_with_a_word_the_newest_are_ranked(owner, no_embedder, monkeypatch):
    monkeypatch.setattr(ranking, "SPOKEN", 3)
    photos = [make_photo(title="cat" if number else "cat dog dog").pk for number in range(5)]
    index_photos(photos)
    assert found("cat", owner) == sorted(photos[2:], reverse=True)
    assert found("dog", owner) == [photos[0]]
