"""Is the library whole? Compares ledger, rows and files with each other, and changes nothing.

Each check of the database is one statement, so it sees one moment, and may run beside the workers. The
database's constraints rule much of this out; a restored backup, a full disk, a broken index or a fault of the
program do not care.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from typing import Any

from django.db import connection, transaction

from ingest import counting, leases, step_counts
from ingest.models import StepRun
from ingest.pipeline import steps
from ingest.verify_files import (
    MOST_EXAMPLES,
    Finding,
    check_leftovers,
    check_originals,
    check_renditions,
)
from library.models import Photo, PhotoFile
from people.derivation import DISAGREEING
from vision.imaging.crops import POSITIONS

RUN_AGAIN = "Choose the photos in /admin and run their steps again."
READ_AGAIN = "manage.py process --repair"


@dataclass(slots=True)
class Verdict:
    """Counts of what was looked at, and everything that was found."""

    counts: dict[str, int]
    findings: list[Finding] = field(default_factory=list)

    @property
    def faults(self) -> list[Finding]:
        """The findings that are no mere notes."""
        return [finding for finding in self.findings if finding.severity == "fault"]

    def as_data(self) -> dict[str, Any]:
        """What ``--json`` prints."""
        return {
            "whole": not self.faults,
            "counts": self.counts,
            "findings": [asdict(finding) for finding in self.findings],
        }


@dataclass(frozen=True, slots=True)
class _Check:
    """A statement that gives a line of words for each thing that is wrong: none, when all is well."""

    name: str
    meaning: str
    remedy: str
    sql: str


_CHECKS = (
    _Check(
        "finished_without_step",
        "Photos are finished, and a step was never run on them.",
        "The workers take them up again within ten minutes, manage.py process does at once.",
        """
        SELECT format('photo %%s: %%s', photo.id, wanted.step)
        FROM library_photo photo CROSS JOIN unnest(%(steps)s::text[]) wanted (step)
        WHERE photo.state IN ('completed', 'partial') AND NOT EXISTS (
            SELECT FROM ingest_steprun run
            WHERE run.photo_id = photo.id AND run.step = wanted.step AND run.status <> 'pending')
        """,
    ),
    _Check(
        "state_against_ledger",
        "Photos are completed although a step failed, or partial although none did.",
        RUN_AGAIN,
        """
        SELECT format('photo %%s: %%s', photo.id, photo.state) FROM library_photo photo
        WHERE photo.state IN ('completed', 'partial') AND (photo.state = 'partial') <> EXISTS (
            SELECT FROM ingest_steprun run WHERE run.photo_id = photo.id AND run.status = 'failed')
        """,
    ),
    _Check(
        "read_without_facts",
        "Originals were read, and hash, size, format or time of the renditions are not there.",
        READ_AGAIN,
        """
        SELECT format('photo %%s', photo.id) FROM library_photo photo
        JOIN ingest_steprun run ON run.photo_id = photo.id AND run.step = 'preprocessing'
        WHERE run.status = 'done' AND photo.state NOT IN ('pending', 'preprocessing', 'failed') AND (
            photo.sha256 IS NULL OR photo.width IS NULL OR photo.height IS NULL OR photo.format = ''
            OR photo.renditions_at IS NULL)
        """,
    ),
    _Check(
        "done_without_result",
        "The ledger says that a step is done, and its result is not there.",
        RUN_AGAIN,
        """
        SELECT format('photo %%s: %%s', run.photo_id, run.step) FROM ingest_steprun run
        WHERE run.status = 'done' AND CASE run.step
            WHEN 'ocr' THEN NOT EXISTS (SELECT FROM library_ocrtext WHERE photo_id = run.photo_id)
            WHEN 'hash' THEN NOT EXISTS (SELECT FROM library_photohash WHERE photo_id = run.photo_id)
            WHEN 'descriptions'
            THEN NOT EXISTS (SELECT FROM library_photodescription WHERE photo_id = run.photo_id)
            WHEN 'embeddings' THEN NOT EXISTS (
                SELECT FROM library_photoembedding WHERE photo_id = run.photo_id)
            ELSE false END
        UNION ALL
        SELECT format('photo %%s: crops', photo_id) FROM library_cropembedding
        GROUP BY photo_id, space_id HAVING count(*) <> %(crops)s
        """,
    ),
    _Check(
        "result_without_step",
        "There is a result of a step that the ledger knows nothing of.",
        RUN_AGAIN,
        """
        SELECT format('photo %%s: %%s', found.photo_id, found.step) FROM (
            SELECT DISTINCT photo_id, 'objects' AS step FROM library_detectedobject
            UNION ALL SELECT DISTINCT photo_id, 'embeddings' FROM library_photoembedding
            UNION ALL SELECT DISTINCT photo_id, 'embeddings' FROM library_cropembedding
            UNION ALL SELECT photo_id, 'ocr' FROM library_ocrtext
            UNION ALL SELECT photo_id, 'hash' FROM library_photohash
            UNION ALL SELECT photo_id, 'descriptions' FROM library_photodescription
        ) found
        WHERE NOT EXISTS (
            SELECT FROM ingest_steprun run WHERE run.photo_id = found.photo_id AND run.step = found.step)
        """,
    ),
    _Check(
        "vector_of_wrong_size",
        "Vectors have other dimensions than their space.",
        "Make them again: manage.py switch_space --help, or run the step again in /admin.",
        """
        SELECT format('photo %%s in space %%s', found.photo_id, found.space_id) FROM (
            SELECT photo_id, space_id, vector_dims(vector) AS size FROM library_photoembedding
            UNION ALL SELECT photo_id, space_id, vector_dims(vector) FROM library_cropembedding
            UNION ALL SELECT photo_id, space_id, vector_dims(embedding) FROM people_face
        ) found JOIN library_embeddingspace space ON space.id = found.space_id
        WHERE found.size <> space.dimensions
        """,
    ),
    _Check(
        "twice_in_the_library",
        "The same content is two photos, or the same file, step or pair has two rows: an index is broken.",
        "Restore a backup, or remove one of the rows in SQL, then REINDEX DATABASE.",
        """
        SELECT format('content %%s', sha256) FROM library_photo
        WHERE sha256 IS NOT NULL GROUP BY sha256 HAVING count(*) > 1
        UNION ALL
        SELECT format('file %%s', min(display_path)) FROM library_photofile
        GROUP BY root_id, relative_path HAVING count(*) > 1
        UNION ALL
        SELECT format('photo %%s: %%s', photo_id, step) FROM ingest_steprun
        GROUP BY photo_id, step HAVING count(*) > 1
        UNION ALL
        SELECT format('pair %%s %%s', first_id, second_id) FROM library_duplicatepair
        GROUP BY first_id, second_id HAVING count(*) > 1
        """,
    ),
    _Check(
        "files_against_photo",
        "Photos count as missing although a file is there, or the other way round.",
        "manage.py scan_library",
        """
        SELECT format('photo %%s', photo.id) FROM library_photo photo
        WHERE (photo.missing_since IS NULL) <> EXISTS (
            SELECT FROM library_photofile file WHERE file.photo_id = photo.id AND file.missing_since IS NULL)
        """,
    ),
    _Check(
        "not_findable",
        "Finished photos are not in the search index.",
        "manage.py reindex_search",
        """
        SELECT format('photo %%s', photo.id) FROM library_photo photo
        WHERE photo.state IN ('completed', 'partial')
            AND NOT EXISTS (SELECT FROM search_searchdocument WHERE photo_id = photo.id)
        """,
    ),
    _Check(
        "pairs_against_hashes",
        "Duplicate pairs have another distance than their hashes, or a hash is gone.",
        "manage.py find_duplicates",
        """
        SELECT format('photos %%s and %%s', pair.first_id, pair.second_id) FROM library_duplicatepair pair
        LEFT JOIN library_photohash one ON one.photo_id = pair.first_id
        LEFT JOIN library_photohash two ON two.photo_id = pair.second_id
        WHERE pair.decision = 'undecided' AND (one.pdq <~> two.pdq) IS DISTINCT FROM pair.distance::float
        """,
    ),
    _Check(
        "hidden_behind_hidden",
        "Photos stand behind one that is itself not in front: nobody sees them.",
        "manage.py find_duplicates",
        """
        SELECT format('photo %%s behind %%s', behind.id, front.id) FROM library_photo behind
        JOIN library_photo front ON front.id = behind.duplicate_of_id
        WHERE front.duplicate_of_id IS NOT NULL
        """,
    ),
    _Check(
        "lease_on_finished",
        "A worker holds photos that are finished.",
        "Start the workers: they free it when it has run out.",
        """
        SELECT format('photo %%s: %%s', id, leased_by) FROM library_photo
        WHERE state IN ('completed', 'partial', 'failed') AND (lease_until IS NOT NULL OR leased_by <> '')
        """,
    ),
    _Check(
        "lease_of_the_dead",
        "Photos are held by workers that are gone, or longer than their lease.",
        "Start the workers: they free them.",
        """
        SELECT format('photo %%s: %%s', id, leased_by) FROM library_photo
        WHERE leased_by = ANY(%(dead)s) OR lease_until < now() OR (lease_until IS NULL) <> (leased_by = '')
        """,
    ),
    _Check(
        "kept_counts_differ",
        "Counts that are kept, of photos, folders of sessions or the ledger, are not what counting gives.",
        READ_AGAIN,
        f"""
        SELECT format('%%s of %%s: %%s kept, %%s there', state,
            CASE folder WHEN 0 THEN 'all photos' ELSE 'folder ' || folder END, kept, wanted)
        FROM ({counting.DISAGREEMENTS}) wrong
        UNION ALL
        SELECT format('%%s entries of %%s: %%s kept, %%s there', status, step, kept, wanted)
        FROM ({step_counts.DISAGREEMENTS}) wrong
        """,  # noqa: S608 - our own words
    ),
    _Check(
        "finished_but_waiting",
        "Photos are finished and still wait for a session.",
        READ_AGAIN,
        """
        SELECT format('photo %%s: session %%s', id, scan) FROM library_photo
        WHERE state IN ('completed', 'partial', 'failed') AND scan <> 0
        """,
    ),
    _Check(
        "faces_against_labels",
        "Faces are other people's than their labels say.",
        "manage.py people repair",
        DISAGREEING,
    ),
    _Check(
        "person_against_photo",
        "People are in a photo twice, or in one from before their birth.",
        "Open the photo, and correct its date, the date of birth or the name.",
        """
        SELECT format('photo %%s: %%s twice', photo_id, person_id) FROM people_face
        WHERE person_id IS NOT NULL GROUP BY photo_id, person_id HAVING count(*) > 1
        UNION ALL
        SELECT format('photo %%s: %%s', photo.id, person.name) FROM people_face face
        JOIN people_person person ON person.id = face.person_id
        JOIN library_photo photo ON photo.id = face.photo_id
        WHERE (photo.taken_local AT TIME ZONE 'UTC')::date < person.birth_date
        """,
    ),
    _Check(
        "failed_without_reason",
        "Something failed or was skipped, and nobody wrote down why.",
        "manage.py process --retry-failed",
        """
        SELECT format('photo %%s', id) FROM library_photo WHERE state = 'failed' AND error_message = ''
        UNION ALL
        SELECT format('photo %%s: %%s', photo_id, step) FROM ingest_steprun
        WHERE status IN ('failed', 'skipped') AND error = ''
        """,
    ),
)


def verify(
    *, decode: bool = True, originals: bool = False, on_progress: Callable[[int], object] = bool
) -> Verdict:
    """Run all checks. ``decode`` also decodes every thumbnail and preview; ``originals`` reads every original
    and compares its hash. ``on_progress`` is told the number of files looked at. Writes nothing, anywhere.
    """
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("SET TRANSACTION READ ONLY")
        verdict = Verdict(_counts())
        verdict.findings += _of_database()
    on_files = [*check_renditions(decode=decode, on_progress=on_progress), *check_leftovers()]
    if originals:
        on_files += check_originals(on_progress=on_progress)
    verdict.findings += [found for found in on_files if found.count]
    return verdict


def _counts() -> dict[str, int]:
    finished = Photo.objects.filter(state__in=Photo.FINAL_STATES)
    return {
        "photos": Photo.objects.count(),
        "finished": finished.count(),
        "unfinished": Photo.objects.exclude(state__in=Photo.FINAL_STATES).count(),
        "failed": finished.filter(state=Photo.State.FAILED).count(),
        "files": PhotoFile.objects.count(),
        "files_present": PhotoFile.objects.present().count(),
        "steps": StepRun.objects.count(),
        "steps_failed": StepRun.objects.filter(status=StepRun.Status.FAILED).count(),
    }


def _of_database() -> Iterator[Finding]:
    # Descriptions may have been switched on a minute ago: that they are not there yet is no fault.
    always = [step.name.value for step in steps() if step.name != StepRun.Step.DESCRIPTIONS]
    holders = Photo.objects.exclude(leased_by="").order_by().values_list("leased_by", flat=True).distinct()
    values: dict[str, Any] = {
        "steps": [StepRun.Step.PREPROCESSING.value, *always],
        "crops": len(POSITIONS),
        "dead": [name for name in holders if leases.is_dead(name)],
    }
    with connection.cursor() as cursor:
        # What a broken index hides is seen only by reading the tables themselves.
        cursor.execute("SET LOCAL enable_indexonlyscan = off")
        for check in _CHECKS:
            statement = f"SELECT count(*) OVER (), wrong.* FROM ({check.sql}) wrong LIMIT {MOST_EXAMPLES}"  # noqa: S608 - ours
            cursor.execute(statement, values)
            rows = cursor.fetchall()
            if rows:
                examples = [words for _, words in rows]
                yield Finding(check.name, check.meaning, check.remedy, rows[0][0], examples)
