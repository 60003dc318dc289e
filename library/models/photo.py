"""One picture: one content, however many files hold it."""

from __future__ import annotations

from datetime import datetime

from django.contrib.postgres.indexes import GinIndex, OpClass
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Cast, Lower

from library.models.place import Place

LOWER_KEYWORDS = Cast(Lower(Cast("keywords", models.TextField())), models.JSONField())
"""Keywords for comparing; the index has them so."""


class PhotoQuerySet(models.QuerySet["Photo"]):
    """Queries over photos. Who may see them is decided in ``library.access``, nowhere else."""

    def shown(self) -> PhotoQuerySet:
        """Photos that can be looked at: decoded once, and at least one of their files is still there."""
        return self.filter(renditions_at__isnull=False, missing_since__isnull=True)

    def without_near_identical(self) -> PhotoQuerySet:
        """Hide the photos that stand behind a nearly identical, better one."""
        return self.filter(duplicate_of__isnull=True)

    def newest_first(self) -> PhotoQuerySet:
        """The order of the timeline: the clock on the wall where the photo was taken."""
        return self.order_by("-taken_local", "-pk")

    def older_than(self, taken_local: datetime, pk: int) -> PhotoQuerySet:
        """The keyset condition that continues ``newest_first`` after the photo with these two values."""
        return self.filter(
            Q(taken_local__lt=taken_local) | Q(taken_local=taken_local, pk__lt=pk),
            taken_local__lte=taken_local,
        )

    def newer_than(self, taken_local: datetime, pk: int) -> PhotoQuerySet:
        """The photos before this one in ``newest_first``, unordered."""
        return self.filter(
            Q(taken_local__gt=taken_local) | Q(taken_local=taken_local, pk__gt=pk),
            taken_local__gte=taken_local,
        )


