"""How well people are recognised, and how fast.

    .venv/bin/python benchmarks/people.py                          a made-up library: 250 people, 50,000 faces
    .venv/bin/python benchmarks/people.py --people 40 --faces 4000 a smaller one
    .venv/bin/python benchmarks/people.py --folder FACES           a folder a person, its name is the person's
    .venv/bin/python benchmarks/people.py --pairs PAIRS.csv        lines of picture, picture, 1 or 0
    ... [--parts groups naming speed answers random] [--answers N] [--json]

The first three fill a temporary library and go through the same doors as the product. Parts: ``groups`` of
unknown faces; ``naming`` at the default thresholds after three confirmations a person; ``speed`` of one new
face and of the inbox; ``answers``, a simulated relative who answers the questions of the inbox until 95 %
of the faces are right; ``random``, the same for faces in random order. Taking a wrong face out of a group
is an answer.
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

PROJECT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(PROJECT), str(PROJECT / "benchmarks")]

from people_pictures import read_folder, read_pairs  # noqa: E402
from people_world import World, make_world  # noqa: E402

from benchmarks.installation import installation  # noqa: E402 - the path comes first

CONFIRMATIONS = 3
ONE_BY_ONE = 300
GOAL = 0.95


class Library:
    """The world in a database. ``faces[row]`` is the key of the face of a row, ``people[n]`` a person's."""

    def __init__(self, world: World, engine: str) -> None:
        from library.models import EmbeddingSpace, Root
        from library.tests.factories import make_user

        self.world = world
        self.space = EmbeddingSpace.objects.create(
            kind="face", engine=engine, model="bench", dimensions=world.vectors.shape[1], status="active"
        )
        self.root = Root.objects.create(name="bench", path=b"/nowhere")
        self.owner = make_user("bench", owner=True)
        self.photos = self._add_photos()
        self.faces = np.zeros(len(world.person), dtype=np.int64)
        self.people: dict[int, Any] = {}
        self.row_of: dict[int, int] = {}

    def _add_photos(self) -> list[int]:
        from library.models import Photo, PhotoFile

        world = self.world
        first = np.unique(world.photo, return_index=True)[1]
        taken = world.seconds[first].astype("datetime64[s]").astype(object)
        from datetime import UTC

        photos = Photo.objects.bulk_create(
            (
                Photo(
                    sha256=f"{number:064x}", state="completed", width=1200, height=800, taken_source="exif",
                    taken_local=taken[number].replace(tzinfo=UTC), taken_at=taken[number].replace(tzinfo=UTC),
                    renditions_at=taken[number].replace(tzinfo=UTC),
                    latitude=world.place[row][0], longitude=world.place[row][1],
                )
                for number, row in enumerate(first)
            ),
            batch_size=2000,
        )  # fmt: skip
        PhotoFile.objects.bulk_create(
            (
                PhotoFile(
                    root=self.root, photo=photo, relative_path=b"%d" % photo.pk, size=1, mtime_ns=1,
                    display_path=f"event {world.event[row]}/{photo.pk}.jpg", seen_at=photo.taken_at,
                )
                for photo, row in zip(photos, first, strict=True)
            ),
            batch_size=2000,
        )  # fmt: skip
        return [photo.pk for photo in photos]

    def add_faces(self, rows: np.ndarray) -> None:
        """Faces of these rows, as an engine would have found them."""
        from django.db import connection

        world = self.world
        numbers = np.searchsorted(np.unique(world.photo), world.photo[rows])
        with connection.cursor() as cursor:
            cursor.execute("SELECT nextval('people_face_id_seq') FROM generate_series(1, %s)", [len(rows)])
            keys = [key for (key,) in cursor.fetchall()]
            statement = (
                "COPY people_face (id, photo_id, space_id, x, y, width, height, drawn, confidence, quality, "
                "landmarks, sex_guess, embedding, person_source, status, created_at) FROM STDIN"
            )
            with cursor.copy(statement) as copy:
                for key, row, number in zip(keys, rows.tolist(), numbers.tolist(), strict=True):
                    vector = "[" + ",".join(map(str, world.vectors[row].tolist())) + "]"
                    copy.write_row(
                        (key, self.photos[number], self.space.pk, 0.05 + row % 17 / 20, 0.1, 0.05, 0.08,
                         False, 0.9, float(world.quality[row]), "[]", "", vector, "", "face", "now")
                    )  # fmt: skip
        self.faces[rows] = keys
        self.row_of |= dict(zip(keys, rows.tolist(), strict=True))

    def person(self, number: int) -> Any:
        """The person of this number, made when asked for."""
        from people.models import Person

        if number not in self.people:
            self.people[number] = Person.objects.create(name=f"Person {number}")
        return self.people[number]

    def truth_of(self, face_id: int) -> int:
        return int(self.world.person[self.row_of[face_id]])

    def forget_everything(self) -> None:
        """As it was before anybody was named."""
        from django.db import connection

        with connection.cursor() as cursor:
            cursor.execute(
                "UPDATE people_face SET person_id = NULL, person_source = '', status = 'face', "
                "cluster_id = NULL"
            )
            for table in (
                "suggestion",
                "prototype",
                "facelabel",
                "facecluster",
                "calibration",
                "peopleevent",
                "person",
            ):
                cursor.execute(f"DELETE FROM people_{table}")  # noqa: S608 - names of this line
            cursor.execute("VACUUM ANALYZE")
        self.people = {}


