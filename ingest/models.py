"""The books of the pipeline: scans, and the ledger of every step run on every photo."""

from __future__ import annotations

import uuid

from django.conf import settings
from django.db import models
from django.db.models import F, Func, Q

from library.models import Photo, Root


class ScanSession(models.Model):
    """One walk over a root, with what it found."""

    class Status(models.TextChoices):
        """How the walk went; the photos it found may be worked on long after it."""

        QUEUED = "queued"
        RUNNING = "running"
        FINISHED = "finished"
        STOPPED = "stopped"
        FAILED = "failed"
        CANCELLED = "cancelled"

    root = models.ForeignKey(Root, on_delete=models.CASCADE, related_name="scans")
    subfolder = models.BinaryField(max_length=4096, default=b"")
    partial = models.BooleanField(default=False, help_text="A look at folders that changed, not at all.")
    priority = models.PositiveSmallIntegerField(choices=Photo.Priority, default=Photo.Priority.NORMAL)
    paused = models.BooleanField(default=False, help_text="Its photos are left alone until it goes on.")
    background = models.BooleanField(
        default=False, help_text="The workers walk, and again when a walk is broken off."
    )
    status = models.CharField(max_length=10, choices=Status, default=Status.RUNNING)
    found = models.PositiveIntegerField(default=0, help_text="Photo files seen.")
    new = models.PositiveIntegerField(default=0)
    changed = models.PositiveIntegerField(default=0)
    returned = models.PositiveIntegerField(default=0, help_text="Missing files that are there again.")
    vanished = models.PositiveIntegerField(default=0)
    unchanged = models.PositiveIntegerField(default=0)
    skipped = models.PositiveIntegerField(default=0, help_text="Files and folders left out, with a reason.")
    skips = models.JSONField(default=list, help_text="The first skipped paths with their reasons.")
    skip_reasons = models.JSONField(default=dict, help_text="How many were skipped for each reason.")
    message = models.TextField(blank=True)
    started_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True)
    started_at = models.DateTimeField(auto_now_add=True)
    finished_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ("-started_at", "-pk")

    def __str__(self) -> str:
        return f"Scan {self.pk} of {self.root}"

    @property
    def folder(self) -> str:
        """The folder below the root, for people; empty when it is the root."""
        return bytes(self.subfolder).decode("utf-8", "replace")

    @property
    def held(self) -> bool:
        """Whether the lanes leave its photos alone."""
        return self.paused or self.status == self.Status.CANCELLED


class SessionFolder(models.Model):
    """A folder in which a session took something up; the top one, its own folder, is always there."""

    session = models.ForeignKey(ScanSession, on_delete=models.CASCADE, related_name="folders")
    parent = models.ForeignKey("self", on_delete=models.CASCADE, null=True, related_name="children")
    path = models.BinaryField(max_length=4096, help_text="Below the root.")
    found = models.PositiveIntegerField(default=0, help_text="Photo files seen, with those in folders below.")
    taken = models.PositiveIntegerField(default=0, help_text="Those of them that there was work with.")

    class Meta:
        constraints = (
            models.UniqueConstraint(
                F("session"), Func(F("path"), function="sha256"), name="session_folder_unique"
            ),
        )
        ordering = ("path",)

    def __str__(self) -> str:
        return self.display_path or "/"

    @property
    def display_path(self) -> str:
        """For people."""
        return bytes(self.path).decode("utf-8", "replace")

    @property
    def name(self) -> str:
        """The last part of the path."""
        return self.display_path.rpartition("/")[2]


class PhotoCount(models.Model):
    """How many photos are in a state: of a folder of a session with those below, or (no folder) of all.

    Written by ``ingest.counting`` alone, from what the triggers on the table of photos write down.
    """

    folder = models.ForeignKey(
        SessionFolder, on_delete=models.CASCADE, null=True, related_name="counts", db_constraint=False
    )
    state = models.CharField(max_length=24, choices=Photo.State)
    photos = models.BigIntegerField()

    class Meta:
        constraints = (
            models.UniqueConstraint(
                fields=("folder", "state"), name="photo_count_unique", nulls_distinct=False
            ),
        )

    def __str__(self) -> str:
        return f"{self.photos} {self.state}"


class PhotoCountChange(models.Model):
    """Photos came into a state or left it; written by a trigger, waits to be added to ``PhotoCount``."""

    folder = models.BigIntegerField(help_text="SessionFolder, or 0.")
    state = models.CharField(max_length=24)
    photos = models.BigIntegerField(help_text="Below 0: they left.")
    at = models.DateTimeField()

    def __str__(self) -> str:
        return f"{self.photos:+} {self.state}"