class Photo(models.Model):
    """One picture, identified by the SHA-256 of its bytes.

    A photo starts without ``sha256`` (its file was found, not read); preprocessing reads the file once and
    either completes this row or, when the same bytes are known already, hands the file to the photo that
    has them.
    """

    class State(models.TextChoices):
        """Where the photo is in the pipeline; the allowed moves are data in ``ingest.states``."""

        PENDING = "pending"
        PREPROCESSING = "preprocessing"
        PROCESSING_OBJECTS = "processing_objects"
        PROCESSING_EMBEDDINGS = "processing_embeddings"
        PROCESSING_OCR = "processing_ocr"
        PROCESSING_FACES = "processing_faces"
        PROCESSING_HASH = "processing_hash"
        CHECKING_DUPLICATES = "checking_duplicates"
        PROCESSING_DESCRIPTIONS = "processing_descriptions"
        COMPLETED = "completed"
        PARTIAL = "partial"
        FAILED = "failed"

    class Priority(models.IntegerChoices):
        """Lower numbers are taken up first."""

        UPLOAD = 0
        HIGH = 10
        NORMAL = 20
        LOW = 30
        IDLE = 40

    class TakenSource(models.TextChoices):
        """What the date of the photo was read from."""

        EXIF = "exif", "camera (EXIF)"
        XMP = "xmp", "XMP"
        IPTC = "iptc", "IPTC"
        GPS = "gps", "GPS clock"
        FILENAME = "filename", "file name"
        FILE = "file", "file date"
        TAKEOUT = "takeout", "date in Google Photos"
        PERSON = "person", "correction made here"

    class OffsetSource(models.TextChoices):
        """What the distance to UTC was learnt from; empty: from nothing, TIME_ZONE was assumed."""

        RECORDED = "recorded", "written with the date"
        GPS = "gps", "GPS clock"
        POSITION = "position", "where it was taken"
        TAKEOUT = "takeout", "Google Photos"
        CAMERA = "camera", "another photo of the same camera"
        PERSON = "person", "correction made here"

    FILES_LANE_STATES = (State.PENDING, State.PREPROCESSING)
    MODELS_LANE_STATES = (
        State.PROCESSING_OBJECTS,
        State.PROCESSING_EMBEDDINGS,
        State.PROCESSING_OCR,
        State.PROCESSING_FACES,
        State.PROCESSING_HASH,
        State.CHECKING_DUPLICATES,
        State.PROCESSING_DESCRIPTIONS,
    )
    FINAL_STATES = (State.COMPLETED, State.PARTIAL, State.FAILED)

    sha256 = models.CharField(max_length=64, unique=True, null=True)  # noqa: DJ001 - many unread photos
    width = models.PositiveIntegerField(null=True, help_text="Pixels of the upright picture.")
    height = models.PositiveIntegerField(null=True)
    format = models.CharField(max_length=12, blank=True)

    taken_at = models.DateTimeField(null=True)
    taken_offset_minutes = models.SmallIntegerField(null=True, help_text="Empty when the offset is unknown.")
    taken_local = models.DateTimeField(
        null=True, help_text="The clock on the wall, stored as if it were UTC: the timeline is ordered by it."
    )
    taken_source = models.CharField(max_length=10, choices=TakenSource, blank=True)
    taken_offset_source = models.CharField(max_length=10, choices=OffsetSource, blank=True)
    latitude = models.FloatField(null=True)
    longitude = models.FloatField(null=True)
    altitude = models.FloatField(null=True, help_text="Metres above sea level.")
    place = models.ForeignKey(Place, on_delete=models.SET_NULL, null=True, related_name="photos")
    camera_make = models.CharField(max_length=100, blank=True)
    camera_model = models.CharField(max_length=100, blank=True)
    lens = models.CharField(max_length=200, blank=True)
    rating = models.PositiveSmallIntegerField(null=True)
    title = models.TextField(blank=True)
    description = models.TextField(blank=True)
    keywords = models.JSONField(default=list)
    exif = models.JSONField(default=dict)
    is_screenshot = models.BooleanField(default=False)
    burst = models.CharField(
        max_length=60, blank=True, help_text="What the shots of a burst share, by camera or name."
    )
    companions = models.JSONField(
        default=list, help_text="Digests of the files of other programs that were read with it."
    )

    thumbhash = models.BinaryField(max_length=32, null=True)
    colours = models.JSONField(default=list, help_text="Dominant colours: rgb, share and Lab.")
    renditions_at = models.DateTimeField(null=True, help_text="When thumbnail and preview were written.")

    state = models.CharField(max_length=24, choices=State, default=State.PENDING)
    priority = models.PositiveSmallIntegerField(choices=Priority, default=Priority.NORMAL)
    # Numbers, not keys: sessions belong to ingest, which stands above this app.
    scan = models.BigIntegerField(
        default=0, help_text="The scan session whose turn it waits for; 0: none, or it is finished."
    )
    scan_folder = models.BigIntegerField(
        default=0, help_text="The folder of the session in which it is counted; 0: none."
    )
    lease_until = models.DateTimeField(null=True)
    leased_by = models.CharField(max_length=120, blank=True)
    lost_leases = models.PositiveSmallIntegerField(
        default=0, help_text="How often a worker died while it held this photo."
    )
    error_message = models.TextField(blank=True)

    missing_since = models.DateTimeField(null=True, help_text="Since when no file of this photo is there.")
    duplicate_of = models.ForeignKey(
        "self", on_delete=models.SET_NULL, null=True, related_name="near_identical", db_index=True
    )
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    objects = PhotoQuerySet.as_manager()

    class Meta:
        indexes = (
            models.Index(
                F("taken_local").desc(),
                F("id").desc(),
                condition=Q(
                    renditions_at__isnull=False, missing_since__isnull=True, duplicate_of__isnull=True
                ),
                name="photo_timeline",
            ),
            # What waits, by queue: a claim finds the next photo of each in one step (ingest.queues).
            models.Index(
                fields=("scan", "priority", "id"),
                condition=Q(state__in=("pending", "preprocessing")),
                name="photo_queue_files",
            ),
            models.Index(
                fields=("scan", "priority", "id"),
                condition=Q(
                    state__in=(
                        "processing_objects",
                        "processing_embeddings",
                        "processing_ocr",
                        "processing_faces",
                        "processing_hash",
                        "checking_duplicates",
                    )
                ),
                name="photo_queue_models",
            ),
            models.Index(
                fields=("scan", "priority", "id"),
                condition=Q(state__in=("processing_descriptions",)),
                name="photo_queue_slow",
            ),
            models.Index(
                fields=("scan", "priority", "id"),
                condition=Q(lost_leases__gt=0),
                name="photo_queue_suspects",
            ),
            models.Index(
                fields=("leased_by",), condition=Q(lease_until__isnull=False), name="photo_leased_by"
            ),
            models.Index(fields=("state",), name="photo_state"),
            models.Index(
                fields=("camera_make", "camera_model", "taken_local"),
                condition=~Q(camera_model=""),
                name="photo_by_camera",
            ),
            GinIndex(OpClass(LOWER_KEYWORDS, name="jsonb_path_ops"), name="photo_keywords"),
            models.Index(
                fields=("latitude", "longitude"), condition=Q(latitude__isnull=False), name="photo_position"
            ),
            models.Index(
                fields=("id",), condition=Q(state="failed", lost_leases__gte=3), name="photo_set_aside"
            ),
        )

    def __str__(self) -> str:
        return f"Photo {self.pk}"

    @property
    def camera(self) -> str:
        """Maker and model in one line, without saying the maker twice."""
        if self.camera_model.casefold().startswith(self.camera_make.casefold()):
            return self.camera_model
        return f"{self.camera_make} {self.camera_model}".strip()