def clusters(library: Library) -> dict[str, Any]:
    """Group all faces while nobody is known."""
    from people.actions.cluster import cluster_all
    from people.models import Face

    started, cpu = time.perf_counter(), time.process_time()
    done = cluster_all(space=library.space)
    seconds, cpu = time.perf_counter() - started, time.process_time() - cpu
    rows = [(library.truth_of(pk), group) for pk, group in Face.objects.values_list("pk", "cluster_id")]
    truth = np.array([one for one, _ in rows])
    group = np.array([two if two is not None else -1 for _, two in rows])
    return {
        "faces": done.faces,
        "groups": done.new,
        "grouped_share": round(done.grouped / max(done.faces, 1), 4),
        **_agreement(truth, group),
        "seconds": round(seconds, 1),
        "cpu_seconds": round(cpu, 1),
        "peak_memory_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
    }


def _agreement(truth: np.ndarray, group: np.ndarray) -> dict[str, float]:
    """Purity of the groups and pairwise F1 over the faces of known people; singles are groups of one."""
    inside = group >= 0
    pure = sum(
        np.unique(truth[group == one], return_counts=True)[1].max() for one in np.unique(group[inside])
    )
    known = truth >= 0
    pairs = _pairs(np.unique(truth[known], return_counts=True)[1])
    together = group[known & inside]
    found = _pairs(np.unique(together, return_counts=True)[1])
    both = np.unique(np.stack([truth[known & inside], together]), axis=1, return_counts=True)[1]
    right = _pairs(both)
    precision, recall = right / max(found, 1), right / max(pairs, 1)
    return {
        "purity": round(float(pure / max(inside.sum(), 1)), 4),
        "pair_precision": round(precision, 4),
        "pair_recall": round(recall, 4),
        "pair_f1": round(2 * precision * recall / max(precision + recall, 1e-9), 4),
    }


def _pairs(counts: np.ndarray) -> float:
    return float((counts.astype(float) * (counts - 1) / 2).sum())


def confirm_some(library: Library, how: str) -> set[int]:
    """Three confirmations a person, and the prototypes that follow. Returns the faces."""
    from people.actions.answers import confirm
    from people.actions.prototypes import choose_prototypes

    random = np.random.default_rng(3)
    confirmed: set[int] = set()
    here = np.flatnonzero(library.faces)
    for number in range(int(library.world.person.max()) + 1):
        rows = here[library.world.person[here] == number]
        faces = [int(library.faces[row]) for row in _chosen(library.world, rows, how, random)]
        if faces:
            confirm(face_ids=faces, person=library.person(number), by=library.owner, leave_out=True)
            confirmed |= set(faces)
    choose_prototypes(person_ids=[person.pk for person in library.people.values()])
    return confirmed


def naming(library: Library, how: str) -> dict[str, Any]:
    """Everything is named that is clear after three confirmations a person."""
    from people.actions.recognise import recognise
    from people.models import Suggestion

    confirmed = confirm_some(library, how)
    started = time.perf_counter()
    recognise(photo_ids=library.photos)
    seconds = time.perf_counter() - started
    first = list(Suggestion.objects.filter(rank=1).values_list("face", "person"))
    keys = {number: person.pk for number, person in library.people.items()}
    right = sum(keys.get(library.truth_of(face)) == person for face, person in first)
    return {
        "confirmations": len(confirmed),
        **_named(library, confirmed),
        "suggested": len(first),
        "suggestions_right": round(right / max(len(first), 1), 4),
        "seconds": round(seconds, 1),
    }


