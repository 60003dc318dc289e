"""What other programs said about photos, entered with them: people, places, albums, videos."""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping, Sequence

from ingest.steps.preprocessing import Preprocessed, ReadFile
from library.actions.places import set_places
from library.models import Album, Photo, PhotoFile, VideoPart
from people.actions.names import import_names


def enter_people(results: Mapping[int, Preprocessed], done: Sequence[int], fresh: Collection[int]) -> None:
    """The names of the photos that were read; of ``fresh`` photos none are known yet."""
    named = {pk: results[pk].people for pk in done if results[pk].people or pk not in fresh}
    if named:
        import_names(named=named)


def enter_places(results: Mapping[int, Preprocessed], done: Sequence[int]) -> None:
    """The names of the places where the photos that were read were taken."""
    set_places(names={pk: results[pk].place_names for pk in done})


def enter_albums(found: Sequence[tuple[int, ReadFile]]) -> None:
    """Put photos into the albums whose folders their files lie in."""
    members: dict[tuple[str, str], list[int]] = {}
    for photo_id, read in found:
        for album in read.companions.albums:
            members.setdefault(album, []).append(photo_id)
    for (title, description), photo_ids in sorted(members.items()):
        imported = Album.objects.imported(source=Album.Source.TAKEOUT, title=title, description=description)
        imported.add(photo_ids)


def enter_videos(
    results: Mapping[int, Preprocessed], reads: Sequence[tuple[int, ReadFile]], fresh: Collection[int]
) -> None:
    """The moving parts of the photos that were read; those that have none any more lose it."""
    if before := [photo_id for photo_id, _ in reads if photo_id not in fresh]:
        VideoPart.objects.filter(photo__in=before).delete()
    moving = [(pk, read) for pk, read in reads if results[pk].video or results[pk].live_video]
    files = PhotoFile.objects.in_bulk([read.file_id for _, read in moving if read.file_id])
    parts = []
    for photo_id, read in moving:
        result, file = results[photo_id], files.get(read.file_id or 0)
        if result.video:
            part = VideoPart(
                kind=VideoPart.Kind.MOTION, offset=result.video.offset, length=result.video.length
            )
        elif result.live_video and file:
            name = os.path.basename(result.live_video)  # noqa: PTH119 - bytes
            path = os.path.join(os.path.dirname(bytes(file.relative_path)), name)  # noqa: PTH118, PTH120
            part = VideoPart(kind=VideoPart.Kind.LIVE, root_id=file.root_id, relative_path=path)
        else:
            continue
        part.photo_id = photo_id
        parts.append(part)
    VideoPart.objects.bulk_create(parts)


def tells_more(read: ReadFile, owner: Photo) -> bool:
    """Whether beside this copy lies something that was not read with the photo it turned out to be."""
    return not read.companions.digests <= set(owner.companions)