class Pace(models.Model):
    """Photos that were finished within ten seconds: of a session, or (no session) of all."""

    session = models.ForeignKey(
        ScanSession, on_delete=models.CASCADE, null=True, related_name="paces", db_constraint=False
    )
    at = models.DateTimeField(help_text="Where the ten seconds began.")
    finished = models.BigIntegerField()

    class Meta:
        constraints = (
            models.UniqueConstraint(fields=("session", "at"), name="pace_unique", nulls_distinct=False),
        )

    def __str__(self) -> str:
        return f"{self.finished} at {self.at}"


class WorkerReport(models.Model):
    """What a worker process of the models lane holds in memory; the newest report only."""

    worker = models.CharField(max_length=200, unique=True, help_text="Host, process and its start.")
    process_mib = models.PositiveIntegerField(help_text="Resident memory of the process.")
    engines = models.JSONField(default=list, help_text="What is loaded: seconds, MiB, device, precision.")
    gpus = models.JSONField(default=list, help_text="The cards of its machine: MiB in use and in all.")
    at = models.DateTimeField()

    class Meta:
        ordering = ("worker",)

    def __str__(self) -> str:
        return f"{self.worker}: {self.process_mib} MiB"


class Upload(models.Model):
    """A file on its way from a browser, or one that came that way. What of it is there lies on disk."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="uploads")
    name = models.CharField(max_length=255, help_text="Its name, made safe for the disk.")
    size = models.BigIntegerField(help_text="Bytes.")
    sha256 = models.CharField(max_length=64, blank=True, help_text="What the browser says; empty: unknown.")
    modified_ms = models.BigIntegerField(default=0, help_text="When the file was changed, by the browser.")
    file = models.ForeignKey(
        "library.PhotoFile", on_delete=models.SET_NULL, null=True, related_name="uploads"
    )
    created_at = models.DateTimeField(auto_now_add=True)
    touched_at = models.DateTimeField(auto_now=True)
    finished_at = models.DateTimeField(null=True)

    class Meta:
        indexes = (models.Index(fields=("user", "finished_at"), name="upload_of_user"),)
        ordering = ("created_at", "pk")

    def __str__(self) -> str:
        return self.name


class WorkerCluster(models.Model):
    """The workers of one lane on one machine, as their supervisor sees them; it writes every few seconds."""

    machine = models.CharField(max_length=100, help_text="MACHINE_NAME.")
    lane = models.CharField(max_length=10)
    workers = models.PositiveSmallIntegerField(help_text="Worker processes it should have.")
    beat_at = models.DateTimeField(null=True, help_text="The last sign of life of a worker.")
    restarts = models.PositiveIntegerField(default=0, help_text="How often it was started anew.")
    message = models.TextField(blank=True, help_text="What is wrong; for people.")
    started_at = models.DateTimeField(help_text="When the supervisor started.")
    at = models.DateTimeField(help_text="When the supervisor looked last.")

    class Meta:
        constraints = (models.UniqueConstraint(fields=("machine", "lane"), name="worker_cluster_unique"),)
        ordering = ("machine", "lane")

    def __str__(self) -> str:
        return f"{self.lane} on {self.machine}"


class StepRun(models.Model):
    """The ledger: what one step did to one photo, with which engine. Written by ``ingest.runner`` only."""

    class Step(models.TextChoices):
        """The steps in their order; ``ingest.pipeline.STEPS`` says how each works."""

        PREPROCESSING = "preprocessing"
        OBJECTS = "objects"
        EMBEDDINGS = "embeddings"
        OCR = "ocr"
        FACES = "faces"
        HASH = "hash"
        DUPLICATES = "duplicates"
        DESCRIPTIONS = "descriptions"

    class Status(models.TextChoices):
        """How it ended; ``pending`` means that it is to be run (again)."""

        PENDING = "pending"
        DONE = "done"
        SKIPPED = "skipped"
        FAILED = "failed"

    photo = models.ForeignKey(Photo, on_delete=models.CASCADE, related_name="steps")
    step = models.CharField(max_length=16, choices=Step)
    engine = models.CharField(max_length=300, blank=True, help_text="Empty when no engine was there.")
    status = models.CharField(max_length=8, choices=Status)
    attempts = models.PositiveSmallIntegerField(default=0)
    milliseconds = models.PositiveIntegerField(default=0, help_text="The photo's share of its batch.")
    error = models.TextField(blank=True)
    reason = models.CharField(
        max_length=200, blank=True, help_text="The class of the error; see ingest.reasons."
    )
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        constraints = (models.UniqueConstraint(fields=("photo", "step"), name="step_run_unique"),)
        indexes = (
            models.Index(fields=("step", "engine", "status"), name="step_run_engine"),
            models.Index(fields=("status", "step"), name="step_run_status"),
            # Failures are counted and listed by their class from this index alone.
            models.Index(
                fields=("step", "reason", "id"), condition=Q(status="failed"), name="step_run_failures"
            ),
        )
        ordering = ("photo", "pk")

    def __str__(self) -> str:
        return f"{self.step} of photo {self.photo_id}: {self.status}"


class StepCount(models.Model):
    """How many entries of the ledger stand so now, and their time; ``ingest.step_counts`` alone writes it."""

    step = models.CharField(max_length=16, choices=StepRun.Step)
    status = models.CharField(max_length=8, choices=StepRun.Status)
    runs = models.BigIntegerField()
    milliseconds = models.BigIntegerField()

    class Meta:
        constraints = (models.UniqueConstraint(fields=("step", "status"), name="step_count_unique"),)

    def __str__(self) -> str:
        return f"{self.step}: {self.runs} {self.status}"


class StepCountChange(models.Model):
    """Entries of the ledger came or went; written by a trigger, waits to be added to ``StepCount``."""

    step = models.CharField(max_length=16)
    status = models.CharField(max_length=8)
    runs = models.BigIntegerField()
    milliseconds = models.BigIntegerField()

    def __str__(self) -> str:
        return f"{self.step}: {self.runs:+} {self.status}"


class StepTally(models.Model):
    """How often a step ended how with an engine, counted while it happens: reading the ledger takes seconds.

    Every run counts, so a photo that was tried three times counts three times; nothing is ever taken back.
    """

    step = models.CharField(max_length=16, choices=StepRun.Step)
    engine = models.CharField(max_length=300, blank=True, help_text="Empty when no engine was there.")
    status = models.CharField(max_length=8, choices=StepRun.Status)
    runs = models.PositiveBigIntegerField(default=0)
    milliseconds = models.PositiveBigIntegerField(default=0)

    class Meta:
        constraints = (
            models.UniqueConstraint(fields=("step", "engine", "status"), name="step_tally_unique"),
        )
        ordering = ("step", "engine", "status")

    def __str__(self) -> str:
        return f"{self.step} by {self.engine}: {self.runs} {self.status}"


class SessionStep(models.Model):
    """What the steps did to the photos of one session, counted while it happens, failures by their class."""

    session = models.ForeignKey(ScanSession, on_delete=models.CASCADE, related_name="steps")
    step = models.CharField(max_length=16, choices=StepRun.Step)
    status = models.CharField(max_length=8, choices=StepRun.Status)
    reason = models.CharField(max_length=200, blank=True)
    runs = models.PositiveBigIntegerField(default=0)
    milliseconds = models.PositiveBigIntegerField(default=0)

    class Meta:
        constraints = (
            models.UniqueConstraint(
                fields=("session", "step", "status", "reason"), name="session_step_unique"
            ),
        )

    def __str__(self) -> str:
        return f"{self.step} in session {self.session_id}: {self.runs} {self.status}"


class LostLease(models.Model):
    """A photo was lost by the worker that held it: a chapter of the story of a photo that kills workers."""

    class Cause(models.TextChoices):
        """What became of the worker."""

        DIED = "died", "died"
        RAN_OUT = "ran_out", "was not heard of until its lease ran out"
        BROKE_OFF = "broke_off", "broke off"

    photo = models.ForeignKey(Photo, on_delete=models.CASCADE, related_name="losses")
    worker = models.CharField(max_length=120, help_text="Host, process and its start.")
    state = models.CharField(max_length=24, choices=Photo.State, help_text="What was being done.")
    cause = models.CharField(max_length=9, choices=Cause)
    message = models.TextField(blank=True)
    beside = models.PositiveIntegerField(default=0, help_text="How many other photos it held and lost.")
    at = models.DateTimeField()

    class Meta:
        indexes = (models.Index(fields=("at",), name="lost_lease_at"),)
        ordering = ("photo", "pk")

    def __str__(self) -> str:
        return f"{self.worker} {self.get_cause_display()} with photo {self.photo_id}"

    @property
    def host(self) -> str:
        """The machine the worker ran on."""
        return self.worker.rsplit(":", 2)[0]

    @property
    def process(self) -> str:
        """The worker's process number."""
        return self.worker.rsplit(":", 2)[-2] if self.worker.count(":") >= 2 else ""
