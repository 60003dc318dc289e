"""What other programs said about photos, entered with them: people, albums."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ingest.steps.preprocessing import Preprocessed, ReadFile
from library.models import Album, Photo
from people.actions.names import import_names


def enter_people(results: Mapping[int, Preprocessed], done: Sequence[int]) -> None:
    """The names of the photos that were read."""
    import_names(named={pk: results[pk].people for pk in done})


def enter_albums(found: Sequence[tuple[int, ReadFile]]) -> None:
    """Put photos into the albums whose folders their files lie in."""
    members: dict[tuple[str, str], list[int]] = {}
    for photo_id, read in found:
        for album in read.companions.albums:
            members.setdefault(album, []).append(photo_id)
    for (title, description), photo_ids in sorted(members.items()):
        imported = Album.objects.imported(source=Album.Source.TAKEOUT, title=title, description=description)
        imported.add(photo_ids)


def tells_more(read: ReadFile, owner: Photo) -> bool:
    """Whether beside this copy lies something that was not read with the photo it turned out to be."""
    return not read.companions.digests <= set(owner.companions)
