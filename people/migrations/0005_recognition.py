"""What recognition needs of the data: which answers taught something, and quick looks at places and folders."""

from __future__ import annotations

from django.db import migrations, models
from django.db.models import Q

# A vector of 512 numbers is a little larger than what PostgreSQL keeps in a row by default, so every comparison
# would fetch it from beside the table.
INLINE = "ALTER TABLE people_face ALTER COLUMN embedding SET STORAGE {}"
PLACE = """
CREATE INDEX people_photo_place ON library_photo (latitude, longitude) WHERE latitude IS NOT NULL
"""
FOLDER = """
CREATE INDEX people_file_folder ON library_photofile
(root_id, hashtextextended(regexp_replace(display_path, '[^/]*$', ''), 0))
"""


class Migration(migrations.Migration):
    dependencies = [("people", "0004_people"), ("library", "0011_photo_set_aside")]

    operations = [
        migrations.AddField(
            model_name="peopleevent",
            name="settled",
            field=models.PositiveIntegerField(
                help_text="Faces that got a name because of it; empty: nothing was learnt from it yet.",
                null=True,
            ),
        ),
        migrations.AddIndex(
            model_name="peopleevent",
            index=models.Index(
                fields=["id"], condition=Q(settled__isnull=True), name="people_event_unsettled"
            ),
        ),
        migrations.RunSQL(INLINE.format("MAIN"), INLINE.format("EXTERNAL")),
        migrations.RunSQL(PLACE, "DROP INDEX people_photo_place"),
        migrations.RunSQL(FOLDER, "DROP INDEX people_file_folder"),
    ]