def _chosen(world: World, rows: np.ndarray, how: str, random: np.random.Generator) -> list[int]:
    """Three faces: any, or a good one of each third of the years."""
    if len(rows) < CONFIRMATIONS + 1:
        return []
    if how == "random":
        return random.choice(rows, CONFIRMATIONS, replace=False).tolist()
    parts = np.array_split(rows[np.argsort(world.year[rows], kind="stable")], CONFIRMATIONS)
    return [int(part[np.argmax(world.quality[part])]) for part in parts]


def _named(library: Library, confirmed: set[int]) -> dict[str, Any]:
    """Precision of the names the program gave, and the share of faces that have their right one."""
    from people.models import Face

    keys = {person.pk: number for number, person in library.people.items()}
    guessed = dict(Face.objects.filter(person_source="model_guess").values_list("pk", "person_id"))
    right = sum(keys[person] == library.truth_of(face) for face, person in guessed.items())
    known = sum(one in library.people for one in library.world.person[np.flatnonzero(library.faces)].tolist())
    wrong = [face for face, person in guessed.items() if keys[person] != library.truth_of(face)]
    strangers = sum(library.truth_of(face) < 0 for face in wrong)
    return {
        "named": len(guessed),
        "precision": round(right / max(len(guessed), 1), 5),
        "recall": round(right / max(known - len(confirmed), 1), 4),
        "wrong_person": len(wrong) - strangers,
        "strangers_named": strangers,
    }


def one_by_one(library: Library, rows: np.ndarray) -> dict[str, Any]:
    """New faces arrive one at a time: match, look around, decide, write."""
    import psutil
    from django.db import connection

    from people.actions.recognise import recognise
    from people.models import Face
    from people.suggestions import decide

    connection.ensure_connection()
    server = psutil.Process(connection.connection.info.backend_pid)
    deciding, whole, cpu = [], [], []
    before = sum(server.cpu_times()[:2])
    for row in rows.tolist():
        library.add_faces(np.array([row]))
        face = Face.objects.get(pk=int(library.faces[row]))
        started, used = time.perf_counter(), time.process_time()
        decide(list(Face.objects.filter(photo=face.photo_id).defer("embedding")), library.space)
        deciding.append(1000 * (time.perf_counter() - started))
        recognise(photo_ids=[face.photo_id])
        whole.append(1000 * (time.perf_counter() - started) - deciding[-1])
        cpu.append(1000 * (time.process_time() - used))
    return {
        "faces": len(whole),
        "deciding_median_ms": round(statistics.median(deciding), 1),
        "deciding_p95_ms": round(float(np.percentile(deciding, 95)), 1),
        "with_writing_median_ms": round(statistics.median(whole), 1),
        "with_writing_p95_ms": round(float(np.percentile(whole, 95)), 1),
        "cpu_ms_of_deciding_twice_and_writing": round(statistics.median(cpu), 1),
        "cpu_ms_of_postgresql": round(1000 * (sum(server.cpu_times()[:2]) - before) / len(whole), 1),
    }


def inbox(library: Library) -> dict[str, Any]:
    """How long the next questions take, and the page that shows them, through all of Django."""
    from django.db import connection
    from django.test import Client
    from django.test.utils import CaptureQueriesContext

    from people.review import questions

    client = Client(SERVER_NAME="localhost")
    client.force_login(library.owner)
    ways = {
        "questions": lambda: questions(library.owner, 20),
        "page": lambda: client.get("/people/review"),
        "grid": lambda: client.get("/people/review?view=grid"),
        "next_question": lambda: client.get("/people/review", headers={"HX-Request": "true"}),
    }
    found: dict[str, Any] = {}
    for name, way in ways.items():
        times = []
        for _ in range(20):
            started = time.perf_counter()
            answer = way()
            times.append(1000 * (time.perf_counter() - started))
        with CaptureQueriesContext(connection) as queries:
            way()
        if name != "questions" and answer.status_code != 200:
            raise RuntimeError(f"{name} answered {answer.status_code}.")
        found[name] = {
            "median_ms": round(statistics.median(times), 1),
            "p95_ms": round(float(np.percentile(times, 95)), 1),
            "queries": len(queries),
        }
    return found


