"""How long suggestions and corrections take.

    .venv/bin/python benchmarks/suggest.py [--photos 100000] [--words 50000] [--rounds 300] [--json]

Fills a temporary library with photos in two roots, one of which a member may not see, and names of every
kind, then asks for suggestions as a browser does, as the owner and as the member: what a person types, letter
by letter. Also told: a correction, reading all names into memory, and counting the words.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

PROJECT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(PROJECT))

from benchmarks.installation import installation  # noqa: E402 - the path comes first

SOUNDS = (
    "b c d f g h j k l m n p r s t v w br cl dr fl gr pl sh st tr",
    "a e i o u an er in ol um ast ent ill ond",
)


def made_up_words(count: int) -> list[str]:
    """Words that can be spoken, each once, the same in every run."""
    random = np.random.default_rng(1)
    onsets, rhymes = (sounds.split() for sounds in SOUNDS)
    found: dict[str, None] = {}
    while len(found) < count:
        parts = random.integers(2, 5)
        found["".join(random.choice(onsets) + random.choice(rhymes) for _ in range(parts))] = None
    return list(found)


FILL = """
CREATE TEMPORARY TABLE word AS SELECT * FROM unnest(%(words)s::text[]) WITH ORDINALITY AS w (word, number);
INSERT INTO library_photo
SELECT (jsonb_populate_record(example, jsonb_build_object(
    'id', n, 'sha256', lpad(n::text, 64, '0'), 'camera_make', 'Maker', 'camera_model', 'Model ' || n %% 40,
    'taken_local', now() - n * interval '1 minute', 'place_id', 1 + n %% %(places)s))).*
FROM library_photo AS example, generate_series(1, %(photos)s) AS n WHERE example.id = 0;
INSERT INTO library_photofile
SELECT (jsonb_populate_record(example, jsonb_build_object(
    'id', n, 'photo_id', n, 'display_path', n::text, 'relative_path', int8send(n),
    'root_id', CASE WHEN n %% 3 = 0 THEN %(closed)s ELSE %(open)s END))).*
FROM library_photofile AS example, generate_series(1, %(photos)s) AS n WHERE example.id = 0;
DELETE FROM library_photofile WHERE id = 0;
DELETE FROM library_photo WHERE id = 0;
INSERT INTO library_detectedobject (photo_id, tag_id, confidence)
SELECT DISTINCT photo.id, 1 + (random() ^ 3 * (%(tags)s - 1))::int, 0.9
FROM library_photo AS photo, generate_series(1, 5);
INSERT INTO search_searchdocument (photo_id, document, updated_at)
SELECT picked.id, to_tsvector('simple', string_agg(word.word, ' ')), now()
FROM (
    SELECT photo.id, 1 + (random() ^ 3 * (%(count)s - 1))::int AS number
    FROM library_photo AS photo, generate_series(1, 25)
) AS picked JOIN word USING (number)
GROUP BY picked.id;
INSERT INTO search_vocabularyword (word, photos, named) SELECT word, 0, true FROM word;
INSERT INTO library_albumphoto (album_id, photo_id, added_at)
SELECT DISTINCT 1 + id %% %(albums)s, id, now() FROM library_photo;
INSERT INTO people_importedname (photo_id, person_id, name, source)
SELECT id, 1 + id %% %(people)s, '', 'mwg' FROM library_photo WHERE id %% 5 = 0;
"""


def fill(photos: int, words: list[str]) -> tuple[Any, Any]:
    """The library; the owner and the member who may not see a third of it."""
    from django.contrib.auth.models import User
    from django.db import connection
    from django.utils import timezone

    from library.models import Album, Photo, PhotoFile, Place, Root, Tag
    from people.models import Person

    owner = User.objects.get(is_superuser=True)
    member = User.objects.create_user("member")
    closed, opened = (Root.objects.create(name=name, path=f"/{name}".encode()) for name in ("closed", "open"))
    closed.visible_to.add(owner)
    Tag.objects.all().delete()
    Tag.objects.bulk_create(Tag(pk=n + 1, name=words[n]) for n in range(4000))
    Album.objects.bulk_create(Album(pk=n + 1, title=f"{words[-n]} {words[n]}") for n in range(1, 600))
    Album.objects.create(pk=1, title="first")
    Person.objects.bulk_create(Person(pk=n + 1, name=f"{words[-2 * n - 1]} {words[n]}") for n in range(300))
    Place.objects.bulk_create(Place(pk=n + 1, city=words[-3 * n - 1]) for n in range(500))
    now = timezone.now()
    Photo.objects.create(pk=0, state="completed", width=4, height=3, renditions_at=now, taken_local=now)
    PhotoFile.objects.create(
        pk=0, photo_id=0, root=opened, relative_path=b"", size=1, mtime_ns=1, seen_at=now
    )
    parameters = {
        "words": words, "count": len(words), "photos": photos, "closed": closed.pk, "open": opened.pk,
        "tags": 4000, "albums": 599, "people": 300, "places": 500,
    }  # fmt: skip
    with connection.cursor() as cursor:
        for statement in FILL.split(";\n"):
            if statement.strip():
                cursor.execute(statement, parameters)
        cursor.execute("VACUUM ANALYZE")
    return owner, member


def timed(work: Callable[[], object]) -> float:
    """Milliseconds."""
    started = time.perf_counter()
    work()
    return 1000 * (time.perf_counter() - started)


def figures(took: list[float]) -> dict[str, float]:
    """Median, 95th percentile and worst."""
    return {
        "median": round(statistics.median(took), 1),
        "95th": round(float(np.percentile(took, 95)), 1),
        "worst": round(max(took), 1),
    }


def typing(user: Any, words: list[str], rounds: int) -> dict[str, float]:
    """Letter by letter, through the middleware, the view and the template."""
    from django.test import Client

    client = Client()
    client.force_login(user)
    random = np.random.default_rng(2)
    texts: list[str] = []
    while len(texts) < rounds:
        word = str(random.choice(words))
        texts += [f"beach {word[:end]}" for end in range(1, min(len(word), 6))]
    client.get("/search/suggest", {"q": "warm"})
    return figures([timed(lambda q=q: client.get("/search/suggest", {"q": q})) for q in texts[:rounds]])


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--photos", type=int, default=100_000)
    parser.add_argument("--words", type=int, default=50_000)
    parser.add_argument("--rounds", type=int, default=300)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    words = made_up_words(options.words)
    result: dict[str, Any] = {"photos": options.photos, "words": options.words}
    with installation(ALLOWED_HOSTS="testserver"):
        from search import lexicon, library_words
        from search.query import parse
        from search.spelling import correct

        owner, member = fill(options.photos, words)
        result["counting_words"] = round(timed(library_words.count))
        lexicon.READ_EVERY = 3600.0
        result["reading_names"] = round(timed(lexicon.lexicon))
        for name, user in (("owner", owner), ("member", member)):
            result[f"suggestions_{name}"] = typing(user, words, options.rounds)
            wrong = [word[:3] + word[4:] for word in words[:: len(words) // 60] if len(word) > 5]
            took = [timed(lambda word=word, user=user: correct(parse(word), user)) for word in wrong]
            result[f"correction_{name}"] = figures(took)
    if options.json:
        print(json.dumps(result, indent=2))
        return
    print("Milliseconds.")
    for name, value in result.items():
        print(f"{name.replace('_', ' '):>20}  {value}")


if __name__ == "__main__":
    main()
