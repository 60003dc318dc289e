"""Make albums, fill them, and take every step back.

Each deed leaves an audit event that holds what it changed; ``undo`` reads it and puts things back.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Final

from django.db import IntegrityError, transaction

from library.models import Album, AlbumPhoto, AuditEvent, Photo

TITLE_LENGTH: Final = 200


class BadAlbum(ValueError):
    """The album cannot be like this; the message says why."""


class CannotUndo(ValueError):
    """Too much has changed since; the message says what."""


@transaction.atomic
def create_album(*, title: str, actor_id: int, photo_ids: Iterable[int] = ()) -> AuditEvent:
    """A new album with these photos; the event's ``object_id`` is its key. Raises BadAlbum for its title."""
    album = Album.objects.create(title=_title(title), created_by_id=actor_id)
    album.add(photo_ids)
    return _event("create_album", album, actor_id, after={"title": album.title})


@transaction.atomic
def rename_album(*, album: Album, title: str, actor_id: int) -> AuditEvent:
    """Give an album another title. Raises BadAlbum for an empty or endless one, or one that is taken."""
    before, album.title = album.title, _title(title)
    try:
        with transaction.atomic():
            album.save(update_fields=["title"])
    except IntegrityError as error:
        raise BadAlbum(f"There is an imported album called “{album.title}” already.") from error
    return _event("rename_album", album, actor_id, before={"title": before}, after={"title": album.title})


@transaction.atomic
def delete_album(*, album: Album, actor_id: int) -> AuditEvent:
    """Take an album apart. Its photos stay where they are."""
    before = {
        "title": album.title,
        "description": album.description,
        "source": album.source,
        "created_by": album.created_by_id,
        "photos": list(album.entries.order_by("pk").values_list("photo", flat=True)),
    }
    event = _event("delete_album", album, actor_id, before=before)
    album.delete()
    return event


@transaction.atomic
def add_to_album(*, album: Album, photo_ids: Iterable[int], actor_id: int) -> AuditEvent:
    """Put photos into an album; the event names those that were not in it before."""
    wanted = list(dict.fromkeys(photo_ids))
    known = set(album.entries.filter(photo__in=wanted).values_list("photo", flat=True))
    new = [pk for pk in wanted if pk not in known]
    album.add(new)
    return _event("add_to_album", album, actor_id, after={"title": album.title, "photos": new})


@transaction.atomic
def remove_from_album(*, album: Album, photo_ids: Iterable[int], actor_id: int) -> AuditEvent:
    """Take photos out of an album; the event names those that were in it."""
    entries = album.entries.filter(photo__in=list(photo_ids))
    gone = list(entries.order_by("pk").values_list("photo", flat=True))
    entries.delete()
    return _event("remove_from_album", album, actor_id, before={"title": album.title, "photos": gone})


@transaction.atomic
def undo(*, event: AuditEvent, actor_id: int) -> str:
    """Take back what the event did, and say so. Raises CannotUndo when it cannot be taken back any more."""
    deed = _UNDO.get(event.action)
    if deed is None or event.object_id is None:
        raise CannotUndo("This cannot be taken back.")
    said = deed(event)
    AuditEvent.objects.create(
        actor_id=actor_id,
        action=f"undo_{event.action}",
        object_type="album",
        object_id=event.object_id,
        before=event.after,
        after=event.before,
    )
    return said


def _undo_create(event: AuditEvent) -> str:
    album = _album(event)
    album.delete()
    return f"The album “{album.title}” was not made."


def _undo_rename(event: AuditEvent) -> str:
    album = _album(event)
    if album.title != event.after["title"]:
        raise CannotUndo(f"The album was renamed again since: it is called “{album.title}”.")
    album.title = event.before["title"]
    album.save(update_fields=["title"])
    return f"The album is called “{album.title}” again."


def _undo_delete(event: AuditEvent) -> str:
    told = event.before
    album = Album(pk=event.object_id, created_by_id=told["created_by"])
    album.title, album.description, album.source = told["title"], told["description"], told["source"]
    try:
        with transaction.atomic():
            album.save(force_insert=True)
    except IntegrityError as error:
        raise CannotUndo(f"The album “{album.title}” is there already.") from error
    album.add(_still_there(told["photos"]))
    return f"The album “{album.title}” is back."


def _undo_add(event: AuditEvent) -> str:
    album = _album(event)
    AlbumPhoto.objects.filter(album=album, photo__in=event.after["photos"]).delete()
    return f"The photos are out of “{album.title}” again."


def _undo_remove(event: AuditEvent) -> str:
    album = _album(event)
    album.add(_still_there(event.before["photos"]))
    return f"The photos are in “{album.title}” again."


_UNDO: Final[dict[str, Callable[[AuditEvent], str]]] = {
    "create_album": _undo_create,
    "rename_album": _undo_rename,
    "delete_album": _undo_delete,
    "add_to_album": _undo_add,
    "remove_from_album": _undo_remove,
}


def _album(event: AuditEvent) -> Album:
    album = Album.objects.select_for_update().filter(pk=event.object_id or 0).first()
    if album is None:
        raise CannotUndo("The album is not there any more.")
    return album


def _still_there(photo_ids: Iterable[int]) -> list[int]:
    return list(Photo.objects.filter(pk__in=list(photo_ids)).order_by("pk").values_list("pk", flat=True))


def _title(title: str) -> str:
    title = " ".join(title.split())
    if not title:
        raise BadAlbum("An album needs a title.")
    if len(title) > TITLE_LENGTH:
        raise BadAlbum(f"The title is too long: an album's may have {TITLE_LENGTH} characters.")
    return title


def _event(action: str, album: Album, actor_id: int, **values: dict[str, Any]) -> AuditEvent:
    return AuditEvent.objects.create(
        actor_id=actor_id, action=action, object_type="album", object_id=album.pk, **values
    )