class Relative:
    """Answers questions truthfully, and counts."""

    def __init__(self, library: Library, most: int) -> None:
        self.library, self.most = library, most
        self.answers = 0
        self.seconds = 0.0
        here = library.world.person[np.flatnonzero(library.faces)]
        self.goal = GOAL * int((here >= 0).sum())
        self.curve: list[tuple[int, float]] = []

    def right(self) -> int:
        """Faces of people that have their right name."""
        from people.models import Face

        keys = {person.pk: number for number, person in self.library.people.items()}
        rows = Face.objects.filter(person__isnull=False).values_list("pk", "person_id")
        return sum(keys[person] == self.library.truth_of(face) for face, person in rows)

    def run(self, ask: Any) -> dict[str, Any]:
        """Answer until the goal or the most is reached; ``ask`` gives the faces of the next questions."""
        started = time.perf_counter()
        right = self.right()
        while right < self.goal and self.answers < self.most and time.perf_counter() - started < 1500:
            asked = ask()
            if not asked:
                break
            for faces in asked:
                self.answer(faces)
            right = self.right()
            self.curve.append((self.answers, round(right / self.goal * GOAL, 4)))
        faces = int(self.goal / GOAL)
        return {
            "faces": faces,
            "answers": self.answers,
            "right": round(right / max(faces, 1), 4),
            "faces_an_answer": round(right / max(self.answers, 1), 1),
            "seconds_an_answer": round((time.perf_counter() - started) / max(self.answers, 1), 2),
            "settle_median_ms": round(1000 * self.seconds / max(self.answers, 1)),
            "curve": self.curve[:: max(1, len(self.curve) // 12)],
        }

    def answer(self, faces: tuple[int, ...]) -> None:
        """The cover decides: its person gets the faces that are theirs; every other face costs an answer."""
        from people.actions.answers import confirm, ignore
        from people.actions.settle import settle
        from people.models import Face
        from people.refusals import PeopleRefused

        open_faces = set(
            Face.objects.filter(pk__in=faces, status="face")
            .exclude(person_source="human_confirmed")
            .values_list("pk", flat=True)
        )
        if faces[0] not in open_faces:
            return
        truth = self.library.truth_of(faces[0])
        mine = [pk for pk in faces if pk in open_faces and self.library.truth_of(pk) == truth]
        self.answers += 1 + sum(pk in open_faces for pk in faces) - len(mine)
        try:
            if truth < 0:
                event = ignore(face_ids=mine, by=self.library.owner)
            else:
                event = confirm(
                    face_ids=mine, person=self.library.person(truth), by=self.library.owner, leave_out=True
                )
        except PeopleRefused:
            return
        started = time.perf_counter()
        settle(event)
        self.seconds += time.perf_counter() - started


def asked_by_inbox(library: Library) -> list[tuple[int, ...]]:
    """The next questions; when there are none, the single faces as the page shows them."""
    from people.review import questions, single_faces

    asked = [question.face_ids for question in questions(library.owner, 5)]
    return asked or [(face.pk,) for face in single_faces(library.owner)[:5]]


def asked_at_random(library: Library, random: np.random.Generator) -> list[tuple[int, ...]]:
    from people.models import Face

    left = list(Face.objects.filter(person__isnull=True, status="face").values_list("pk", flat=True))
    return [(int(pk),) for pk in random.permutation(left)[:25]]


def analyse() -> None:
    """What PostgreSQL does by itself a minute after a library has grown."""
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE")


def run(world: World, engine: str, options: argparse.Namespace) -> dict[str, Any]:
    started = time.perf_counter()
    library = Library(world, engine)
    likeness = alike(world)
    new = min(ONE_BY_ONE, max(1, len(world.person) // 10))
    rows = np.random.default_rng(5).permutation(len(world.person))
    library.add_faces(np.sort(rows[new:]))
    analyse()
    result: dict[str, Any] = {
        "engine": engine,
        "people": len(np.unique(world.person[world.person >= 0])),
        "faces": len(world.person),
        "photos": len(library.photos),
        "fill_seconds": round(time.perf_counter() - started, 1),
        "likeness": likeness,
    }
    for part in options.parts:
        library.forget_everything()
        PARTS[part](library, result, options, rows[:new])
    return result


def part_groups(library: Library, result: dict[str, Any], *_: Any) -> None:
    result["groups"] = clusters(library)
    tell("groups", result)


def part_naming(library: Library, result: dict[str, Any], *_: Any) -> None:
    for how in ("spread", "random"):
        library.forget_everything()
        result[f"three_{how}"] = naming(library, how)
        tell(f"three_{how}", result)


def part_speed(library: Library, result: dict[str, Any], options: Any, rows: np.ndarray) -> None:
    """With three confirmations a person and everybody else in groups."""
    from people.actions.cluster import cluster_all

    confirm_some(library, "spread")
    result["one_face"] = one_by_one(library, rows)
    tell("one_face", result)
    cluster_all(space=library.space)
    analyse()
    result["inbox"] = inbox(library)
    tell("inbox", result)


def part_answers(library: Library, result: dict[str, Any], options: argparse.Namespace, *_: Any) -> None:
    from people.actions.cluster import cluster_all

    cluster_all(space=library.space)
    result["answers"] = Relative(library, options.answers).run(lambda: asked_by_inbox(library))
    tell("answers", result)


def part_random(library: Library, result: dict[str, Any], options: argparse.Namespace, *_: Any) -> None:
    random = np.random.default_rng(7)
    result["answers_at_random"] = Relative(library, options.answers).run(
        lambda: asked_at_random(library, random)
    )
    tell("answers_at_random", result)


PARTS = {
    "groups": part_groups,
    "naming": part_naming,
    "speed": part_speed,
    "answers": part_answers,
    "random": part_random,
}


def alike(world: World, pairs: int = 2_000_000) -> dict[str, float]:
    """Cosines of one person's faces and of unrelated people's, as face benchmarks tell them.

    ``accepted_at_1e-4``: the share of true pairs above a limit that one in 10,000 false ones reaches.
    """
    random = np.random.default_rng(11)
    order = np.flatnonzero(world.person >= 0)
    order = order[np.argsort(world.person[order], kind="stable")]
    who = world.person[order]
    ends = np.searchsorted(who, who, side="right")
    starts = np.searchsorted(who, who, side="left")
    one = random.integers(0, len(order), pairs // 10)
    other = starts[one] + (random.random(len(one)) * (ends - starts)[one]).astype(int)
    true = _cosines(world, order[one[one != other]], order[other[one != other]])
    one, other = random.integers(0, len(order), (2, pairs))
    different = world.family[who[one]] != world.family[who[other]]
    false = np.concatenate(
        [_cosines(world, order[a], order[b]) for a, b in _blocks(one[different], other[different])]
    )
    limit = float(np.quantile(false, 1 - 1e-4))
    return {
        "same_mean": round(float(true.mean()), 3),
        "same_spread": round(float(true.std()), 3),
        "others_mean": round(float(false.mean()), 3),
        "others_spread": round(float(false.std()), 3),
        "accepted_at_1e-4": round(float((true >= limit).mean()), 4),
        "limit_at_1e-4": round(limit, 3),
    }


def _blocks(one: np.ndarray, other: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    for start in range(0, len(one), 100_000):
        yield one[start : start + 100_000], other[start : start + 100_000]


def _cosines(world: World, one: np.ndarray, other: np.ndarray) -> np.ndarray:
    return np.einsum("ij,ij->i", world.vectors[one], world.vectors[other])


def tell(part: str, result: dict[str, Any]) -> None:
    print(f"{part}: {json.dumps(result[part])}", file=sys.stderr, flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--people", type=int, default=250)
    parser.add_argument("--faces", type=int, default=50_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--pairs", type=Path)
    parser.add_argument("--answers", type=int, default=10_000, help="answers a relative gives at most")
    parser.add_argument("--parts", nargs="*", choices=PARTS, default=["groups", "naming", "speed", "answers"])
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    if options.people < 30:
        parser.error("--people: 30 at least; the made-up library has ten origins and three pairs of twins")
    with installation():
        if options.pairs:
            result = read_pairs(options.pairs)
        elif options.folder:
            world, engine = read_folder(options.folder)
            result = run(world, engine, options)
        else:
            result = run(make_world(options.people, options.faces, options.seed), "insightface", options)
    print(json.dumps(result, indent=None if options.json else 2))


if __name__ == "__main__":
    main()
